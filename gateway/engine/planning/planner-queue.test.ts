import { monitorEventLoopDelay } from 'node:perf_hooks';
import { afterEach, describe, expect, test } from '@jest/globals';
import { composeSupergraph } from '../../../schema/compose.ts';
import { createLog } from '#shared/base/log.ts';
import { testSubgraphs } from '../../testing/test-subgraphs.ts';
import { planInProcess } from './in-process-planner.ts';
import { openPlanners } from './planner-queue.ts';
import { PlanningThread } from './planning-thread.ts';

const supergraphSdl = composeSupergraph(
  testSubgraphs().all.map(({ name, typeDefs }) => ({ name, typeDefs, url: `http://${name}/graphql` })),
);
const log = createLog('test');
const NESTED = 'nodes { title owner { name friends { name } } notes { text author { name email } board { title owner { name } } } }';
const text = (number: number) => ({ source: `{ boards(first: ${number}) { ${NESTED} } }`, operationName: undefined });

const opened: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of opened.splice(0).toReversed()) await close();
});

function open(options: Partial<Parameters<typeof openPlanners>[0]> = {}) {
  const planners = openPlanners({ log, ...options });
  opened.push(() => planners.close());
  return planners;
}

/** Seconds of work. */
const huge = {
  source: `{ boards { nodes { ${Array.from({ length: 60_000 }, (_each, index) => `a${index}: title`).join(' ')} } } }`,
  operationName: undefined,
};

describe('the planning thread', () => {
  test('returns the same plans and API schema as the main thread', async () => {
    const here = planInProcess(supergraphSdl);
    const there = await open().plannerOf(supergraphSdl);

    expect(there.reading).toEqual(here.reading);
    expect(await there.plan(text(1))).toBe(await here.plan(text(1)));
    expect(await there.fingerprint(text(1).source)).toBe(await here.fingerprint(text(1).source));
  });

  test('leaves the event loop free while it plans a hundred operations', async () => {
    const texts = Array.from({ length: 100 }, (_each, index) => text(index));
    const here = planInProcess(supergraphSdl);
    await here.plan(text(1_000));
    const began = performance.now();
    for (const each of texts) await here.plan(each);
    const blocked = performance.now() - began;
    const there = await open().plannerOf(supergraphSdl);
    await there.plan(text(1_000));

    const delay = monitorEventLoopDelay({ resolution: 5 });
    delay.enable();
    await Promise.all(texts.map(async (each) => there.plan(each)));
    delay.disable();

    expect(delay.percentile(95) / 1e6).toBeLessThan(blocked / 4);
  });

  test('survives an operation that cannot be planned, and an invalid supergraph', async () => {
    const planners = open();
    const planner = await planners.plannerOf(supergraphSdl);

    await expect(planner.plan({ source: '{ nothing }', operationName: undefined })).rejects.toThrow('nothing');
    await expect(planners.plannerOf('type Query { a: Int }')).rejects.toThrow();
    expect(await planner.plan(text(1))).toContain('Fetch');
  });

  test('terminates on an operation that takes too long, continues in another thread, and refuses a repeat at once', async () => {
    const planner = await open({ planMs: 300, waitMs: 30_000 }).plannerOf(supergraphSdl);

    const [slow, next] = await Promise.allSettled([huge, text(1)].map(async (each) => planner.plan(each)));
    const again = planner.plan(huge);

    expect(slow).toMatchObject({ status: 'rejected', reason: { code: 'OPERATION_TOO_COMPLEX', retryable: false } });
    expect(next).toMatchObject({ status: 'fulfilled' });
    await expect(again).rejects.toMatchObject({ code: 'OPERATION_TOO_COMPLEX' });
  });

  test('plans the operations of several callers in turn', async () => {
    const planner = await open().plannerOf(supergraphSdl);
    const done: string[] = [];
    const ask = async (caller: string, number: number): Promise<void> => {
      await planner.plan(text(number), caller);
      done.push(caller);
    };

    await Promise.all([...[1, 2, 3, 4, 5].map((number) => ask('many', number)), ask('one', 6), ask('other', 7)]);

    expect(done).toEqual(['many', 'many', 'one', 'other', 'many', 'many', 'many']);
  });

  test('limits the waiting operations of one caller', async () => {
    const planner = await open({ maxWaitingPerCaller: 2 }).plannerOf(supergraphSdl);

    const many = await Promise.allSettled([1, 2, 3, 4].map(async (number) => planner.plan(text(number), 'many')));
    const [refused] = many.filter(({ status }) => status === 'rejected');

    expect(many.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'fulfilled', 'rejected']);
    expect(refused).toMatchObject({ reason: { code: 'OVERLOADED', retryable: true, facts: { retryAfterSeconds: 1 } } });
  });

  test('limits the waiting operations and their time', async () => {
    const planner = await open({ planMs: 1_000, waitMs: 100, maxWaiting: 1 }).plannerOf(supergraphSdl);

    const [, late, refused] = await Promise.allSettled([huge, text(1), text(2)].map(async (each) => planner.plan(each)));

    expect(late).toMatchObject({ status: 'rejected', reason: { code: 'TIMEOUT', retryable: true } });
    expect(refused).toMatchObject({ status: 'rejected', reason: { code: 'OVERLOADED', retryable: true } });
  });

  test('fails only the current operation when it dies', async () => {
    const ended: (Error | undefined)[] = [];
    const thread = new PlanningThread((error) => ended.push(error));

    const loading = thread.load(1, supergraphSdl, 10_000);
    const [lost] = await Promise.allSettled([loading, thread.end()]);

    expect(lost).toMatchObject({ status: 'rejected', reason: { code: 'UNAVAILABLE', retryable: true } });
    expect(ended).toHaveLength(1);
  });

  test('finishes its work when its supergraph is closed', async () => {
    const planner = await open().plannerOf(supergraphSdl);
    const begun = planner.plan(text(1));
    planner.close();

    expect(await begun).toContain('Fetch');
  });

  test('ends when it is idle, and starts again', async () => {
    const planner = await open({ idleMs: 1 }).plannerOf(supergraphSdl);
    await new Promise((resolve) => setTimeout(resolve, 50));

    expect(await planner.plan(text(1))).toContain('Fetch');
  });
});

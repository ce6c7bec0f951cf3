import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { Problem } from '../base/errors.ts';
import type { AnyContext } from '../kit/context.ts';
import { defineCommand, handleCommand } from '../kit/define-command.ts';
import { defineJob, handleJob, type JobMessage, type JobRun } from '../kit/define-job.ts';
import { openHost, type Host } from '../runtime/host.ts';
import { deadLettersOf } from '../messaging/consumer.ts';
import { subgraph, type Ctx } from '../testing/fixture-subgraph/subgraph.ts';
import { open, viewer, type TestApp } from '../testing/open.ts';
import { until } from '../testing/until.ts';
import { jobRunsOf, type JobRunRow } from './store.ts';

/* Jobs that actions enqueue: two processes of one subgraph, as far as the stores can tell, and a second subgraph. */

const Title = z.object({ title: z.string() });
const fast = { firstMs: 10, maxMs: 50 };

/** Actions that a test sets; called in whichever process runs the job. */
const actions = new Map<string, (ctx: AnyContext, title: string, run: JobRun) => Promise<unknown>>();
const acting = (ctx: AnyContext, { title }: { title: string }, run: JobRun) =>
  (actions.get(title) ?? (async () => undefined))(ctx, title, run);
const givenUp: string[] = [];

const write = defineJob('write', { payload: Title, attempts: 3, backoff: fast });
const long = defineJob('long', { payload: Title, result: z.object({ size: z.number() }), attempts: 2, backoff: fast, timeoutMs: 60_000 });
const short = defineJob('short', { payload: Title, timeoutMs: 300, attempts: 1 });
const narrow = defineJob('narrow', { payload: Title, concurrency: { perProcess: 4, total: 2 } });
const single = defineJob('single', { payload: Title, concurrency: { perProcess: 1, total: 1 } });
const slow = defineJob('slow', { payload: Title, rate: { max: 2, perMs: 1_000 } });
const alone = defineJob('alone', { payload: Title, exclusive: ({ title }) => title.split(' ')[0]! });
const secret = defineJob('secret', { payload: z.object({ token: z.string() }), encrypted: ['token'] });
const heard: string[] = [];

const handlers = [
  handleJob(write, acting, { onGivenUp: async (_ctx, { title }) => void givenUp.push(title) }),
  handleJob(long, acting, { idempotent: true }),
  handleJob(short, acting, { idempotent: true }),
  handleJob(narrow, acting, { idempotent: true }),
  handleJob(single, acting, { idempotent: true }),
  handleJob(slow, acting, { idempotent: true }),
  handleJob(alone, acting, { idempotent: true }),
  handleJob(secret, async (_ctx, { token }) => void heard.push(token)),
];

const ask = defineCommand('senders', 'ask', { input: Title, output: z.object({ id: z.string() }), changes: true });
const sender = {
  ...subgraph,
  name: 'senders',
  operationsApi: false,
  sagas: [],
  handlers: [handleCommand(ask, async (ctx: AnyContext, input) => ({ id: ctx.enqueue(write(input), { key: 'foreign' }) }))],
};

let app: TestApp;
let ctx: Ctx;
const hosts: Host[] = [];

/** Another process of the subgraph, as far as the stores can tell. */
async function openBeside(own: (typeof subgraph)['handlers']): Promise<Host> {
  const stores = { mongodbUri: process.env['MONGODB_URI']!, redisUrl: process.env['REDIS_URL']! };
  const prefixes = { databasePrefix: `${ctx.redisPrefix}_`, redisPrefix: ctx.redisPrefix };
  const host = await openHost([{ ...subgraph, handlers: own }], { ...stores, ...prefixes, environment: { NODE_ENV: 'test' } });
  hosts.push(host);
  return host;
}

beforeAll(async () => {
  app = await open([{ ...subgraph, handlers }, sender], { viewer: viewer('usr_root', ['admin']) });
  ctx = app.context() as Ctx;
  await openBeside(handlers);
});
afterAll(async () => {
  await Promise.all(hosts.map((host) => host.close()));
  await app.close();
});

type TitleJob = (input: { title: string }) => JobMessage<any>;
const rows = () => jobRunsOf(app.runtime().db);
const runOf = async (id: string): Promise<JobRunRow> => (await rows().findOne({ _id: id }))!;
const hasEnded = async (id: string): Promise<boolean> => (await runOf(id)).finishedAt !== undefined;
async function ended(id: string): Promise<JobRunRow> {
  await until(() => hasEnded(id));
  return runOf(id);
}
const enqueue = (job: TitleJob, title: string, options = {}): Promise<string> =>
  ctx.transaction(async (inner) => inner.enqueue(job({ title }), options));
const board = (inner: AnyContext, title: string) => inner.models.Board.create([{ title }]);
const boards = (title: string): Promise<number> => ctx.models.Board.countDocuments({ title });
const operations = () => app.runtime().jobs.operations;

describe('a job', () => {
  test('runs once for a committed cause, with its effect and its end in one transaction', async () => {
    actions.set('once', board);

    const id = await enqueue(write, 'once');

    expect(await ended(id)).toMatchObject({ state: 'DONE', job: 'write', queue: 'write', failures: 0, token: 1 });
    expect(await boards('once')).toBe(1);
  });

  test('does not run for a cause that was aborted', async () => {
    const failing = ctx.transaction(async (inner) => {
      inner.enqueue(write({ title: 'never' }));
      throw new Error('the disk is full');
    });

    await expect(failing).rejects.toThrow('the disk is full');
    expect(await rows().countDocuments({ 'input.title': 'never' })).toBe(0);
  });

  test('with an input that does not fit its schema aborts its cause', async () => {
    const failing = ctx.transaction(async (inner) => {
      await board(inner, 'aborted');
      return inner.enqueue(write({ title: 7 as never }));
    });

    await expect(failing).rejects.toThrow('expected string');
    expect(await boards('aborted')).toBe(0);
  });

  test('of another subgraph is taken in once, under the id that its cause was told', async () => {
    actions.set('foreign', board);

    const { id } = await app
      .runtime('senders')
      .context({ issuer: 'test', viewer: null })
      .call(ask, { title: 'foreign' }, { idempotencyKey: 'ask-1' });

    await until(async () => (await rows().countDocuments({ _id: id, state: 'DONE' })) === 1);
    await app.settled();
    expect(await boards('foreign')).toBe(1);
  });

  test('keeps a secret of its input encrypted in the store', async () => {
    const id = await ctx.transaction(async (inner) => inner.enqueue(secret({ token: 'opens the door' })));

    expect(JSON.stringify(await ended(id))).not.toContain('opens the door');
    expect(heard).toEqual(['opens the door']);
  });

  test('with a key that an unfinished run has changes nothing, however many ask at once', async () => {
    const runs: string[] = [];
    actions.set('keyed', async (_ctx, _title, { id }) => void runs.push(id));
    const later = { key: 'k1', delayMs: 1_000 };

    await Promise.all(Array.from({ length: 5 }, () => enqueue(write, 'keyed', later)));
    await until(() => runs.length > 0);
    await until(() => hasEnded(runs[0]!));
    const again = await enqueue(write, 'keyed', { key: 'k1' });
    await ended(again);

    expect(runs).toEqual([runs[0], again]);
  });

  test('with a delay or a time waits for it', async () => {
    const [soon, far] = [await enqueue(write, 'soon', { delayMs: 400 }), await enqueue(write, 'far', { delayMs: 60_000 })];

    const { startedAt, createdAt } = await ended(soon);

    expect(startedAt!.getTime() - createdAt.getTime()).toBeGreaterThanOrEqual(400);
    expect((await runOf(far)).state).toBe('QUEUED');
    await operations().cancel(far);
    expect((await ended(far)).state).toBe('CANCELLED');
  });

  test('of a higher priority goes first, and the older one within a priority', async () => {
    const order: string[] = [];
    let free: () => void = () => undefined;
    const blocked = new Promise<void>((resolve) => (free = resolve));
    actions.set('blocker', () => blocked);
    const blocker = await enqueue(single, 'blocker');
    await until(async () => (await runOf(blocker)).state === 'RUNNING');
    const wanted = [
      ['low', 'LOW'],
      ['first', 'NORMAL'],
      ['second', 'NORMAL'],
      ['high', 'HIGH'],
    ] as const;
    const ids: string[] = [];
    for (const [title, priority] of wanted) {
      actions.set(title, async () => void order.push(title));
      ids.push(await enqueue(single, title, { priority }));
    }

    free();
    await Promise.all(ids.map(ended));

    expect(order).toEqual(['high', 'first', 'second', 'low']);
  });
});

describe('a job that fails', () => {
  test('is tried again by its own policy, then is a dead letter that admins are told of and can try again', async () => {
    let isMended = false;
    actions.set('fails', async (inner, title, { attempt }) => {
      await board(inner, title);
      if (!isMended) throw new Error(`attempt ${attempt}`);
    });

    const id = await enqueue(write, 'fails');

    expect(await ended(id)).toMatchObject({ state: 'FAILED', failures: 3, error: { message: 'attempt 3' } });
    expect(await boards('fails')).toBe(0);
    expect(givenUp.filter((title) => title === 'fails')).toEqual(['fails']);
    expect(await deadLettersOf(ctx.db).findOne({ _id: `write ${id}` })).toMatchObject({ attempts: 3, code: 'INTERNAL_SERVER_ERROR' });
    const told = (await app.said('Job.Failed')).filter(({ data }) => data.runId === id);
    expect(told.map(({ data }) => data)).toEqual([expect.objectContaining({ subgraph: 'boards', job: 'write', attempts: 3 })]);

    await expect(operations().retryLetter(`write ${id}`)).rejects.toThrow('attempt 3');
    isMended = true;
    expect(await operations().retryLetter(`write ${id}`)).toBe(true);
    expect(await runOf(id)).toMatchObject({ state: 'DONE' });
    expect(await boards('fails')).toBe(1);
    expect(await deadLettersOf(ctx.db).countDocuments({ _id: `write ${id}` })).toBe(0);
  });

  test('with a Problem is not tried again', async () => {
    actions.set('refused', async () => {
      throw new Problem('BROKEN', 'It will never work.');
    });

    expect(await ended(await enqueue(write, 'refused'))).toMatchObject({ state: 'FAILED', failures: 1, error: { code: 'BROKEN' } });
  });

  test('by its time limit is told so, and commits nothing after it', async () => {
    let outcome: unknown;
    actions.set('late', async (inner, title, { signal }) => {
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      outcome = await inner.transaction((deep: AnyContext) => board(deep, title)).catch((error: unknown) => error);
    });

    expect(await ended(await enqueue(short, 'late'))).toMatchObject({ state: 'FAILED', error: { code: 'TIMEOUT' } });
    expect(outcome).toBeInstanceOf(Problem);
    expect(await boards('late')).toBe(0);
  });
});

describe('a long job', () => {
  test('reports its progress, delays no job of another queue, and keeps its result', async () => {
    let free: () => void = () => undefined;
    const blocked = new Promise<void>((resolve) => (free = resolve));
    actions.set('report', async (_ctx, _title, run) => {
      await run.progress({ done: 1, total: 2 });
      await blocked;
      return { size: 7 };
    });
    const ids = await Promise.all(Array.from({ length: 16 }, () => enqueue(long, 'report')));
    await until(async () => (await runOf(ids[0]!)).progress !== undefined);

    await ended(await enqueue(write, 'beside'));
    expect(await runOf(ids[0]!)).toMatchObject({ state: 'RUNNING', progress: { done: 1, total: 2 } });
    free();

    expect(await ended(ids[0]!)).toMatchObject({ state: 'DONE', result: { size: 7 } });
    await Promise.all(ids.map(ended));
  });

  test('is cancelled while it runs, in whichever process it does', async () => {
    actions.set(
      'endless',
      (_ctx, _title, { signal }) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
    );
    const id = await enqueue(long, 'endless');
    await until(async () => (await runOf(id)).state === 'RUNNING');

    await operations().cancel(id);

    expect(await ended(id)).toMatchObject({ state: 'CANCELLED', failures: 0, error: { code: 'CANCELLED' } });
    await expect(operations().cancel(id)).rejects.toMatchObject({ code: 'JOB_NOT_OPEN' });
  });

  test('of a process that stops goes on in another one, without a failed attempt', async () => {
    const holders: string[] = [];
    const moving = defineJob('moving', { payload: Title });
    const run = async (_ctx: AnyContext, _input: unknown, { signal, id }: JobRun) => {
      holders.push((await runOf(id)).holder!);
      if (holders.length === 1) await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    };
    const own = [handleJob(moving, run, { idempotent: true })];
    const first = await openBeside(own);
    const id = await first.runtimes
      .get('boards')!
      .context({ issuer: 'test', viewer: null })
      .transaction(async (inner) => inner.enqueue(moving({ title: 'moves' })));
    await until(() => holders.length === 1);
    await openBeside(own);

    await first.close();

    expect(await ended(id)).toMatchObject({ state: 'DONE', failures: 0, lost: 0, token: 2 });
    expect(new Set(holders).size).toBe(2);
    hosts.splice(hosts.indexOf(first), 1);
  });
});

describe('over all processes', () => {
  /** The most that ran at a time. */
  async function most(job: TitleJob, titles: string[]): Promise<number> {
    let [running, highest] = [0, 0];
    for (const title of titles) {
      actions.set(title, async () => {
        highest = Math.max(highest, (running += 1));
        await delay(30);
        running -= 1;
      });
    }
    const ids = await Promise.all(titles.map((title) => enqueue(job, title)));
    await Promise.all(ids.map(ended));
    return highest;
  }

  test('no more runs of a queue than its `total` run at a time', async () => {
    expect(
      await most(
        narrow,
        Array.from({ length: 12 }, (_, index) => `narrow ${index}`),
      ),
    ).toBe(2);
  });

  test('runs with an equal `exclusive` key do not overlap', async () => {
    expect(
      await most(
        alone,
        Array.from({ length: 4 }, (_, index) => `same ${index}`),
      ),
    ).toBe(1);
  });

  test('runs of a queue start no faster than its `rate`', async () => {
    const since = performance.now();
    const ids = await Promise.all(Array.from({ length: 5 }, (_, index) => enqueue(slow, `slow ${index}`)));
    await Promise.all(ids.map(ended));

    expect(performance.now() - since).toBeGreaterThan(1_500);
  });
});

test('what a wiped Redis held runs all the same: queued, delayed and rated runs', async () => {
  let free: () => void = () => undefined;
  const blocked = new Promise<void>((resolve) => (free = resolve));
  actions.set('holds', () => blocked);
  const holding = [await enqueue(single, 'holds')];
  await until(async () => (await runOf(holding[0]!)).state === 'RUNNING');
  const waiting = [await enqueue(single, 'waits'), await enqueue(single, 'delayed', { delayMs: 2_000 })];

  await app.wipeRedis();
  free();

  const states = await Promise.all([...holding, ...waiting].map(ended));
  expect(states.map(({ state, token }) => [state, token])).toEqual(states.map(() => ['DONE', 1]));
}, 40_000);

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { z } from 'zod';
import { Problem } from '#shared/base/errors.ts';
import type { AnyContext } from '#shared/kit/context.ts';
import { defineJob, handleJob, scheduledJob, type JobRun } from '#shared/kit/define-job.ts';
import { subgraph as boards } from '#shared/testing/fixture-subgraph/subgraph.ts';
import { open, viewer, type Data, type TestApp } from '#shared/testing/open.ts';
import { until } from '#shared/testing/until.ts';
import { subgraph } from './subgraph.ts';

/* The operations API over two subgraphs: boards has jobs, and the scheduler shows and changes them. */

const payload = z.object({ title: z.string() });
const work = defineJob('work', { payload, attempts: 1 });
let isMended = false;
let ended: () => void = () => undefined;

async function run(_ctx: AnyContext, { title }: { title: string }, { progress, signal }: JobRun): Promise<void> {
  if (title === 'breaks' && !isMended) throw new Problem('BROKEN', 'It will never work.');
  if (title !== 'long') return;
  await progress({ done: 1, total: 4, message: 'reading' });
  await new Promise<void>((resolve, reject) => {
    ended = resolve;
    signal.addEventListener('abort', () => reject(signal.reason));
  });
}

const nightly = scheduledJob('nightly', { cron: '0 3 * * *', tz: 'Africa/Lusaka' }, async () => undefined);
const admin = viewer('usr_root', ['admin']);

let app: TestApp;
beforeAll(async () => {
  const worker = { ...boards, operationsApi: false, handlers: [handleJob(work, run, { idempotent: true }), nightly] };
  app = await open([subgraph, worker], { viewer: admin, environment: { ALERT_EMAILS: 'ops@soko.example, root@soko.example' } });
});
afterAll(() => app.close());

const enqueue = (title: string): Promise<string> => app.context('boards').transaction(async (ctx) => ctx.enqueue(work({ title })));
const RUN = 'id subgraph job queue state trigger failures errorCode isCancelling progress { done total message }';
const runOf = async (id: string): Promise<Data> =>
  (await app.ask(`query ($id: ID!) { jobRun(subgraph: "boards", id: $id) { ${RUN} } }`, { id })).data.jobRun;
async function inState(id: string, state: string): Promise<Data> {
  await until(async () => (await runOf(id)).state === state);
  return runOf(id);
}
async function change(name: string, input: object, fields: string): Promise<Data> {
  const type = `${name[0]!.toUpperCase()}${name.slice(1)}Input`;
  const asked = `mutation ($input: ${type}!) { ${name}(input: $input) { ${fields} userErrors { code path message } } }`;
  return (await app.ask(asked, { input: { subgraph: 'boards', ...input } })).data[name];
}

describe('a scheduled job', () => {
  const FIELDS = 'scheduledJob { job cron timeZone everyMs missed isPaused isChanged changedBy nextTurns }';

  test('is listed with its schedule and its next turns, over all subgraphs', async () => {
    const { data } = await app.ask(
      '{ scheduledJobs { subgraph job queue cron timeZone isPaused nextTurns(first: 2) } unreachableSubgraphs }',
    );

    expect(data.scheduledJobs).toEqual([
      {
        subgraph: 'boards',
        job: 'nightly',
        queue: 'boards-jobs',
        cron: '0 3 * * *',
        timeZone: 'Africa/Lusaka',
        isPaused: false,
        nextTurns: [expect.stringContaining('T01:00:00'), expect.stringContaining('T01:00:00')],
      },
    ]);
    expect(data.unreachableSubgraphs).toEqual([]);
  });

  test('is run now', async () => {
    const { run: started, userErrors } = await change('runScheduledJob', { job: 'nightly' }, `run { ${RUN} }`);

    expect(userErrors).toEqual([]);
    expect(started).toMatchObject({ job: 'nightly', trigger: 'ADMIN' });
    await inState(started.id, 'DONE');
  });

  test('is changed, paused, resumed and given its own schedule again', async () => {
    const changed = await change('changeScheduledJob', { job: 'nightly', cron: '30 4 * * 1', missed: 'SKIP' }, FIELDS);
    const paused = await change('pauseScheduledJob', { job: 'nightly' }, FIELDS);
    const resumed = await change('resumeScheduledJob', { job: 'nightly' }, FIELDS);
    const reset = await change('resetScheduledJob', { job: 'nightly' }, FIELDS);

    expect(changed.scheduledJob).toMatchObject({
      cron: '30 4 * * 1',
      timeZone: 'UTC',
      missed: 'SKIP',
      isChanged: true,
      changedBy: 'usr_root',
    });
    expect(changed.scheduledJob.nextTurns).toEqual(Array.from({ length: 5 }, () => expect.stringContaining('T04:30:00')));
    expect(paused.scheduledJob).toMatchObject({ isPaused: true, nextTurns: [] });
    expect(resumed.scheduledJob).toMatchObject({ isPaused: false, isChanged: true });
    expect(reset.scheduledJob).toMatchObject({ cron: '0 3 * * *', timeZone: 'Africa/Lusaka', missed: 'RUN_ONCE', isChanged: false });
  });

  test.each([
    [{ cron: '61 * * * *' }, ['input', 'cron'], 'INVALID'],
    [{ cron: '0 1 * * *', timeZone: 'Nowhere/Else' }, ['input', 'cron'], 'INVALID'],
    [{ everyMs: 10 }, ['input', 'everyMs'], 'INVALID'],
    [{}, ['input', 'cron'], 'INVALID'],
    [{ job: 'none', cron: '0 1 * * *' }, ['input', 'job'], 'NOT_FOUND'],
  ])('is not changed by %j', async (input, path, code) => {
    const { userErrors } = await change('changeScheduledJob', { job: 'nightly', ...input }, FIELDS);

    expect(userErrors).toMatchObject([{ code, path }]);
  });
});

describe('a run', () => {
  test('that was given up is listed, told to admins by mail once an hour, and tried again', async () => {
    const ids = [await enqueue('breaks'), await enqueue('breaks')];
    for (const id of ids) expect(await inState(id, 'FAILED')).toMatchObject({ failures: 1, errorCode: 'BROKEN' });
    await until(async () => (await app.ask('{ jobAlerts { count } }')).data.jobAlerts[0]?.count === 2);

    const { data } = await app.ask(
      '{ deadLetters { subgraph type code } jobRuns(state: FAILED) { id } jobAlerts { subgraph job lastCode mailedAt } }',
    );
    const refused = await change('retryJobRun', { id: ids[0] }, `run { ${RUN} }`);
    isMended = true;
    const retried = await change('retryJobRun', { id: ids[0] }, `run { ${RUN} }`);

    expect(data.deadLetters).toEqual(ids.map(() => ({ subgraph: 'boards', type: 'work', code: 'BROKEN' })));
    expect(data.jobRuns.map(({ id }: Data) => id)).toEqual(ids.toReversed());
    expect(data.jobAlerts).toEqual([{ subgraph: 'boards', job: 'work', lastCode: 'BROKEN', mailedAt: expect.any(String) }]);
    expect((await app.said('email')).map(({ data: mail }) => [mail.to, mail.template])).toEqual([
      ['ops@soko.example', 'job-failed'],
      ['root@soko.example', 'job-failed'],
    ]);
    expect(refused).toMatchObject({
      run: null,
      userErrors: [{ code: 'RETRY_FAILED', message: 'It failed again with BROKEN: It will never work.' }],
    });
    expect(retried).toMatchObject({ run: { id: ids[0], state: 'DONE' }, userErrors: [] });
  });

  test('is followed live and cancelled', async () => {
    const stream = await app.subscribe('subscription { queueChanged(subgraph: "boards") { cursor queue { name running waiting } } }');
    const id = await enqueue('long');
    await until(async () => (await runOf(id)).progress !== null);
    const followed = await app.subscribe('subscription ($id: ID!) { jobProgress(subgraph: "boards", id: $id) { run { state } } }', { id });
    const next = followed.next();

    const { run: cancelling } = await change('cancelJobRun', { id }, `run { ${RUN} }`);

    expect(cancelling).toMatchObject({ state: 'RUNNING', isCancelling: true, progress: { done: 1, total: 4, message: 'reading' } });
    expect((await next).value.data.jobProgress).toEqual({ run: { state: 'CANCELLED' } });
    let changed: Data;
    do changed = (await stream.next()).value.data.queueChanged;
    while (changed.queue.name !== 'work');
    expect(changed.cursor).toEqual(expect.any(String));
    const again = await change('cancelJobRun', { id }, 'run { id }');
    expect(again.userErrors).toMatchObject([{ code: 'JOB_NOT_OPEN' }]);
    await Promise.all([stream.return?.(), followed.return?.()]);
  });

  test('counts in its queue until it has ended', async () => {
    const ids = [await enqueue('long'), await enqueue('fast')];
    await inState(ids[1]!, 'DONE');

    const { data } = await app.ask(
      '{ queues(subgraph: "boards") { name running waiting delayed failed oldestAt concurrencyPerProcess concurrencyTotal } }',
    );

    expect(data.queues.find(({ name }: Data) => name === 'work')).toEqual({
      name: 'work',
      running: 1,
      waiting: 0,
      delayed: 0,
      failed: 1,
      oldestAt: null,
      concurrencyPerProcess: 8,
      concurrencyTotal: null,
    });
    ended();
    await inState(ids[0]!, 'DONE');
  });
});

test('the operations API is for admins', async () => {
  const { errors } = await app.ask(
    '{ scheduledJobs { job } queues { name } jobRuns { id } jobAlerts { job } }',
    {},
    { as: viewer('usr_ann') },
  );

  expect(errors!.map(({ extensions }) => extensions['code'])).toEqual(['FORBIDDEN', 'FORBIDDEN', 'FORBIDDEN', 'FORBIDDEN']);
});

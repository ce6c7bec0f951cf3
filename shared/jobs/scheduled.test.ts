import { afterEach, describe, expect, test } from '@jest/globals';
import { randomBytes, randomInt } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { handleCommand, defineCommand } from '../kit/define-command.ts';
import type { AnyContext } from '../kit/context.ts';
import { Problem } from '../base/errors.ts';
import { defineEvent, onEvent } from '../kit/define-event.ts';
import { openHost, type Host, type HostOptions } from '../runtime/host.ts';
import { attemptsOf, defineJob, handleJob, schedule, scheduledJob } from '../kit/define-job.ts';
import { subgraph } from '../testing/fixture-subgraph/subgraph.ts';
import { open, viewer, type TestApp } from '../testing/open.ts';
import { until } from '../testing/until.ts';

const HOUR = 3_600_000;
const YEARLY = { cron: '0 0 1 1 *', tz: 'UTC' };
const find = defineCommand('boards', 'find', { input: z.object({}), output: z.object({ ok: z.boolean() }) });
const opened: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const each of opened.splice(0)) await each.close();
});

type Handlers = (typeof subgraph)['handlers'];

async function start(...handlers: Handlers): Promise<TestApp> {
  const app = await open({ ...subgraph, handlers }, { viewer: viewer('usr_root', ['admin']) });
  opened.push(app);
  return app;
}

/** Several processes of one subgraph, as far as the stores can tell. */
async function startTwice(...handlers: Handlers): Promise<Host[]> {
  const run = `t${randomBytes(6).toString('hex')}`;
  const stores = { mongodbUri: process.env['MONGODB_URI']!, redisUrl: process.env['REDIS_URL']! };
  const options: HostOptions = { ...stores, databasePrefix: `${run}_`, redisPrefix: run, environment: { NODE_ENV: 'test' } };
  const hosts = await Promise.all([1, 2].map(() => openHost([{ ...subgraph, handlers }], options)));
  opened.push({
    async close() {
      await hosts[0]!.runtimes.get('boards')!.db.dropDatabase();
      for (const host of hosts) await host.close();
    },
  });
  return hosts;
}

/** As if this long had passed since the work began. */
async function later<T>(ms: number, work: () => Promise<T>): Promise<T> {
  const { now } = Date;
  Date.now = () => now() + ms;
  try {
    return await work();
  } finally {
    Date.now = now;
  }
}

describe('a scheduled job', () => {
  test('is on its schedule when its subgraph is open', async () => {
    const app = await start(scheduledJob('nightly', { cron: '0 3 * * *', tz: 'Africa/Lusaka' }, async () => undefined));

    const [row] = await app.runtime().jobs.operations.listSchedules();

    expect(row).toMatchObject({
      _id: 'nightly',
      queue: 'boards-jobs',
      schedule: { cron: '0 3 * * *', tz: 'Africa/Lusaka' },
      paused: false,
    });
    expect([row!.nextDueAt.getUTCHours(), row!.nextDueAt > new Date()]).toEqual([1, true]);
  });

  test('never overlaps itself, however many processes there are', async () => {
    const seed = randomInt(2 ** 31);
    let state = seed;
    const random = (): number => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
    console.info(`seed ${seed}`);
    let running = 0;
    let most = 0;
    let runs = 0;
    const slow = scheduledJob('slow', { every: 100 }, async () => {
      running += 1;
      most = Math.max(most, running);
      await delay(200 + random() * 600);
      running -= 1;
      runs += 1;
    });

    await startTwice(slow);
    await until(() => runs >= 8);

    expect(most).toBe(1);
  });

  test('runs again when Redis was wiped', async () => {
    let runs = 0;
    const app = await start(scheduledJob('often', { every: 200 }, async () => void (runs += 1)));
    await until(() => runs > 0);

    await app.wipeRedis();
    const before = runs;

    await until(() => runs > before + 1);
  });

  test('is a job with its own options, too', async () => {
    const job = defineJob('close-day', { payload: z.object({}), timeoutMs: 60_000 });
    let id = '';
    const handler = handleJob(job, async (ctx: AnyContext, _input, run) => {
      id = run.id;
      await ctx.models.Board.create([{ title: 'closed' }]);
    });

    const app = await start(handler, schedule(job, { every: HOUR }));
    await until(() => id !== '');
    await app.settled();

    expect(await app.context().findRun(job, id)).toMatchObject({ state: 'DONE' });
    expect((await app.runtime().jobs.operations.listQueues()).map(({ name }) => name)).toEqual(['close-day']);
    expect(await app.context().models.Board.countDocuments({ title: 'closed' })).toBe(1);
  });

  test('leaves no schedule behind that an earlier version had in Redis', async () => {
    const app = await start(scheduledJob('present', { every: HOUR }, async () => undefined));
    const queue = app.host.queues.queue('boards-jobs');

    await queue.upsertJobScheduler('past', { every: HOUR }, { name: 'past', opts: { removeOnComplete: true } });

    await until(async () => (await queue.getJobSchedulers()).length === 0);
    expect(await app.runtime().db.collection('deadLetters').countDocuments()).toBe(0);
  });

  test('is not held up by a long one of the same subgraph', async () => {
    let ticks = 0;
    let heldUp: boolean | undefined;
    const long = scheduledJob('long', { every: HOUR }, async () => {
      const before = ticks;
      await until(() => ticks >= before + 3).catch(() => undefined);
      heldUp = ticks < before + 3;
    });
    const short = scheduledJob('short', { every: 500 }, async () => void (ticks += 1));

    await start(long, short);
    await until(() => heldUp !== undefined, 30_000);

    expect(heldUp).toBe(false);
  }, 40_000);

  test('keeps its lease as long as it runs', async () => {
    let end: (() => void) | undefined;
    const long = scheduledJob('long', { every: HOUR }, () => new Promise<void>((resolve) => (end ??= resolve)));
    const app = await start(long);
    const leases = app.runtime().db.collection<{ _id: string; until: Date; token: number }>('leases');
    await until(() => end !== undefined);
    const before = (await leases.findOne({ _id: 'job long' }))!;

    await until(async () => (await leases.findOne({ _id: 'job long', until: { $gt: before.until } })) !== null);

    expect(await leases.findOne({ _id: 'job long' })).toMatchObject({ token: before.token });
    end!();
    await until(async () => (await leases.findOne({ _id: 'job long', until: { $lte: new Date() } })) !== null);
  });

  test('that lost its lease is told, reads nothing more and commits nothing', async () => {
    const outcome = { commit: '', models: '' };
    let begun: AnyContext | undefined;
    const robbed = scheduledJob('robbed', { every: HOUR }, async (ctx: AnyContext, { signal }) => {
      if (begun) return;
      begun = ctx;
      const board = { _id: 'brd_robbed', title: 'written without a lease' };
      const committing = ctx.transaction(async (inner) => {
        await inner.models.Board.create([board]);
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
      });
      outcome.commit = await codeOf(() => committing);
      outcome.models = await codeOf(() => ctx.models.Board.findById(board._id));
    });
    const app = await start(robbed);
    await until(() => begun !== undefined);

    const lease = { owner: 'another', token: 99, until: new Date(Date.now() + 60_000) };
    await app.runtime().db.collection<{ _id: string }>('leases').updateOne({ _id: 'job robbed' }, { $set: lease });
    await until(() => outcome.models !== '');

    expect(outcome).toEqual({ commit: 'TIMEOUT', models: 'TIMEOUT' });
    expect(await app.runtime().db.collection<{ _id: string }>('boards').findOne({ _id: 'brd_robbed' })).toBeNull();
  });
});

describe('a scheduled job that fails', () => {
  const letters = '{ deadLetters(subgraph: "boards") { id code type queue from attempts } }';
  const retry = 'mutation ($id: ID!) { retryDeadLetter(input: { subgraph: "boards", id: $id }) { id userErrors { code } } }';

  test('is tried again before its next turn', async () => {
    let runs = 0;
    const fails = scheduledJob('fails', { every: 60_000 }, async () => {
      runs += 1;
      if (runs === 1) throw new Error('once');
    });

    const app = await start(fails);
    await until(() => runs > 1, 15_000);

    expect(runs).toBe(2);
    expect((await app.ask(letters)).data.deadLetters).toEqual([]);
  });

  test.each([
    ['as often as may be', () => new Error('each time'), { code: 'INTERNAL_SERVER_ERROR', attempts: 2 }],
    ['for good', () => new Problem('BROKEN', 'It will never work.'), { code: 'BROKEN', attempts: 1 }],
  ])('%s is kept as a dead letter, which admins see and can try again', async (_case, fault, facts) => {
    let isMended = false;
    let runs = 0;
    const fails = scheduledJob('fails', YEARLY, async () => {
      runs += 1;
      if (!isMended) throw fault();
    });
    fails.job.attempts = 2;
    const app = await start(fails);
    await app.runtime().jobs.operations.runSchedule('fails');
    const listed = async () => (await app.ask(letters)).data.deadLetters;

    await until(async () => (await listed()).length > 0);

    const id = 'boards-jobs fails';
    expect(await listed()).toEqual([{ id, type: 'fails', queue: 'boards-jobs', from: 'boards', ...facts }]);
    expect((await app.ask(retry, { id })).data.retryDeadLetter.userErrors).toEqual([{ code: 'RETRY_FAILED' }]);
    expect(await listed()).toHaveLength(1);
    isMended = true;
    expect((await app.ask(retry, { id })).data.retryDeadLetter).toEqual({ id, userErrors: [] });
    expect(await listed()).toEqual([]);
    expect(runs).toBe(facts.attempts + 2);
  });

  test('is not run beside a run that goes on when an admin tries it again', async () => {
    let end: () => void = () => undefined;
    let isMended = false;
    const fails = scheduledJob('fails', YEARLY, async () => {
      if (!isMended) throw new Problem('BROKEN', 'It will never work.');
      await new Promise<void>((resolve) => (end = resolve));
      end = () => undefined;
    });
    const app = await start(fails);
    const { runSchedule } = app.runtime().jobs.operations;
    await runSchedule('fails');
    await until(async () => (await app.ask(letters)).data.deadLetters.length > 0);
    isMended = true;
    const idle = end;
    await runSchedule('fails');
    await until(() => end !== idle);

    const { data } = await app.ask(retry, { id: 'boards-jobs fails' });
    end();

    expect(data.retryDeadLetter).toEqual({ id: null, userErrors: [{ code: 'JOB_RUNNING' }] });
  });

  test.each([
    [{ every: 500 }, 2],
    [{ every: 5_000 }, 3],
    [{ every: 60_000 }, 6],
    [{ every: HOUR }, 8],
    [{ cron: '0 3 * * *', tz: 'UTC' }, 8],
  ])('has as many tries as fit before its next turn: %j', (each, attempts) => {
    expect(attemptsOf(each)).toBe(attempts);
  });
});

describe('after more than 30 s', () => {
  const found = handleCommand(find, async () => ({ ok: true }));
  const change = (ctx: AnyContext) => ctx.transaction(async (inner) => inner.deadline > Date.now());

  test('a job can still call another subgraph and change something', async () => {
    let outcome: unknown[] | undefined;
    const long = scheduledJob('long', { every: HOUR }, (ctx: AnyContext) =>
      later(31_000, async () => {
        outcome = [await codeOf(() => ctx.call(find, {})), await change(ctx)];
      }),
    );

    await start(found, long);
    await until(() => outcome !== undefined);

    expect(outcome).toEqual(['', true]);
  });

  test('the handler of an event can, too', async () => {
    let outcome: unknown[] | undefined;
    const noted = defineEvent('Thing.Changed', z.object({}));
    const slowly = (ctx: AnyContext): Promise<void> =>
      later(31_000, async () => {
        outcome = [await codeOf(() => ctx.call(find, {})), await change(ctx)];
      });
    const app = await start(found, onEvent(noted, slowly, { idempotent: true }));

    await app.context().transaction(async (inner) => inner.publish(noted({})));
    await until(() => outcome !== undefined);

    expect(outcome).toEqual(['', true]);
  });
});

async function codeOf(work: () => unknown): Promise<string> {
  try {
    await work();
    return '';
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  }
}

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import type { Connection } from 'mongoose';
import { z } from 'zod';
import { defineJob, type ScheduleOptions } from '../kit/define-job.ts';
import { createLog } from '../base/log.ts';
import { subgraph } from '../testing/fixture-subgraph/subgraph.ts';
import { open, type TestApp } from '../testing/open.ts';
import { createSchedules, schedulesOf } from './schedules.ts';
import { createJobRuns, jobRunsOf, writeRun } from './store.ts';

/* Schedules with a clock of their own; each test has a database of its own. */

let app: TestApp;
beforeAll(async () => {
  app = await open({ ...subgraph, handlers: [] });
});
afterAll(() => app.close());

const DAILY = { cron: '0 2 * * *', tz: 'Africa/Lusaka' };
const check = async (): Promise<void> => undefined;

async function begin(options: ScheduleOptions = DAILY, at = '2026-06-01T12:00:00Z') {
  const db = app.host.client.useDb(`${app.runtime().db.name}_${randomUUID().slice(0, 8)}`, { useCache: false });
  await createJobRuns(db);
  let now = new Date(at);
  const rows = jobRunsOf(db);
  const process = (declared: ScheduleOptions | null = options) => createProcess(db, declared, () => now);
  return {
    db,
    process,
    set: (time: string) => void (now = new Date(time)),
    row: async () => (await schedulesOf(db).findOne({ _id: 'close-day' }))!,
    /** When the turns were that have a run. */
    turns: async () => (await rows.find().sort({ _id: 1 }).toArray()).map(({ _id }) => new Date(Number(_id.split('.')[1])).toISOString()),
    /** All runs have ended. */
    async end() {
      for (const { _id } of await rows.find().toArray()) await rows.updateOne({ _id }, { $set: { state: 'DONE', openKey: _id } });
    },
    [Symbol.asyncDispose]: async (): Promise<void> => {
      await db.dropDatabase();
    },
  };
}

function createProcess(db: Connection, options: ScheduleOptions | null, clock: () => Date) {
  const job = defineJob('close-day', { payload: z.object({}) });
  const declared = options ? [{ job, queue: 'close-day', options }] : [];
  const write = (run: Parameters<typeof writeRun>[1]) => writeRun(jobRunsOf(db), run);
  return createSchedules({ db, declared, log: createLog('test'), clock, now: clock, write, wake: async () => undefined });
}

describe('a schedule', () => {
  test('enqueues each turn once, over two processes at once', async () => {
    await using each = await begin({ every: 60_000 });
    const processes = [each.process(), each.process()];
    await Promise.all(processes.map(({ declare }) => declare(true)));

    for (const minute of [0, 1, 2, 3]) {
      each.set(`2026-06-01T12:0${minute}:00.010Z`);
      await Promise.all(processes.map(({ enqueueDue }) => enqueueDue(check)));
      await each.end();
    }

    expect(await each.turns()).toEqual([0, 1, 2, 3].map((minute) => `2026-06-01T12:0${minute}:00.000Z`));
  });

  test('skips a turn while the last run continues', async () => {
    await using each = await begin({ every: 60_000 });
    const { declare, enqueueDue } = each.process();
    await declare(true);

    for (const minute of [0, 1, 2]) {
      each.set(`2026-06-01T12:0${minute}:00Z`);
      await enqueueDue(check);
    }

    expect(await each.turns()).toHaveLength(1);
  });

  test.each([
    ['RUN_ONCE', ['2026-06-02T00:00:00.000Z', '2026-06-06T00:00:00.000Z']],
    ['SKIP', ['2026-06-06T00:00:00.000Z']],
  ] as const)('with the policy %s notices turns that it missed', async (missed, turns) => {
    await using each = await begin({ ...DAILY, missed });
    await each.process().declare(true);
    each.set('2026-06-05T07:00:00Z');
    const restarted = each.process();
    await restarted.declare(true);

    const next = await restarted.enqueueDue(check);
    await each.end();
    each.set('2026-06-06T00:00:00.500Z');
    await restarted.enqueueDue(check);

    expect(new Date(next)).toEqual(new Date('2026-06-06T00:00:00Z'));
    expect(await each.turns()).toEqual(turns);
    expect(await each.row()).toMatchObject({ missedCount: 1, lastMissedAt: new Date('2026-06-02T00:00:00Z') });
  });

  test('is right again after the clock was set back, and runs no turn twice', async () => {
    await using each = await begin(DAILY, '2026-06-02T00:00:00Z');
    const { declare, enqueueDue } = each.process();
    await declare(true);
    each.set('2026-06-03T00:00:00.100Z');
    await enqueueDue(check);
    await each.end();

    each.set('2026-06-02T23:59:00Z');
    await enqueueDue(check);
    expect((await each.row()).nextDueAt).toEqual(new Date('2026-06-04T00:00:00Z'));
    each.set('2026-01-01T00:00:00Z');
    await enqueueDue(check);

    expect((await each.row()).nextDueAt).toEqual(new Date('2026-01-02T00:00:00Z'));
    expect(await each.turns()).toEqual(['2026-06-03T00:00:00.000Z']);
  });

  test('that was paused or changed stays so when its process starts again, also with a change of the code', async () => {
    await using each = await begin();
    await each.process().declare(true);
    const changed = { cron: '0 5 * * *', tz: 'UTC' };
    await schedulesOf(each.db).updateOne({ _id: 'close-day' }, { $set: { schedule: changed, isChanged: true, paused: true } });

    const next = each.process({ cron: '0 3 * * *', tz: 'Africa/Lusaka', missed: 'SKIP' });
    await next.declare(true);
    each.set('2026-06-03T12:00:00Z');
    await next.enqueueDue(check);

    expect(await each.row()).toMatchObject({ schedule: changed, paused: true, missedCount: 0, declared: { cron: '0 3 * * *' } });
    expect(await each.turns()).toEqual([]);
  });

  test('follows a change of the code', async () => {
    await using each = await begin();
    await each.process().declare(true);

    await each.process({ cron: '0 3 * * *', tz: 'UTC' }).declare(true);

    expect(await each.row()).toMatchObject({ schedule: { cron: '0 3 * * *', tz: 'UTC' }, nextDueAt: new Date('2026-06-02T03:00:00Z') });
  });

  test('is removed when no process has declared it for five minutes, and not while an older one does', async () => {
    await using each = await begin();
    const [old, next] = [each.process(), each.process(null)];
    await old.declare(true);
    each.set('2026-06-01T12:04:00Z');
    await next.removeGone();
    expect(await each.row()).not.toBeNull();

    each.set('2026-06-01T12:06:00Z');
    await next.removeGone();

    expect(await each.row()).toBeNull();
  });
});

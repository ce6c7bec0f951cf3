import type { Connection } from 'mongoose';
import type { Logger } from 'pino';
import { newId } from '../base/ids.ts';
import type { AnyJob, MissedPolicy, Schedule, ScheduleOptions } from '../kit/define-job.ts';
import { isDuplicateKey } from '../store/mongo.ts';
import { faultOf, nextTurn } from './next-turn.ts';
import { newRun, type JobRunRow } from './store.ts';

/** The schedule of one job: as the code declares it, and as an admin has changed it. */
export interface ScheduleRow {
  /** Name of the job. */
  _id: string;
  queue: string;
  schedule: Schedule;
  missed: MissedPolicy;
  /** Of the code, to see when that changes. */
  declared: ScheduleOptions;
  nextDueAt: Date;
  lastDueAt?: Date;
  paused: boolean;
  /** Set when an admin has changed the schedule: a deploy leaves it as it is. */
  isChanged: boolean;
  changedBy?: string;
  changedAt?: Date;
  /** Turns that passed without a run, because no process ran or Redis was away. */
  missedCount: number;
  lastMissedAt?: Date;
  /** When a process whose code has this schedule was last seen. */
  seenAt: Date;
}

export const schedulesOf = (db: Connection) => db.collection<ScheduleRow>('schedules');

export interface DeclaredSchedule {
  job: AnyJob;
  queue: string;
  options: ScheduleOptions;
}

interface SchedulesOptions {
  db: Connection;
  declared: readonly DeclaredSchedule[];
  log: Logger;
  /** The wall clock: turns are of the real day, also while a test moves the domain's clock. */
  clock(): Date;
  /** The domain's clock, for the rows of runs. */
  now(): Date;
  /** Writes a run; false when it is there, or an unfinished one has its key. */
  write(run: JobRunRow): Promise<boolean>;
  wake(runs: JobRunRow[]): Promise<void>;
}

/** A turn that is later than this was missed. */
const LATE_MS = 60_000;
const SEEN_MS = 60_000;
/** A schedule that no process has declared for so long was removed from the code. */
const GONE_MS = 5 * 60_000;

const scheduleKey = (job: string): string => `${job} schedule`;

/**
 * The schedules of one subgraph, as rows: nothing of them is in Redis. `declare` runs in each process; `enqueueDue` under a lease, but it is
 * also right when two processes do it at once, since the id of a run names its turn.
 */
export function createSchedules({ db, declared, log, clock, now, write, wake }: SchedulesOptions) {
  const rows = schedulesOf(db);
  const byJob = new Map(declared.map((each) => [each.job.type, each]));
  let seenAt = Number.NEGATIVE_INFINITY;

  for (const { job, options } of declared) {
    const fault = faultOf(options);
    if (fault) throw new Error(`The schedule of ${job.type}: ${fault}`);
  }

  /** Adds schedules of the code, and says that they are still in it. At a start also brings changes of the code. */
  async function declare(isStart: boolean): Promise<void> {
    if (!isStart && performance.now() - seenAt < SEEN_MS) return;
    seenAt = performance.now();
    for (const { job, queue, options } of declared) {
      const { missed = 'RUN_ONCE', ...schedule } = options;
      const nextDueAt = 'every' in schedule ? clock() : nextTurn(schedule, clock());
      const fresh = { queue, schedule, missed, declared: options, nextDueAt, paused: false, isChanged: false, missedCount: 0 };
      try {
        await rows.updateOne({ _id: job.type }, { $set: { seenAt: clock() }, $setOnInsert: fresh }, { upsert: true });
      } catch (error) {
        if (!isDuplicateKey(error)) throw error; // Another process was faster.
      }
      if (isStart) await bring(job.type, { queue, schedule, missed, declared: options });
    }
  }

  /** A change of the code; an admin's change stays. */
  async function bring(_id: string, code: Pick<ScheduleRow, 'queue' | 'schedule' | 'missed' | 'declared'>): Promise<void> {
    const row = await rows.findOne({ _id });
    if (!row || JSON.stringify([row.declared, row.queue]) === JSON.stringify([code.declared, code.queue])) return;
    const { schedule, missed, ...rest } = code;
    const effective = row.isChanged ? rest : { ...rest, schedule, missed, nextDueAt: nextTurn(schedule, clock()) };
    await rows.updateOne({ _id }, { $set: effective });
  }

  async function removeGone(): Promise<void> {
    const gone = new Date(clock().getTime() - GONE_MS);
    const { deletedCount } = await rows.deleteMany({ seenAt: { $lt: gone } });
    if (deletedCount > 0) log.info({ schedules: deletedCount }, 'jobs: schedules were removed that no process declares any more');
  }

  /** Enqueues what is due; returns when the next turn is, in ms of the wall clock. */
  async function enqueueDue(check: () => Promise<void>): Promise<number> {
    const all = await rows.find({}).toArray();
    const at = clock();
    let next = Number.POSITIVE_INFINITY;
    for (const row of all) {
      if (row.nextDueAt <= at) {
        await check();
        next = Math.min(next, await turn(row, at));
      } else {
        await correct(row, at);
        next = Math.min(next, row.nextDueAt.getTime());
      }
    }
    return next;
  }

  /** After the clock was set back, a turn that is further away than the one after the next is not waited for. */
  async function correct(row: ScheduleRow, at: Date): Promise<void> {
    const second = nextTurn(row.schedule, nextTurn(row.schedule, at));
    if (row.nextDueAt <= second) return;
    log.warn({ job: row._id, nextDueAt: row.nextDueAt }, 'jobs: the clock was set back; the next turn was computed again');
    await rows.updateOne({ _id: row._id, nextDueAt: row.nextDueAt }, { $set: { nextDueAt: nextTurn(row.schedule, at) } });
  }

  async function turn(row: ScheduleRow, at: Date): Promise<number> {
    const { _id, nextDueAt, paused, missed } = row;
    const isLate = at.getTime() - nextDueAt.getTime() > LATE_MS;
    if (!paused && !(isLate && missed === 'SKIP')) await enqueueTurn(row);
    // Regular turns keep their pace; late ones begin a new one.
    const from = 'every' in row.schedule && at.getTime() - nextDueAt.getTime() < row.schedule.every ? nextDueAt : at;
    const isMissed = isLate && !paused;
    if (isMissed) log.warn({ job: _id, dueAt: nextDueAt, policy: missed }, 'jobs: a turn of a schedule was missed');
    const next = nextTurn(row.schedule, from);
    await rows.updateOne(
      { _id, nextDueAt },
      {
        $set: { nextDueAt: next, lastDueAt: nextDueAt, ...(isMissed && { lastMissedAt: nextDueAt }) },
        ...(isMissed && { $inc: { missedCount: 1 } }),
      },
    );
    return next.getTime();
  }

  async function enqueueTurn({ _id, queue, nextDueAt }: ScheduleRow): Promise<void> {
    const run = runOf(_id, queue, { id: `job_${_id}.${nextDueAt.getTime()}`, trigger: 'SCHEDULE' });
    if (await write(run)) await wake([run]).catch(() => undefined); // The sweeper wakes it.
    else log.debug({ job: _id }, 'jobs: a turn was skipped: the last run continues');
  }

  /** A schedule may be of a newer or older version of the code: its job need not be known here. */
  function runOf(type: string, queue: string, { id, trigger }: { id: string; trigger: 'SCHEDULE' | 'ADMIN' }): JobRunRow {
    const facts = { id, runAt: now().toISOString(), priority: 'NORMAL' as const };
    const job = byJob.get(type)?.job ?? ({ type } as AnyJob);
    const run = newRun({ job, queue, input: {}, facts, trigger, correlationId: newId('job'), createdAt: now() });
    return { ...run, openKey: scheduleKey(type), exclusiveKey: type };
  }

  return { rows, declare, removeGone, enqueueDue, runOf };
}

export type Schedules = ReturnType<typeof createSchedules>;

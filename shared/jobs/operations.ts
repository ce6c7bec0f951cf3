import { setTimeout as delay } from 'node:timers/promises';
import type { Connection } from 'mongoose';
import { newId } from '../base/ids.ts';
import { invalid, notFound, Problem } from '../base/errors.ts';
import type { JobHandler, JobState, MissedPolicy, Schedule } from '../kit/define-job.ts';
import { JobStop } from '../kit/job-stop.ts';
import { deadLettersOf, type DeadLetter } from '../messaging/consumer.ts';
import type { Queues } from '../messaging/queues.ts';
import type { Ending } from './ending.ts';
import type { JobQueue } from './job-queues.ts';
import { faultOf, nextTurn } from './next-turn.ts';
import type { ScheduleRow, Schedules } from './schedules.ts';
import { newRun, wakeAfter, writeRun, type JobRunRow, type JobRuns } from './store.ts';
import { wakeId } from './wake.ts';

interface OperationsOptions {
  subgraph: string;
  db: Connection;
  rows: JobRuns;
  handlers: ReadonlyMap<string, JobHandler>;
  schedules: Schedules;
  queues: Queues;
  jobQueues: readonly JobQueue[];
  ending: Ending;
  holder: string;
  clock(): Date;
  now(): Date;
  wake(runs: JobRunRow[]): Promise<void>;
}

export interface RunFilter {
  job?: string | undefined;
  queue?: string | undefined;
  state?: JobState | undefined;
  /** Only runs that were enqueued before. */
  before?: Date | undefined;
  limit: number;
}

export interface QueueState {
  name: string;
  /** Runs that may start now, and those that wait for a time. */
  waiting: number;
  delayed: number;
  running: number;
  /** Of the oldest run that may start. */
  oldestAt: Date | null;
  /** Entries that workers have finished in the last whole minute. */
  perMinute: number;
  /** Runs that were given up and are in the history. */
  failed: number;
  concurrency: { perProcess: number; total: number | null };
}

/** A retry is waited for so long; after that it goes on by itself. */
const RETRY_WAIT_MS = 20_000;
const RETRY_POLL_MS = 50;
const JOB_RUNNING = () => new Problem('JOB_RUNNING', 'The job is running at the moment.', { path: ['input', 'id'], retryable: true });

/** The code is one of the job's subgraph, which the schema of the operations API need not know. */
const retryFailed = ({ code, message }: { code: string; message: string }) =>
  new Problem('RETRY_FAILED', `It failed again with ${code}: ${message}`, { path: ['input', 'id'] });

/** What an admin sees of the jobs of one subgraph, and may do to them. */
export function createJobOperations(options: OperationsOptions) {
  const { subgraph, db, rows, handlers, schedules, queues, jobQueues, ending, holder, clock, now, wake } = options;
  const deadLetters = deadLettersOf(db);

  /** Newest first. */
  async function listRuns({ job, queue, state, before, limit }: RunFilter): Promise<JobRunRow[]> {
    const rest = { ...(state && { state }), ...(before && { createdAt: { $lt: before } }) };
    const read = (filter: object): Promise<JobRunRow[]> => rows.find(filter).sort({ createdAt: -1 }).limit(limit).toArray();
    if (job) return read({ job, ...(queue && { queue }), ...rest });
    if (!state && !queue) return read(rest);
    // Each queue and state has its own part of the index.
    const names = queue ? [queue] : jobQueues.map(({ name }) => name);
    const states: readonly (JobState | undefined)[] = state ? [state] : ['QUEUED', 'RUNNING', 'DONE', 'FAILED', 'CANCELLED'];
    const parts = await Promise.all(names.flatMap((name) => states.map((each) => read({ ...rest, queue: name, state: each! }))));
    return parts
      .flat()
      .sort((a, b) => b.createdAt.getTime() - a.createdAt.getTime())
      .slice(0, limit);
  }

  async function findRun(id: string): Promise<JobRunRow> {
    const row = await rows.findOne({ _id: id });
    if (!row) throw notFound('JobRun', id, ['input', 'id']);
    return row;
  }

  /** A queued run ends here and now, a running one as soon as its attempt hears of it. */
  async function cancel(id: string): Promise<JobRunRow> {
    const row = await findRun(id);
    if (row.state !== 'QUEUED' && row.state !== 'RUNNING')
      throw new Problem('JOB_NOT_OPEN', 'The run has ended already.', { path: ['input', 'id'] });
    // A queued one is claimed, so that no worker begins it.
    const claim = row.state === 'QUEUED' ? { state: 'RUNNING' as const, token: row.token + 1, holder } : {};
    const change = { ...claim, cancelledAt: now() };
    const { matchedCount } = await rows.updateOne({ _id: id, state: row.state, token: row.token }, { $set: change });
    if (matchedCount === 0) return cancel(id);
    if (row.state === 'QUEUED') {
      const removed = queues.queue(row.queue).remove(wakeId(row));
      await ending.failed({ ...row, ...change }, handlers.get(row.job), new JobStop('CANCELLED'));
      await removed.catch(() => undefined); // Its entry finds no queued run.
    }
    return findRun(id);
  }

  function handlerOf(job: string): JobHandler {
    const found = handlers.get(job);
    if (!found) throw new Problem('UNKNOWN_JOB', `${subgraph} has no job called ${job}.`, { path: ['input', 'job'] });
    return found;
  }

  async function runSchedule(job: string): Promise<JobRunRow> {
    const row = await findSchedule(job);
    const run = schedules.runOf(job, row.queue, { id: newId('job'), trigger: 'ADMIN' });
    if (!(await writeRun(rows, run))) throw JOB_RUNNING();
    await wake([run]);
    return run;
  }

  async function findSchedule(job: string): Promise<ScheduleRow> {
    const row = await schedules.rows.findOne({ _id: job });
    if (!row) throw notFound('ScheduledJob', job, ['input', 'job']);
    return row;
  }

  async function pause(job: string, paused: boolean, by: string): Promise<ScheduleRow> {
    const row = await findSchedule(job);
    // Turns of the pause are no missed ones.
    const next = paused || !row.paused ? {} : { nextDueAt: nextTurn(row.schedule, clock()) };
    await schedules.rows.updateOne({ _id: job }, { $set: { paused, changedBy: by, changedAt: now(), ...next } });
    return findSchedule(job);
  }

  /** Without a schedule: that of the code again. */
  async function change(job: string, wanted: { schedule: Schedule | null; missed?: MissedPolicy }, by: string): Promise<ScheduleRow> {
    const row = await findSchedule(job);
    const fault = wanted.schedule && faultOf(wanted.schedule);
    if (fault) throw invalid(['input', 'cron' in wanted.schedule! ? 'cron' : 'everySeconds'], fault);
    const { missed: declaredMissed = 'RUN_ONCE', ...declared } = row.declared;
    const schedule: Schedule = wanted.schedule ?? declared;
    const missed = wanted.schedule ? (wanted.missed ?? row.missed) : declaredMissed;
    const facts = { schedule, missed, isChanged: wanted.schedule !== null, nextDueAt: nextTurn(schedule, clock()) };
    await schedules.rows.updateOne({ _id: job }, { $set: { ...facts, changedBy: by, changedAt: now() } });
    return findSchedule(job);
  }

  /** Runs a given-up run once more and waits for its end for a while. Throws what it fails with. False: it is not this subgraph's. */
  async function retryLetter(id: string): Promise<boolean> {
    const letter = await deadLetters.findOne({ _id: id });
    if (!letter || !handlers.has(letter.envelope.type)) return false;
    const run = await runAgain(letter);
    await wake([run]);
    await untilEnded(run._id);
    return true;
  }

  async function runAgain(letter: DeadLetter): Promise<JobRunRow> {
    const { type: job, id, data, correlationId } = letter.envelope;
    const handler = handlerOf(job);
    const isScheduled = letter._id === `${letter.queue} ${job}`;
    const old = isScheduled ? null : await rows.findOne({ _id: id });
    if (old && old.state !== 'FAILED') throw JOB_RUNNING();
    const facts = { id, runAt: now().toISOString(), priority: 'HIGH' as const };
    // One attempt, whose error the admin reads.
    const again = { failures: handler.job.attempts - 1, letterId: letter._id };
    if (!old) {
      const fresh = isScheduled
        ? schedules.runOf(job, letter.queue, { id: newId('job'), trigger: 'ADMIN' })
        : newRun({ job: handler.job, queue: letter.queue, input: data, facts, trigger: 'ENQUEUED', correlationId, createdAt: now() });
      const run = { ...fresh, ...again };
      if (!(await writeRun(rows, run))) throw JOB_RUNNING();
      return run;
    }
    const change = {
      ...again,
      state: 'QUEUED' as const,
      priority: 'HIGH' as const,
      runAt: now(),
      wakeAt: wakeAfter(now(), 0),
      wakes: 0,
      lost: 0,
    };
    const { matchedCount } = await rows.updateOne(
      { _id: id, state: 'FAILED' },
      { $set: change, $unset: { finishedAt: true, removeAt: true } },
    );
    if (matchedCount === 0) throw JOB_RUNNING();
    return { ...old, ...change };
  }

  async function untilEnded(id: string): Promise<void> {
    for (const end = performance.now() + RETRY_WAIT_MS; performance.now() < end; await delay(RETRY_POLL_MS)) {
      const row = await rows.findOne({ _id: id });
      if (row?.state === 'FAILED') throw retryFailed(row.error!);
      if (row?.state !== 'QUEUED' && row?.state !== 'RUNNING') return;
    }
  }

  async function stateOf({ name, perProcess, total }: JobQueue): Promise<QueueState> {
    const queue = queues.queue(name);
    const oldestOf = () => rows.find({ queue: name, state: 'QUEUED' }).sort({ createdAt: 1 }).limit(1).next();
    const [counts, oldest, failed, metrics] = await Promise.all([
      queue.getJobCounts('wait', 'prioritized', 'delayed', 'active'),
      oldestOf(),
      rows.countDocuments({ queue: name, state: 'FAILED' }),
      queue.getMetrics('completed', 0, 0),
    ]);
    return {
      name,
      waiting: (counts['wait'] ?? 0) + (counts['prioritized'] ?? 0),
      delayed: counts['delayed'] ?? 0,
      running: counts['active'] ?? 0,
      oldestAt: oldest && oldest.runAt <= now() ? oldest.createdAt : null,
      perMinute: Number(metrics.data[0] ?? 0),
      failed,
      concurrency: { perProcess, total: total ?? null },
    };
  }

  return {
    listRuns,
    findRun,
    cancel,
    retryLetter,
    runSchedule,
    pause,
    change,
    listSchedules: (): Promise<ScheduleRow[]> => schedules.rows.find({}).sort({ _id: 1 }).toArray(),
    listQueues: (): Promise<QueueState[]> => Promise.all(jobQueues.map(stateOf)),
  };
}

export type JobOperations = ReturnType<typeof createJobOperations>;

import type { Redis } from 'ioredis';
import type { ClientSession, Connection } from 'mongoose';
import type { Logger } from 'pino';
import { notFound } from '../base/errors.ts';
import type { AnyContext } from '../kit/context.ts';
import type { EventDefinition, PublishedMessage } from '../kit/define-event.ts';
import type { EnqueueOptions, FoundRun, JobDefinition, JobHandler, JobMessage, JobSchedule } from '../kit/define-job.ts';
import { decryptFields } from '../kit/encrypted-fields.ts';
import { QUEUES_TOPIC } from '../kit/job-events.ts';
import type { Live } from '../live/live.ts';
import type { Delivery, Queues } from '../messaging/queues.ts';
import { createTerm, type Leases } from '../store/leases.ts';
import { createAttempts } from './attempts.ts';
import { createEnding } from './ending.ts';
import { jobQueuesOf, queueNameOf, setLimits } from './job-queues.ts';
import { createJobOperations } from './operations.ts';
import { createRunner } from './runner.ts';
import { createSchedules, type DeclaredSchedule } from './schedules.ts';
import { exclusiveKeyOf, factsOf, jobRunsOf, newRun, storedInput, writeRun, writeRuns, type JobRunRow } from './store.ts';
import { createSweeper } from './sweeper.ts';
import { wake as wakeQueues } from './wake.ts';

export interface JobsOptions {
  subgraph: string;
  handlers: readonly JobHandler[];
  schedules: readonly JobSchedule[];
  db: Connection;
  leases: Leases;
  queues: Queues;
  live: Live;
  redis: Redis;
  workerConnection: Redis;
  prefix: string;
  holder: string;
  log: Logger;
  now(): Date;
  /** The wall clock; a test of schedules has its own. */
  clock?: () => Date;
  contextFor(correlationId: string, limits?: { signal: AbortSignal; deadline: number }): AnyContext;
}

/** A job that an action has enqueued. */
export interface EnqueuedJob {
  message: JobMessage;
  facts: ReturnType<typeof factsOf>;
}

const SWEEP_MS = 5_000;
const LEASE_MS = 10_000;
const MIN_PAUSE_MS = 50;
const ANNOUNCE_MS = 1_000;
const DAY_MS = 24 * 3_600_000;
const HOUR_MS = 3_600_000;
/** A schedule keeps about so many of its runs, for an hour at least. */
const TURNS_KEPT = 100;

/** The jobs of one subgraph: takes them in, runs them, and keeps their history. */
export function createJobs(options: JobsOptions) {
  const { subgraph, db, leases, queues, redis, prefix, holder, log, now } = options;
  const clock = options.clock ?? (() => new Date());
  const rows = jobRunsOf(db);
  const handlers = new Map(options.handlers.map((handler) => [handler.job.type, handler]));
  if (handlers.size < options.handlers.length) throw new Error(`${subgraph} has two handlers of one job.`);
  const jobQueues = jobQueuesOf(subgraph, options.handlers);
  const declared = declaredSchedules(subgraph, options);
  const everyMs = new Map(declared.map(({ job, options: each }) => [job.type, 'every' in each ? each.every : DAY_MS]));

  const wake = (runs: readonly JobRunRow[]): Promise<void> => {
    for (const { queue } of runs) changed(queue);
    return wakeQueues(queues, runs, now());
  };
  const attempts = createAttempts({ rows, leases, holder });
  const ending = createEnding({ subgraph, db, rows, log, now, contextFor: options.contextFor, wake, keepMs });
  const schedules = createSchedules({ db, declared, log, clock, now, write: (run) => writeRun(rows, run), wake });
  const sweeper = createSweeper({ db, rows, holder, attempts, ending, handlers, now, wake });
  const runner = createRunner({ ...options, rows, handlers, attempts, ending, takeIn, onChange: changed });
  const operations = createJobOperations({ subgraph, db, rows, handlers, schedules, queues, jobQueues, ending, holder, clock, now, wake });
  const term = createTerm(leases, { name: 'jobs', holder, ttlMs: LEASE_MS });
  const epoch = `${prefix}:jobs-epoch:${subgraph}`;
  const changedQueues = new Set<string>();
  const timers: NodeJS.Timeout[] = [];
  let next: NodeJS.Timeout | undefined;
  let beating: Promise<unknown> = Promise.resolve();
  let sweptAt = Number.NEGATIVE_INFINITY;
  let stopped = false;

  function keepMs(row: JobRunRow): number {
    const longest = (handlers.get(row.job)?.job.keepDays ?? 7) * DAY_MS;
    const every = everyMs.get(row.job);
    return every === undefined ? longest : Math.min(longest, Math.max(TURNS_KEPT * every, HOUR_MS));
  }

  function changed(queue: string): void {
    changedQueues.add(queue);
  }

  /** Tells followers which queues have changed. */
  function announceChanges(): void {
    for (const queue of changedQueues)
      void options.live.publish(QUEUES_TOPIC, { payload: { data: { subgraph, queue } } }).catch(() => undefined);
    changedQueues.clear();
  }

  const runFor = ({ message: { job, input }, facts }: EnqueuedJob, correlationId: string): JobRunRow => {
    const made = { job, queue: queueNameOf(subgraph, job), input: storedInput({ job, input }), facts };
    const run = newRun({ ...made, trigger: 'ENQUEUED', correlationId, createdAt: now() });
    return { ...run, ...exclusiveKeyOf(job, input) };
  };

  /** A job of another subgraph: its row first, then the acknowledgement. */
  async function takeIn({ envelope, from }: Delivery): Promise<void> {
    const job = handlers.get(envelope.type)?.job;
    if (!job) throw new Error(`${subgraph} has no handler of the job ${envelope.type}`);
    const facts = envelope.job ?? { id: envelope.id, runAt: envelope.occurredAt, priority: 'NORMAL' as const };
    const made = { job, queue: queueNameOf(subgraph, job), input: envelope.data, facts, trigger: 'ENQUEUED' as const };
    const run = newRun({ ...made, correlationId: envelope.correlationId, createdAt: now() });
    const input = job.exclusive ? job.schema.safeParse(envelope.data) : undefined;
    const written = { ...run, ...(input?.success && exclusiveKeyOf(job, input.data)) };
    if (await writeRun(rows, written)) await wake([written]);
    await redis.sadd(`${prefix}:acks:${from}`, `${run.queue} ${envelope.id}`);
  }

  /** What only one process does. Returns when the next turn of a schedule is. */
  async function lead(check: () => Promise<void>, running: JobRunRow[] | undefined): Promise<number> {
    const due = await schedules.enqueueDue(check);
    if (!running) return due;
    if ((await redis.exists(epoch)) === 0) {
      await setLimits(queues, jobQueues);
      await sweeper.wakeAll();
      await redis.set(epoch, holder);
    }
    await sweeper.recoverOthers(running, check);
    await sweeper.wakeOverdue(check);
    await schedules.removeGone();
    return due;
  }

  /** Every 5 s, and when a turn of a schedule is due. */
  async function beat(): Promise<void> {
    let due = Number.POSITIVE_INFINITY;
    try {
      const isSweep = performance.now() - sweptAt >= SWEEP_MS;
      if (isSweep) sweptAt = performance.now();
      await schedules.declare(false);
      const running = isSweep ? await sweeper.running() : undefined;
      if (running) await sweeper.recoverOwn(running);
      await term.work(async (check) => void (due = await lead(check, running)));
    } catch (error) {
      if (!stopped) log.warn({ err: error }, 'jobs: schedules and lost runs could not be looked at; it will be tried again');
    }
    if (stopped) return;
    const pause = Math.min(Math.max(due - clock().getTime(), MIN_PAUSE_MS), SWEEP_MS);
    next = setTimeout(() => void (beating = beat()), pause);
  }

  return {
    operations,
    schedules,
    /** True when a job's handler is in this subgraph. */
    handles: (job: string): boolean => handlers.has(job),
    factsOf: (given: EnqueueOptions): ReturnType<typeof factsOf> => factsOf(given, now()),
    /** Writes own jobs in the running transaction; call `wake` after the commit. */
    write: (jobs: readonly EnqueuedJob[], correlationId: string, session: ClientSession): Promise<JobRunRow[]> =>
      writeRuns(
        rows,
        jobs.map((each) => runFor(each, correlationId)),
        session,
      ),
    wake,
    takeIn,
    async find<T, R>(job: JobDefinition<T, R>, id: string): Promise<FoundRun<T, R> | null> {
      const row = await rows.findOne({ _id: id });
      if (row?.job !== job.type) return null;
      const { state, createdAt, progress = null, error = null, finishedAt = null } = row;
      const input = decryptFields(job, row.input) as T;
      const result = (row.result ?? null) as R | null;
      return { id, state, input, progress, result, error, createdAt, finishedAt, isCancelling: row.cancelledAt !== undefined };
    },
    async cancel(job: JobDefinition, id: string): Promise<void> {
      if ((await operations.findRun(id)).job !== job.type) throw notFound('JobRun', id, ['input', 'id']);
      await operations.cancel(id);
    },
    /** Number of runs that are running, or due or soon due. */
    async pending(): Promise<number> {
      const soon = new Date(now().getTime() + SOON_MS);
      const queued = await rows.countDocuments({ state: 'QUEUED', runAt: { $lte: soon } });
      return queued + (await rows.countDocuments({ state: 'RUNNING' }));
    },
    /** Runs the action of a job once, beside its queue and its schedule; for tests. */
    async run(name: string): Promise<unknown> {
      const handler = handlers.get(name);
      if (!handler) throw new Error(`${subgraph} has no job called ${name}`);
      return runner.runNow(handler);
    },
    async start(): Promise<void> {
      if (handlers.size === 0) return;
      await setLimits(queues, jobQueues);
      runner.start(jobQueues);
      await schedules.declare(true);
      await sweeper.removeOldLeases().catch(() => undefined);
      timers.push(setInterval(announceChanges, ANNOUNCE_MS));
      beating = beat();
    },
    async close(): Promise<void> {
      stopped = true;
      clearTimeout(next);
      for (const timer of timers) clearInterval(timer);
      await beating;
      await runner.close();
      await attempts.close();
      await term.release().catch(() => undefined);
    },
  };
}

/** Retries that are so near are waited for by a test that waits for everything. */
const SOON_MS = 30_000;

export type Jobs = ReturnType<typeof createJobs>;

function declaredSchedules(subgraph: string, { handlers, schedules }: Pick<JobsOptions, 'handlers' | 'schedules'>): DeclaredSchedule[] {
  const own = handlers.flatMap(({ job, schedule }) => (schedule ? [{ job, options: schedule }] : []));
  const others = schedules.map(({ job, schedule }) => ({ job, options: schedule }));
  return [...own, ...others].map((each) => ({ ...each, queue: queueNameOf(subgraph, each.job) }));
}

/** A job that another subgraph handles leaves through the outbox. */
export const messageFor = ({ message: { job, input }, facts }: EnqueuedJob): PublishedMessage<any> => ({
  definition: job as unknown as EventDefinition<any>,
  data: input,
  job: facts,
});

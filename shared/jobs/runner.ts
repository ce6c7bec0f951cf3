import { setTimeout as delay } from 'node:timers/promises';
import { DelayedError, Worker, type Job } from 'bullmq';
import type { Redis } from 'ioredis';
import type { Logger } from 'pino';
import { newId } from '../base/ids.ts';
import { invalidateTags } from '../cache/cache-tags.ts';
import type { AnyContext } from '../kit/context.ts';
import { decryptFields } from '../kit/encrypted-fields.ts';
import type { JobHandler, JobProgress } from '../kit/define-job.ts';
import { jobTopic } from '../kit/job-events.ts';
import { JobStop } from '../kit/job-stop.ts';
import type { Live } from '../live/live.ts';
import type { Delivery, Queues } from '../messaging/queues.ts';
import { newHolderId } from '../store/lease-holder.ts';
import type { Leases } from '../store/leases.ts';
import { LEASE_MS, type Attempt, type Attempts, type HeldKey } from './attempts.ts';
import { LostRun, type Ending } from './ending.ts';
import type { JobQueue } from './job-queues.ts';
import type { JobRunRow, JobRuns } from './store.ts';
import type { Wake } from './wake.ts';

interface RunnerOptions {
  subgraph: string;
  rows: JobRuns;
  handlers: ReadonlyMap<string, JobHandler>;
  attempts: Attempts;
  ending: Ending;
  leases: Leases;
  queues: Queues;
  live: Live;
  redis: Redis;
  workerConnection: Redis;
  prefix: string;
  holder: string;
  log: Logger;
  now(): Date;
  contextFor(correlationId: string, limits: { signal: AbortSignal; deadline: number }): AnyContext;
  /** Takes a job that another subgraph has enqueued. */
  takeIn(delivery: Delivery): Promise<void>;
  onChange(queue: string): void;
}

/** After this long and one stalled check, the queue gives the entry of a dead worker to another one. The row's claim keeps the run single. */
const LOCK_MS = 10_000;
const STALLED_CHECK_MS = 5_000;
/** BullMQ gives up an entry after two killed workers; the row counts them itself. */
const STALLS_ALLOWED = 1_000_000;
/** An exclusive run asks again after this long. */
const EXCLUSIVE_PAUSE_MS = 500;
/** During a deploy another process may know the job. */
const UNKNOWN_PAUSE_MS = 5_000;
/** After its signal has fired an action is waited for this long; what it still does has no effect. */
const STOP_MS = 3_000;
const PROGRESS_MS = 250;
/** At a stop of the process, runs that are nearly done may finish. */
const FINISH_MS = 2_000;

/** Runs what the queues of one subgraph hand out. */
export function createRunner(options: RunnerOptions) {
  const { rows, handlers, attempts, ending, leases, queues, live, log, now } = options;
  const workers: Worker<Wake | Delivery>[] = [];
  const running = new Set<Promise<unknown>>();

  /** Looks at the run again after `ms`. */
  async function postpone(entry: Job, token: string | undefined, ms: number): Promise<never> {
    await entry.moveToDelayed(Date.now() + ms, token);
    throw new DelayedError();
  }

  async function take(entry: Job<Wake | Delivery>, token?: string): Promise<void> {
    // Schedules that an earlier version of this code left in Redis.
    if (entry.repeatJobKey) return void (await queues.queue(entry.queueName).removeJobScheduler(entry.repeatJobKey));
    if ('envelope' in entry.data) return options.takeIn(entry.data);
    const row = await rows.findOne({ _id: entry.data.runId });
    if (row?.state !== 'QUEUED') return;
    const early = row.runAt.getTime() - now().getTime();
    if (early > 0) return postpone(entry, token, early);
    const handler = handlers.get(row.job);
    if (!handler) {
      log.warn({ job: row.job, run: row._id }, 'jobs: no handler here has this name; another process may have it');
      return postpone(entry, token, UNKNOWN_PAUSE_MS);
    }
    const work = runAlone(row, handler);
    running.add(work);
    const isFree = await work.finally(() => running.delete(work));
    if (!isFree) return postpone(entry, token, EXCLUSIVE_PAUSE_MS);
  }

  /** Runs it under the lease of its key, if it has one; false while another run holds that. */
  async function runAlone(row: JobRunRow, handler: JobHandler): Promise<boolean> {
    if (row.exclusiveKey === undefined) {
      await claimAndRun(row, handler, undefined);
      return true;
    }
    const [name, holder] = [`job ${row.exclusiveKey}`, newHolderId()];
    const lease = await leases.acquire(name, holder, LEASE_MS);
    if (!lease) return false;
    const held = { name, holder, token: lease.token };
    try {
      await claimAndRun(row, handler, held);
    } finally {
      await leases.release(name, holder).catch(() => undefined); // It runs out by itself.
    }
    return true;
  }

  async function claimAndRun(before: JobRunRow, handler: JobHandler, held: HeldKey | undefined): Promise<void> {
    await attempts.ready();
    const change = { state: 'RUNNING' as const, token: before.token + 1, holder: options.holder, startedAt: now() };
    const mine = { _id: before._id, state: 'QUEUED' as const, token: before.token };
    // Visible to the check of orphans before it can find the row.
    const attempt = attempts.open({ ...before, ...change }, held, handler.job.timeoutMs);
    try {
      const { matchedCount } = await rows.updateOne(mine, { $set: change });
      if (matchedCount > 0) await runClaimed(attempt, handler);
    } finally {
      attempt.close();
      options.onChange(before.queue);
    }
  }

  async function runClaimed(attempt: Attempt, handler: JobHandler): Promise<void> {
    try {
      await untilStopped(perform(attempt, handler), attempt.signal);
    } catch (error) {
      // What an action throws after its signal is the signal's doing.
      const { reason } = attempt.signal;
      await ending.failed(attempt.row, handler, reason instanceof JobStop && !(error instanceof LostRun) ? reason : error);
    }
    if (handler.idempotent) await announce(attempt.row._id);
  }

  async function perform(attempt: Attempt, handler: JobHandler): Promise<void> {
    const { row, signal, held } = attempt;
    const { job, idempotent } = handler;
    const tags = job.tags(decryptFields(job, row.input));
    if (tags.length > 0) await invalidateTags(options.redis, options.prefix, tags);
    const ctx = options.contextFor(row.correlationId, { signal, deadline: Date.now() + job.timeoutMs });
    const progress = createProgress(attempt, idempotent);
    const run = { id: row._id, attempt: row.failures + 1, signal, token: held?.token ?? row.token, progress: progress.report };
    const outcome = (result: unknown) => ({ ...progress.last(), ...(result !== undefined && { result }) });
    if (idempotent) {
      const result = await handler.run(ctx, row.input, run);
      signal.throwIfAborted();
      return ending.done(row, outcome(result));
    }
    await ctx.transaction(async (inner) => ending.done(row, outcome(await handler.run(inner, row.input, run)), inner));
  }

  /** Progress of an action in a transaction is not written before its end: the write would conflict with the transaction. */
  function createProgress({ row, signal }: Attempt, isWritten: boolean) {
    let latest: JobProgress | undefined;
    let reportedAt = Number.NEGATIVE_INFINITY;
    return {
      last: () => (latest ? { progress: latest } : {}),
      async report(progress: JobProgress): Promise<void> {
        signal.throwIfAborted();
        latest = progress;
        if (!isWritten || performance.now() - reportedAt < PROGRESS_MS) return;
        reportedAt = performance.now();
        const mine = { _id: row._id, token: row.token, state: 'RUNNING' as const, cancelledAt: { $exists: false } };
        const { matchedCount } = await rows.updateOne(mine, { $set: { progress } });
        if (matchedCount === 0) await attempts.check(); // Lost or cancelled.
        signal.throwIfAborted();
        await announce(row._id);
      },
    };
  }

  /** Followers read the row. */
  const announce = (id: string): Promise<unknown> =>
    live.publish(jobTopic(id), { payload: { data: { subgraph: options.subgraph, runId: id } } }).catch(() => undefined);

  function startQueue({ name, perProcess }: JobQueue): Worker<Wake | Delivery> {
    const worker = new Worker<Wake | Delivery>(name, take, {
      connection: options.workerConnection,
      prefix: options.prefix,
      concurrency: perProcess,
      lockDuration: LOCK_MS,
      stalledInterval: STALLED_CHECK_MS,
      maxStalledCount: STALLS_ALLOWED,
      skipVersionCheck: true,
      metrics: { maxDataPoints: 60 },
    });
    worker.on('error', (error) => log.warn({ err: error, queue: name }, 'jobs: the queue cannot be read; it will be tried again'));
    return worker;
  }

  return {
    start(jobQueues: readonly JobQueue[]): void {
      workers.push(...jobQueues.map(startQueue));
    },
    /** Runs its action once, beside the queue and without a row; for tests. */
    async runNow(handler: JobHandler): Promise<unknown> {
      const { signal } = new AbortController();
      const ctx = options.contextFor(newId('job'), { signal, deadline: Number.POSITIVE_INFINITY });
      return handler.run(ctx, {}, { id: newId('job'), attempt: 1, signal, token: 0, progress: async () => undefined });
    },
    /** Runs that do not end soon go on in another process. */
    async close(): Promise<void> {
      const closing = Promise.all(workers.map((worker) => worker.close()));
      await Promise.race([Promise.allSettled(running), delay(FINISH_MS, undefined, { ref: false })]);
      attempts.stopAll('SHUTDOWN');
      await closing;
    },
  };
}

/** The work's outcome; after the signal has fired, its reason once the work has ended or was waited for long enough. */
async function untilStopped<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  work.catch(() => undefined);
  const ended = new AbortController();
  const stopped = new Promise<never>((_, reject) => {
    const stop = (): void =>
      void delay(STOP_MS, undefined, { signal: ended.signal, ref: false }).then(
        () => reject(signal.reason),
        () => undefined,
      );
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true, signal: ended.signal });
  });
  try {
    return await Promise.race([work, stopped]);
  } finally {
    ended.abort();
  }
}

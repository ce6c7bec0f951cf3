import { Worker, type Job } from 'bullmq';
import type { Redis } from 'ioredis';
import type { Connection } from 'mongoose';
import type { Logger } from 'pino';
import { deadLettersOf, isFinalFailure, messageOf } from './consumer.ts';
import type { AnyContext } from '../kit/context.ts';
import { isProblem, Problem } from '../base/errors.ts';
import { newId } from '../base/ids.ts';
import type { ScheduledJob, Schedule } from '../kit/define-job.ts';
import type { Lease, Leases } from '../store/leases.ts';
import { ownerName } from '../store/lease-holder.ts';
import { FIRST_JOB_RETRY_MS, type Queues } from './queues.ts';

interface JobsOptions {
  subgraph: string;
  jobs: ScheduledJob[];
  db: Connection;
  leases: Leases;
  queues: Queues;
  workerConnection: Redis;
  prefix: string;
  log: Logger;
  contextFor(correlationId: string, signal?: AbortSignal): AnyContext;
}

/** Shorter than the lock on the queue: the turn of a dead process finds the lease free when it is given to another one. */
const LEASE_MS = 10_000;
const RENEW_MS = 3_000;
const LOCK_MS = 60_000;
/** BullMQ gives up a job whose worker was killed twice; jobs are safe to repeat, so it never has to. */
const STALLS_ALLOWED = 1_000_000;
/** A wiped Redis has forgotten the schedules. */
const RESCHEDULE_MS = 5_000;
const FEWEST_ATTEMPTS = 2;
const MOST_ATTEMPTS = 8;

/** Runs the scheduled jobs of one subgraph. */
export function createJobs({ subgraph, jobs, db, leases, queues, workerConnection, prefix, log, contextFor }: JobsOptions) {
  const queue = `${subgraph}-jobs`;
  const letters = deadLettersOf(db);
  let worker: Worker | undefined;
  let rescheduling: NodeJS.Timeout | undefined;

  const find = (name: string): ScheduledJob | undefined => jobs.find((handler) => handler.name === name);

  /** False when another run of this job goes on, in whatever process. */
  async function runAlone(job: ScheduledJob, correlationId: string): Promise<boolean> {
    const lease = `job ${job.name}`;
    const owner = ownerName();
    const since = Date.now();
    const held = await leases.acquire(lease, owner, LEASE_MS);
    if (!held) return false;
    const renewal = renew(() => leases.acquire(lease, owner, LEASE_MS), { ...held, since });
    const { signal } = renewal;
    try {
      await job.run(contextFor(correlationId, signal), { signal, token: held.token });
      signal.throwIfAborted();
    } catch (error) {
      // No fault of the job, whatever it failed with: the next attempt finds the lease free, or a run that goes on.
      throw signal.aborted ? new Error(`${job.name} lost its lease`, { cause: error }) : error;
    } finally {
      await renewal.end();
      if (!signal.aborted) await leases.release(lease, owner).catch(() => undefined); // It runs out by itself.
    }
    return true;
  }

  async function keepAsDead(name: string, correlationId: string, error: unknown, attempts: number): Promise<void> {
    log.error({ err: error, job: name, attempts, correlationId }, 'a run of a job was given up');
    const at = new Date();
    const envelope = { id: correlationId, type: name, version: 1, occurredAt: at.toISOString(), correlationId, data: {} };
    const code = isProblem(error) ? error.code : 'INTERNAL_SERVER_ERROR';
    const row = { queue, from: subgraph, envelope, code, message: messageOf(error), attempts, at };
    await letters.updateOne({ _id: `${queue} ${name}` }, { $set: row }, { upsert: true });
  }

  async function takeTurn({ name, attemptsMade, opts }: Job): Promise<void> {
    const attempt = attemptsMade + 1;
    const isLast = attempt >= (opts.attempts ?? 1);
    const found = find(name);
    if (!found) return unknown(name, isLast);
    const correlationId = newId('job');
    try {
      if (!(await runAlone(found, correlationId))) log.debug({ job: name }, 'a turn was skipped: the last run still goes on');
    } catch (error) {
      if (!isLast && !isFinalFailure(error)) {
        log.warn({ err: error, job: name, attempt, correlationId }, 'a job failed; it will be tried again');
        throw error;
      }
      await keepAsDead(name, correlationId, error, attempt);
    }
  }

  /** While a deploy goes on, another process may know it; the schedule of a job that was renamed or removed would stay for ever. */
  async function unknown(name: string, isLast: boolean): Promise<void> {
    if (!isLast) throw new Error(`${subgraph} has no job called ${name}`);
    log.warn({ job: name }, 'a schedule was removed: no job has this name');
    await queues.unschedule(queue, name);
  }

  async function schedule(): Promise<void> {
    for (const each of jobs) await queues.schedule(queue, each.name, each.schedule, attemptsOf(each.schedule));
  }

  return {
    /** A run by hand beside those on schedule, for tests. */
    async run(name: string): Promise<unknown> {
      const found = find(name);
      if (!found) throw new Error(`${subgraph} has no job called ${name}`);
      return found.run(contextFor(newId('job')), { signal: new AbortController().signal, token: 0 });
    },
    /** Runs the job of a dead letter now; the letter leaves the list when that succeeds. */
    async retry(id: string): Promise<boolean> {
      const letter = await letters.findOne({ _id: id, queue });
      const found = letter && find(letter.envelope.type);
      if (!found) return false;
      if (!(await runAlone(found, newId('job'))))
        throw new Problem('JOB_RUNNING', 'The job is running at the moment.', { path: ['input', 'id'], retryable: true });
      await letters.deleteOne({ _id: id, at: letter.at });
      return true;
    },
    async start(): Promise<void> {
      if (jobs.length === 0) return;
      worker = new Worker(queue, takeTurn, {
        connection: workerConnection,
        prefix,
        // One for each job and one for the turns that are skipped: no job waits for another one.
        concurrency: jobs.length + 1,
        lockDuration: LOCK_MS,
        maxStalledCount: STALLS_ALLOWED,
        skipVersionCheck: true,
      });
      worker.on('error', (error) => log.warn({ err: error }, 'the job queue cannot be read; it will be tried again'));
      await schedule();
      rescheduling = setInterval(() => void schedule().catch(() => undefined), RESCHEDULE_MS);
    },
    async close(): Promise<void> {
      clearInterval(rescheduling);
      await worker?.close();
    },
  };
}

/** As many tries, with their pauses, as fit before the next turn. */
export function attemptsOf(schedule: Schedule): number {
  if (!('every' in schedule)) return MOST_ATTEMPTS;
  const fitting = 1 + Math.floor(Math.log2(schedule.every / FIRST_JOB_RETRY_MS + 1));
  return Math.min(Math.max(fitting, FEWEST_ATTEMPTS), MOST_ATTEMPTS);
}

interface Renewal {
  signal: AbortSignal;
  end(): Promise<void>;
}

/** Renews a lease while its run goes on. Aborts when the lease was lost, or when it ran out while the store did not answer. */
function renew(ask: () => Promise<Lease | undefined>, { token, since }: Lease & { since: number }): Renewal {
  const lost = new AbortController();
  let until = since + LEASE_MS;
  let asking = Promise.resolve();
  const timer = setInterval(() => {
    const now = Date.now();
    if (now >= until) return lost.abort();
    asking = ask().then(
      (lease) => (lease?.token === token ? void (until = now + LEASE_MS) : lost.abort()),
      () => undefined,
    );
  }, RENEW_MS);
  return {
    signal: lost.signal,
    async end() {
      clearInterval(timer);
      await asking;
    },
  };
}

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
import { newHolderId } from '../store/lease-holder.ts';
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

/** Shorter than the lock on the queue: when another process gets the turn of a dead one, the lease is free. */
const LEASE_MS = 10_000;
const RENEW_MS = 3_000;
const LOCK_MS = 60_000;
/** BullMQ gives up a job after two killed workers. Scheduled jobs are safe to repeat, so there is no reason to. */
const STALLS_ALLOWED = 1_000_000;
/** Restores the schedules after Redis was wiped. */
const RESCHEDULE_MS = 5_000;
const MIN_ATTEMPTS = 2;
const MAX_ATTEMPTS = 8;

/** Runs the scheduled jobs of one subgraph. */
export function createJobs({ subgraph, jobs, db, leases, queues, workerConnection, prefix, log, contextFor }: JobsOptions) {
  const queue = `${subgraph}-jobs`;
  const deadLetters = deadLettersOf(db);
  let worker: Worker | undefined;
  let rescheduling: NodeJS.Timeout | undefined;

  const find = (name: string): ScheduledJob | undefined => jobs.find((handler) => handler.name === name);

  /** False while another run of this job continues, in any process. */
  async function runAlone(job: ScheduledJob, correlationId: string): Promise<boolean> {
    const lease = `job ${job.name}`;
    const holder = newHolderId();
    const since = Date.now();
    const held = await leases.acquire(lease, holder, LEASE_MS);
    if (!held) return false;
    const renewal = renew(() => leases.acquire(lease, holder, LEASE_MS), { ...held, since });
    const { signal } = renewal;
    try {
      await job.run(contextFor(correlationId, signal), { signal, token: held.token });
      signal.throwIfAborted();
    } catch (error) {
      // The lost lease is the cause, not the job: the next attempt finds the lease free, or another run.
      throw signal.aborted ? new Error(`${job.name} lost its lease`, { cause: error }) : error;
    } finally {
      await renewal.end();
      if (!signal.aborted) await leases.release(lease, holder).catch(() => undefined); // It runs out by itself.
    }
    return true;
  }

  async function keepAsDead(name: string, correlationId: string, error: unknown, attempts: number): Promise<void> {
    log.error({ err: error, job: name, attempts, correlationId }, 'a scheduled job became a dead letter');
    const at = new Date();
    const envelope = { id: correlationId, type: name, version: 1, occurredAt: at.toISOString(), correlationId, data: {} };
    const code = isProblem(error) ? error.code : 'INTERNAL_SERVER_ERROR';
    const row = { queue, from: subgraph, envelope, code, message: messageOf(error), attempts, at };
    await deadLetters.updateOne({ _id: `${queue} ${name}` }, { $set: row }, { upsert: true });
  }

  async function runTurn({ name, attemptsMade, opts }: Job): Promise<void> {
    const attempt = attemptsMade + 1;
    const isLast = attempt >= (opts.attempts ?? 1);
    const found = find(name);
    if (!found) return unknown(name, isLast);
    const correlationId = newId('job');
    try {
      if (!(await runAlone(found, correlationId))) log.debug({ job: name }, 'a turn was skipped: the last run continues');
    } catch (error) {
      if (!isLast && !isFinalFailure(error)) {
        log.warn({ err: error, job: name, attempt, correlationId }, 'a job failed; it will be tried again');
        throw error;
      }
      await keepAsDead(name, correlationId, error, attempt);
    }
  }

  /** During a deploy another process may know the job. The schedule of a renamed or removed job is deleted on the last attempt. */
  async function unknown(name: string, isLast: boolean): Promise<void> {
    if (!isLast) throw new Error(`${subgraph} has no job called ${name}`);
    log.warn({ job: name }, 'a schedule was removed: no job has this name');
    await queues.unschedule(queue, name);
  }

  async function schedule(): Promise<void> {
    for (const each of jobs) await queues.schedule(queue, each.name, each.schedule, attemptsOf(each.schedule));
  }

  return {
    /** Runs a job now, beside its schedule; for tests. */
    async run(name: string): Promise<unknown> {
      const found = find(name);
      if (!found) throw new Error(`${subgraph} has no job called ${name}`);
      return found.run(contextFor(newId('job')), { signal: new AbortController().signal, token: 0 });
    },
    /** Runs the job of a dead letter now; deletes the dead letter when that succeeds. */
    async retry(id: string): Promise<boolean> {
      const letter = await deadLetters.findOne({ _id: id, queue });
      const found = letter && find(letter.envelope.type);
      if (!found) return false;
      if (!(await runAlone(found, newId('job'))))
        throw new Problem('JOB_RUNNING', 'The job is running at the moment.', { path: ['input', 'id'], retryable: true });
      await deadLetters.deleteOne({ _id: id, at: letter.at });
      return true;
    },
    async start(): Promise<void> {
      if (jobs.length === 0) return;
      worker = new Worker(queue, runTurn, {
        connection: workerConnection,
        prefix,
        // One per job and one for skipped turns: no job waits for another.
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

/** The attempts, with their pauses, that fit before the next turn. */
export function attemptsOf(schedule: Schedule): number {
  if (!('every' in schedule)) return MAX_ATTEMPTS;
  const fitting = 1 + Math.floor(Math.log2(schedule.every / FIRST_JOB_RETRY_MS + 1));
  return Math.min(Math.max(fitting, MIN_ATTEMPTS), MAX_ATTEMPTS);
}

interface Renewal {
  signal: AbortSignal;
  end(): Promise<void>;
}

/** Renews a lease during a run. Aborts when the lease was lost, or ran out while the store did not respond. */
function renew(acquire: () => Promise<Lease | undefined>, { token, since }: Lease & { since: number }): Renewal {
  const lost = new AbortController();
  let until = since + LEASE_MS;
  let asking = Promise.resolve();
  const timer = setInterval(() => {
    const now = Date.now();
    if (now >= until) return lost.abort();
    asking = acquire().then(
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

import { setTimeout as delay } from 'node:timers/promises';
import type { Connection } from 'mongoose';
import type { Logger } from 'pino';
import type { AnyContext } from '../kit/context.ts';
import { isProblem } from '../base/errors.ts';
import type { Backoff, JobHandler } from '../kit/define-job.ts';
import { jobFailed } from '../kit/job-events.ts';
import { JobStop } from '../kit/job-stop.ts';
import { deadLettersOf, isFinalFailure, messageOf } from '../messaging/consumer.ts';
import { wakeAfter, type JobRunRow, type JobRuns } from './store.ts';

interface EndingOptions {
  subgraph: string;
  db: Connection;
  rows: JobRuns;
  log: Logger;
  now(): Date;
  contextFor(correlationId: string): AnyContext;
  wake(runs: JobRunRow[]): Promise<void>;
  /** How long a finished run is kept. */
  keepMs(row: JobRunRow): number;
}

/** A process that ends during a run is no fault of the job, unless it is every time. */
const MAX_LOST = 10;
const INFORM_ATTEMPTS = 3;
const INFORM_PAUSE_MS = 500;

/** Of an attempt whose run belongs to another process, or has ended. */
export class LostRun extends Error {}

export type Ended = 'DONE' | 'FAILED' | 'CANCELLED';

/** The writes that end an attempt. Each names the token of its claim, so that an attempt that has lost its run changes nothing. */
export function createEnding({ subgraph, db, rows, log, now, contextFor, wake, keepMs }: EndingOptions) {
  const deadLetters = deadLettersOf(db);
  const ownedBy = ({ _id, token }: JobRunRow) => ({ _id, token, state: 'RUNNING' as const });

  const ended = (row: JobRunRow, state: Ended, facts: Partial<JobRunRow>) => ({
    $set: { ...facts, state, openKey: row._id, finishedAt: now(), removeAt: new Date(Date.now() + keepMs(row)) },
    $unset: { holder: true as const, cancelledAt: true as const },
  });

  /** Throws LostRun when the run is not this attempt's. With the context of a transaction, as part of it. */
  async function done(row: JobRunRow, facts: Pick<JobRunRow, 'result' | 'progress'>, ctx?: AnyContext): Promise<void> {
    const options = ctx ? { session: ctx.session! } : {};
    const { matchedCount } = await rows.updateOne(ownedBy(row), ended(row, 'DONE', facts), options);
    if (matchedCount === 0) throw new LostRun(`The run ${row._id} is not this attempt's any more.`);
    if (row.letterId) await deadLetters.deleteOne({ _id: row.letterId }, options);
  }

  /** Back on the queue, after `pauseMs`. */
  async function requeue(row: JobRunRow, pauseMs: number, counts: Partial<Pick<JobRunRow, 'failures' | 'lost' | 'error'>>): Promise<void> {
    const runAt = new Date(now().getTime() + pauseMs);
    const change = { ...counts, state: 'QUEUED' as const, runAt, wakeAt: wakeAfter(runAt, 0), wakes: 0 };
    const { matchedCount } = await rows.updateOne(ownedBy(row), { $set: change, $unset: { holder: true } });
    if (matchedCount > 0) await wake([{ ...row, ...change }]).catch(() => undefined); // The sweeper wakes it.
  }

  async function end(row: JobRunRow, handler: JobHandler | undefined, state: 'FAILED' | 'CANCELLED', error: unknown): Promise<void> {
    const facts = { failures: row.failures, error: errorOf(error) };
    await contextFor(row.correlationId).transaction(async (ctx) => {
      const { matchedCount } = await rows.updateOne(ownedBy(row), ended(row, state, facts), { session: ctx.session! });
      if (matchedCount === 0) return;
      if (state === 'FAILED') await keepAsDead(ctx, row, error);
      if (handler?.giveUp) await handler.giveUp(ctx, row.input, error);
    });
  }

  async function keepAsDead(ctx: AnyContext, row: JobRunRow, error: unknown): Promise<void> {
    const at = new Date();
    const envelope = {
      id: row._id,
      type: row.job,
      version: 1,
      occurredAt: at.toISOString(),
      correlationId: row.correlationId,
      data: row.input,
    };
    const letter = { queue: row.queue, from: subgraph, envelope, ...errorOf(error), attempts: row.failures, at };
    await deadLetters.updateOne({ _id: letterIdOf(row) }, { $set: letter }, { upsert: true, session: ctx.session! });
    const { job, queue, _id: runId, failures: attempts } = row;
    const timestamp = ctx.now().toISOString();
    ctx.publish(jobFailed({ subgraph, job, queue, runId, deadLetterId: letterIdOf(row), code: errorOf(error).code, attempts, timestamp }));
  }

  /** Ends the run. When its `onGivenUp` fails again and again, the run ends without it. */
  async function giveUp(row: JobRunRow, handler: JobHandler | undefined, state: 'FAILED' | 'CANCELLED', error: unknown): Promise<void> {
    const facts = { err: error, job: row.job, run: row._id, attempts: row.failures, correlationId: row.correlationId };
    if (state === 'FAILED') log.error(facts, 'jobs: a run was given up and is a dead letter');
    else log.info(facts, 'jobs: a run was cancelled');
    for (let attempt = 1; attempt <= INFORM_ATTEMPTS; attempt += 1) {
      try {
        return await end(row, handler, state, error);
      } catch (failure) {
        log.error({ err: failure, job: row.job, run: row._id }, 'jobs: onGivenUp failed');
        await delay(INFORM_PAUSE_MS * attempt);
      }
    }
    await end(row, undefined, state, error);
  }

  /** Without a handler: of a cancelled run only. */
  async function failed(row: JobRunRow, handler: JobHandler | undefined, error: unknown): Promise<void> {
    const reason = error instanceof JobStop ? error.reason : undefined;
    if (reason === 'LOST' || error instanceof LostRun) return log.warn({ job: row.job, run: row._id }, 'jobs: an attempt has lost its run');
    if (reason === 'SHUTDOWN') return requeue(row, 0, {});
    if (reason === 'CANCELLED') return giveUp(row, handler, 'CANCELLED', error);
    const failures = row.failures + 1;
    const { attempts, backoff } = handler!.job;
    if (isFinalFailure(error) || failures >= attempts) return giveUp({ ...row, failures }, handler, 'FAILED', error);
    log.warn({ err: error, job: row.job, run: row._id, attempt: failures }, 'jobs: an attempt failed; it will be tried again');
    await requeue(row, pauseAfter(failures, backoff), { failures, error: errorOf(error) });
  }

  /** The process of the attempt has ended. */
  async function lost(row: JobRunRow, handler: JobHandler | undefined): Promise<void> {
    const count = row.lost + 1;
    if (row.cancelledAt) return giveUp(row, handler, 'CANCELLED', new JobStop('CANCELLED'));
    if (count < MAX_LOST) return requeue(row, 0, { lost: count });
    await giveUp({ ...row, lost: count }, handler, 'FAILED', new JobStop('CRASHED'));
  }

  return { done, failed, lost, requeue };
}

export type Ending = ReturnType<typeof createEnding>;

/** One dead letter for each enqueued run, and one for all runs of a schedule: the next turn does the work of the last one. */
export const letterIdOf = ({ queue, job, trigger, _id }: JobRunRow): string => `${queue} ${trigger === 'ENQUEUED' ? _id : job}`;

const errorOf = (error: unknown): { code: string; message: string } => ({
  code: isProblem(error) ? error.code : error instanceof JobStop ? error.reason : 'INTERNAL_SERVER_ERROR',
  message: messageOf(error),
});

/** Doubling, with up to half of it less, so that runs that failed together are not tried again together. */
function pauseAfter(failures: number, { firstMs, maxMs }: Backoff): number {
  const full = Math.min(firstMs * 2 ** Math.min(failures - 1, 30), maxMs);
  return full * (1 - Math.random() / 2);
}

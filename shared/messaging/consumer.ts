import { Worker, type Job } from 'bullmq';
import type { Redis } from 'ioredis';
import type { Connection } from 'mongoose';
import type { Logger } from 'pino';
import type { AnyContext } from '../kit/context.ts';
import { isProblem } from '../base/errors.ts';
import { newId } from '../base/ids.ts';
import type { BatchHandler } from '../kit/batch-handler.ts';
import type { Envelope, EventHandler } from '../kit/define-event.ts';
import { createBatcher } from './batcher.ts';
import { applyBatchOnce, applyOnce } from './event-effects.ts';
import { ATTEMPTS, type Delivery, type Queues } from './queues.ts';
import { createIndexes } from '../store/indexes.ts';
import { isAway } from '../store/mongo.ts';

/** A delivery, or a run of a scheduled job, that was given up and waits for an operator. */
export interface DeadLetter {
  _id: string;
  queue: string;
  from: string;
  envelope: Envelope;
  code: string;
  message: string;
  attempts: number;
  at: Date;
}

interface ConsumerOptions {
  queue: string;
  /** Handlers of single events, or one of batches. */
  handlers: EventHandler[] | BatchHandler;
  db: Connection;
  workerConnection: Redis;
  queues: Pick<Queues, 'endTurn' | 'addDeliveries'>;
  /** False: the worker does not read the queue; a test delivers. */
  autorun: boolean;
  prefix: string;
  log: Logger;
  contextFor(correlationId: string): AnyContext;
}

const CONCURRENCY = 8;
/** Events of one line that are handled before other keys get their turn. */
const LINE_AT_ONCE = 50;
/** An event with a key that failed so often, about two minutes, lets those behind it pass. */
const HOLDING_ATTEMPTS = 10;
/** After this long and one stalled check, another worker gets the delivery of a dead one. The inbox makes an early takeover safe. */
const LOCK_MS = 10_000;
const STALLED_CHECK_MS = 5_000;
/** BullMQ gives up a job after two killed workers. The inbox makes repetition safe, so there is no reason to. */
const STALLS_ALLOWED = 1_000_000;

export const deadLettersOf = (db: Connection) => db.collection<DeadLetter>('deadLetters');

export const createDeadLetters = (db: Connection): Promise<void> => createIndexes(db, 'deadLetters', [{ key: { at: -1 }, name: 'at' }]);

/** Reads one queue and gives each event its effect exactly once, however often it is delivered. */
export function createConsumer(options: ConsumerOptions) {
  const { queue, handlers, db, prefix, queues, log } = options;
  const deadLetters = deadLettersOf(db);
  const apply = 'kind' in handlers ? batchApply(handlers, options) : singleApply(handlers, options);

  async function keepAsDead({ envelope, from, to = queue }: Delivery, error: unknown, attempts: number): Promise<void> {
    const code = isProblem(error) ? error.code : 'INTERNAL_SERVER_ERROR';
    log.error(
      { err: error, queue, event: envelope.id, type: envelope.type, correlationId: envelope.correlationId },
      'an event was given up',
    );
    const row = { queue, from, envelope, code, message: messageOf(error), attempts, at: new Date() };
    await deadLetters.updateOne({ _id: `${to} ${envelope.id}` }, { $set: row }, { upsert: true });
  }

  async function giveUp(envelope: Envelope, error: unknown): Promise<void> {
    if ('kind' in handlers) return;
    const ctx = options.contextFor(envelope.correlationId);
    for (const { giveUp: onDeadLetter } of handlersFor(handlers, envelope))
      if (onDeadLetter) await ctx.transaction((inner) => onDeadLetter(inner, envelope.data, error));
  }

  /** Returns the next event of the same key, which has its turn now. */
  async function deliverOne(delivery: Delivery, attempt: number): Promise<Delivery | undefined> {
    try {
      await apply(delivery);
    } catch (error) {
      if (!isFinalFailure(error) && attempt < ATTEMPTS) {
        if (attempt >= HOLDING_ATTEMPTS && !isAway(error))
          await continueWith(await queues.endTurn(delivery, queue, { acknowledges: false }));
        throw error;
      }
      await keepAsDead(delivery, error, attempt);
      await giveUp(delivery.envelope, error);
    }
    return queues.endTurn(delivery, queue, { acknowledges: true });
  }

  const continueWith = async (next: Delivery | undefined): Promise<void> => {
    if (next) await queues.addDeliveries(queue, [next]);
  };

  /**
   * Handles a delivery, and then those that have waited for it: an event of a long line costs no turn on the queue. One that fails gets a job,
   * and its attempts with it.
   */
  async function deliver(delivery: Delivery, attempt: number): Promise<void> {
    let next = await deliverOne(delivery, attempt);
    for (let count = 0; next && count < LINE_AT_ONCE; count += 1) {
      const current: Delivery = next;
      try {
        next = await deliverOne(current, 1);
      } catch {
        return continueWith(current);
      }
    }
    await continueWith(next);
  }

  const worker = new Worker<Delivery>(queue, (job: Job<Delivery>) => deliver(job.data, job.attemptsMade + 1), {
    connection: options.workerConnection,
    prefix,
    autorun: options.autorun,
    concurrency: 'kind' in handlers ? handlers.max : CONCURRENCY,
    lockDuration: LOCK_MS,
    stalledInterval: STALLED_CHECK_MS,
    maxStalledCount: STALLS_ALLOWED,
    skipVersionCheck: true,
  });
  worker.on('error', (error) => log.warn({ err: error, queue }, 'the queue cannot be read; it will be tried again'));

  return {
    queue,
    deliver,
    /** Handles a dead letter again; deletes it when that succeeds. */
    async retry(id: string): Promise<boolean> {
      const letter = await deadLetters.findOne({ _id: id, queue });
      if (!letter) return false;
      await apply({ envelope: letter.envelope, from: letter.from, to: id.slice(0, id.lastIndexOf(' ')) });
      await deadLetters.deleteOne({ _id: id });
      return true;
    },
    close: (): Promise<void> => worker.close(),
  };
}

type Apply = (delivery: Delivery) => Promise<void>;

const handlersFor = (handlers: readonly EventHandler[], { type, version }: Envelope): EventHandler[] =>
  handlers.filter(({ event }) => event.type === type && event.version === version);

function singleApply(handlers: EventHandler[], { queue, contextFor }: ConsumerOptions): Apply {
  return ({ envelope, to = queue }) => applyOnce(contextFor(envelope.correlationId), envelope, handlersFor(handlers, envelope), to);
}

function batchApply(handler: BatchHandler, { queue, contextFor }: ConsumerOptions): Apply {
  const { max, waitMs, newestOnly, run } = handler;
  const batcher = createBatcher<Delivery>({
    max,
    waitMs,
    run(deliveries) {
      const consumers = new Map(deliveries.map(({ envelope, to = queue }) => [envelope, to]));
      const consumerOf = (envelope: Envelope): string => consumers.get(envelope)!;
      const ctx = contextFor(newId('batch'));
      return applyBatchOnce(ctx, [...consumers.keys()], { consumerOf, newestOnly, run });
    },
  });
  return batcher.add;
}

export type Consumer = ReturnType<typeof createConsumer>;

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error)).slice(0, 1_000);

/** True when another try would end alike. */
export const isFinalFailure = (error: unknown): boolean => (isProblem(error) && !error.retryable) || isMalformed(error);

const isMalformed = (error: unknown): boolean => error instanceof Error && error.name === 'ZodError';

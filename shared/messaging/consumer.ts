import { Worker, type Job } from 'bullmq';
import type { Redis } from 'ioredis';
import type { Connection } from 'mongoose';
import type { Logger } from 'pino';
import type { AnyContext } from '../kit/context.ts';
import { isProblem, Problem } from '../base/errors.ts';
import type { Envelope, EventHandler } from '../kit/define-event.ts';
import { ATTEMPTS, type Delivery } from './queues.ts';
import { createIndexes } from '../store/indexes.ts';
import { isDuplicateKey } from '../store/mongo.ts';

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

interface InboxRow {
  _id: string;
  at: Date;
}

interface ConsumerOptions {
  queue: string;
  handlers: EventHandler[];
  db: Connection;
  redis: Redis;
  workerConnection: Redis;
  /** False: the worker does not read the queue; a test delivers. */
  autorun: boolean;
  prefix: string;
  log: Logger;
  contextFor(envelope: Envelope): AnyContext;
}

const INBOX_KEPT_SECONDS = 30 * 24 * 3_600;
const CONCURRENCY = 8;
/** After this long and one stalled check, another worker gets the delivery of a dead one. The inbox makes an early takeover safe. */
const LOCK_MS = 10_000;
const STALLED_CHECK_MS = 5_000;
/** BullMQ gives up a job after two killed workers. The inbox makes repetition safe, so there is no reason to. */
const STALLS_ALLOWED = 1_000_000;

export const inboxOf = (db: Connection) => db.collection<InboxRow>('inbox');
export const deadLettersOf = (db: Connection) => db.collection<DeadLetter>('deadLetters');

export async function createInbox(db: Connection): Promise<void> {
  await createIndexes(db, 'inbox', [{ key: { at: 1 }, name: 'at', expireAfterSeconds: INBOX_KEPT_SECONDS }]);
  await createIndexes(db, 'deadLetters', [{ key: { at: -1 }, name: 'at' }]);
}

/** Reads one queue and gives each event its effect exactly once, however often it is delivered. */
export function createConsumer(options: ConsumerOptions) {
  const { queue, handlers, db, redis, prefix, log } = options;
  const inbox = inboxOf(db);
  const deadLetters = deadLettersOf(db);

  const handlersFor = ({ type, version }: Envelope): EventHandler[] =>
    handlers.filter(({ event }) => event.type === type && event.version === version);

  async function apply(envelope: Envelope): Promise<void> {
    const matching = handlersFor(envelope);
    if (matching.length === 0)
      throw new Problem('UNKNOWN_EVENT', `Nothing here subscribes to ${envelope.type} version ${envelope.version}.`);
    const ctx = options.contextFor(envelope);
    if (matching.every(({ idempotent }) => idempotent)) {
      for (const handler of matching) await handler.run(ctx, envelope.data, envelope);
      return;
    }
    // A second queue of this subgraph may carry the same event, so the key names both.
    const _id = `${queue} ${envelope.id}`;
    try {
      await ctx.transaction(async (inner) => {
        await inbox.insertOne({ _id, at: new Date() }, { session: inner.session! });
        for (const handler of matching) await handler.run(inner, envelope.data, envelope);
      });
    } catch (error) {
      // A duplicate of the inbox row means that the event was handled before. A duplicate key in the handler is a failure.
      if (!isDuplicateKey(error) || !(await inbox.findOne({ _id }))) throw error;
    }
  }

  async function keepAsDead({ envelope, from }: Delivery, error: unknown, attempts: number): Promise<void> {
    const code = isProblem(error) ? error.code : 'INTERNAL_SERVER_ERROR';
    log.error(
      { err: error, queue, event: envelope.id, type: envelope.type, correlationId: envelope.correlationId },
      'an event was given up',
    );
    const row = { queue, from, envelope, code, message: messageOf(error), attempts, at: new Date() };
    await deadLetters.updateOne({ _id: `${queue} ${envelope.id}` }, { $set: row }, { upsert: true });
  }

  async function giveUp(envelope: Envelope, error: unknown): Promise<void> {
    const ctx = options.contextFor(envelope);
    for (const { giveUp: onDeadLetter } of handlersFor(envelope))
      if (onDeadLetter) await ctx.transaction((inner) => onDeadLetter(inner, envelope.data, error));
  }

  async function deliver(delivery: Delivery, attempt: number): Promise<void> {
    try {
      await apply(delivery.envelope);
    } catch (error) {
      if (!isFinalFailure(error) && attempt < ATTEMPTS) throw error;
      await keepAsDead(delivery, error, attempt);
      await giveUp(delivery.envelope, error);
    }
    await redis.sadd(`${prefix}:acks:${delivery.from}`, `${queue} ${delivery.envelope.id}`);
  }

  const worker = new Worker<Delivery>(queue, (job: Job<Delivery>) => deliver(job.data, job.attemptsMade + 1), {
    connection: options.workerConnection,
    prefix,
    autorun: options.autorun,
    concurrency: CONCURRENCY,
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
      await apply(letter.envelope);
      await deadLetters.deleteOne({ _id: id });
      return true;
    },
    close: (): Promise<void> => worker.close(),
  };
}

export type Consumer = ReturnType<typeof createConsumer>;

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error)).slice(0, 1_000);

/** True when another try would end alike. */
export const isFinalFailure = (error: unknown): boolean => (isProblem(error) && !error.retryable) || isMalformed(error);

const isMalformed = (error: unknown): boolean => error instanceof Error && error.name === 'ZodError';

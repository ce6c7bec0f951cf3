import type { Redis } from 'ioredis';
import type { Connection } from 'mongoose';
import { invalidateTags } from '../cache/cache-tags.ts';
import type { Envelope } from '../kit/define-event.ts';
import type { Live } from '../live/live.ts';
import { inTransaction } from '../store/mongo.ts';
import type { Consumers } from './consumers.ts';
import { envelopeOf, outboxOf, type OutboxRow } from './outbox.ts';
import { changeOf, recheckUpdatesFor, updatesFor, type Check } from './outbox-writes.ts';
import type { Queues } from './queues.ts';
import { Wiped } from './redis-refill.ts';

interface SenderOptions {
  subgraph: string;
  db: Connection;
  redis: Redis;
  prefix: string;
  queues: Pick<Queues, 'add'>;
  live: Live;
  /** Key that marks the live topics as complete. */
  epoch: string;
}

interface SendOptions {
  consumers: Consumers;
  check: Check;
  published(rows: readonly OutboxRow[]): void;
}

/** A transaction is retried for this long after write conflicts. */
const WRITE_MS = 5_000;

/** Sends rows of an outbox to caches, live topics and queues, and records it. */
export function createSender({ subgraph, db, redis, prefix, queues, live, epoch }: SenderOptions) {
  const rows = outboxOf(db);

  /** Each topic in the order of the rows. Rows after a failed one count as unpublished; a repeated row keeps its cursor. */
  async function publish(batch: OutboxRow[]): Promise<{ cursors: Record<string, string>[]; count: number; failure: unknown }> {
    const cursors = batch.map((): Record<string, string> => ({}));
    const byTopic = new Map<string, number[]>();
    batch.forEach(({ topics }, index) => {
      for (const topic of topics) byTopic.set(topic, [...(byTopic.get(topic) ?? []), index]);
    });
    let count = batch.length;
    let failure: unknown;
    const fill = async (topic: string, indexes: number[]): Promise<void> => {
      for (const index of indexes) {
        if (index >= count) return;
        const row = batch[index]!;
        try {
          const cursor = await live.publishWhile(epoch, topic, { eventId: row._id, payload: envelopeOf(row) });
          if (cursor === undefined) throw new Wiped();
          cursors[index]![topic] = cursor;
        } catch (error) {
          if (index >= count) return;
          count = index;
          failure = error;
        }
      }
    };
    await Promise.all([...byTopic].map(([topic, indexes]) => fill(topic, indexes)));
    return { cursors, count, failure };
  }

  /** Several writes become durable together, at a fifth of the cost of single ones. */
  const write = (writes: ReturnType<typeof updatesFor>): Promise<unknown> =>
    writes.length === 1
      ? rows.bulkWrite(writes)
      : inTransaction(db, (session) => rows.bulkWrite(writes, { session }), Date.now() + WRITE_MS);

  async function enqueue(batch: readonly OutboxRow[], { isOrdered }: Consumers): Promise<void> {
    const names = new Set(batch.flatMap(({ waiting }) => waiting));
    const waitingFor = (name: string): Envelope[] => batch.filter(({ waiting }) => waiting.includes(name)).map(envelopeOf);
    const inOrder = (name: string) => (envelope: Envelope) => isOrdered(name, envelope.type, envelope.version);
    await Promise.all([...names].map((name) => queues.add(name, waitingFor(name), subgraph, inOrder(name))));
  }

  return {
    enqueue,
    /** Sends new rows. Calls `published` with those that have left, before a failure of the others is thrown. */
    async send(batch: OutboxRow[], { consumers, check, published }: SendOptions): Promise<void> {
      await check();
      const sorted = byKey(batch).map((row) => withConsumers(row, consumers));
      // First, so that a reader who learns of a change does not get the cached value before it.
      await invalidateTags(
        redis,
        prefix,
        sorted.flatMap(({ tags = [] }) => tags),
      );
      const { cursors, count, failure } = await publish(sorted);
      const done = sorted.slice(0, count);
      published(done);
      await check();
      await enqueue(done, consumers);
      if (done.length > 0) {
        await check();
        const at = Date.now();
        await write(updatesFor(done.map((row, index) => ({ _id: row._id, change: changeOf(row, cursors[index]!, at) }))));
      }
      if (failure !== undefined) throw failure;
    },
    /** Sends rows that are overdue again, to the consumers that have not acknowledged them and that still exist. */
    async resend(overdue: readonly OutboxRow[], { consumers, check }: Omit<SendOptions, 'published'>): Promise<void> {
      await check();
      const batch = overdue.map((row) => withoutForgotten(row, consumers));
      await enqueue(batch, consumers);
      await check();
      await rows.bulkWrite(recheckUpdatesFor(batch));
    },
  };
}

/** A job names its queue. An event goes to those who consume it now. */
const withConsumers = (row: OutboxRow, { consumersOf }: Consumers): OutboxRow =>
  row.isJob ? row : { ...row, waiting: [...new Set([...row.waiting, ...consumersOf(row.type, row.version)])] };

const withoutForgotten = (row: OutboxRow, { isForgotten }: Consumers): OutboxRow =>
  row.isJob ? row : { ...row, waiting: row.waiting.filter((name) => !isForgotten(name, row.type, row.version)) };

/** In their order, except that rows of one key are in the order of their sequence: ids of several processes follow several clocks. */
function byKey(batch: readonly OutboxRow[]): OutboxRow[] {
  const ofKey = Map.groupBy(
    batch.filter(({ key }) => key !== undefined),
    ({ key }) => key!,
  );
  for (const rows of ofKey.values()) rows.sort((a, b) => b.sequence! - a.sequence!);
  return batch.map((row) => (row.key === undefined ? row : ofKey.get(row.key)!.pop()!));
}

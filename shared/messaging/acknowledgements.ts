import type { Redis } from 'ioredis';
import type { Connection } from 'mongoose';
import { outboxOf } from './outbox.ts';
import type { Check } from './outbox-writes.ts';

interface AcknowledgementsOptions {
  db: Connection;
  redis: Redis;
  prefix: string;
  /** The subgraph whose events are acknowledged. */
  subgraph: string;
}

/** Set in Redis, in which consumers put what they have handled; a lost one is put there again after the next delivery. */
const keyOf = (prefix: string, subgraph: string): string => `${prefix}:acks:${subgraph}`;

/** The set and its entry that tell the producer of an event that this consumer has handled it. */
export const acknowledgementOf = (
  prefix: string,
  { from, consumer, id }: { from: string; consumer: string; id: string },
): [set: string, entry: string] => [keyOf(prefix, from), `${consumer} ${id}`];

/** Records in an outbox which consumers have handled its events. */
export function createAcknowledgements({ db, redis, prefix, subgraph }: AcknowledgementsOptions) {
  const rows = outboxOf(db);
  const key = keyOf(prefix, subgraph);

  /** One write, and a second one only for events that other consumers have to handle, or that are not SENT yet. */
  async function recordFor(consumer: string, ids: string[]): Promise<void> {
    const last = { _id: { $in: ids }, state: 'SENT' as const, waiting: [consumer] };
    const { matchedCount } = await rows.updateMany(last, { $set: { waiting: [], state: 'DONE', doneAt: new Date() } });
    if (matchedCount < ids.length) await rows.updateMany({ _id: { $in: ids }, waiting: consumer }, { $pull: { waiting: consumer } });
  }

  return {
    /** Records at most `size` of them; true when there may be more. */
    async record(size: number, check: Check): Promise<boolean> {
      await check();
      const taken = await redis.spop(key, size);
      if (taken.length === 0) return false;
      try {
        await check();
        for (const [consumer, ids] of groupByConsumer(taken)) await recordFor(consumer, ids);
      } catch (error) {
        await redis.sadd(key, ...taken).catch(() => undefined);
        throw error;
      }
      return taken.length === size;
    },
  };
}

/** An acknowledgement is `<consumer> <event id>`. */
function groupByConsumer(taken: string[]): Map<string, string[]> {
  const groups = new Map<string, string[]>();
  for (const entry of taken) {
    const space = entry.indexOf(' ');
    const consumer = entry.slice(0, space);
    const ids = groups.get(consumer);
    if (ids) ids.push(entry.slice(space + 1));
    else groups.set(consumer, [entry.slice(space + 1)]);
  }
  return groups;
}

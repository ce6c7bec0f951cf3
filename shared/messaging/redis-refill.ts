import type { Redis } from 'ioredis';
import type { Connection } from 'mongoose';
import { idsSince } from '../base/ids.ts';
import type { Live } from '../live/live.ts';
import { envelopeOf, outboxOf, type OutboxRow } from './outbox.ts';

/** How far back a wiped Redis is refilled. */
const RESTORED_MS = 24 * 3_600_000;
/** Rows were written in nearly the order in which they were sent; at this distance both sequences agree. */
const DISORDER = 1_000;
/** Entries whose answers are awaited together. */
const TOGETHER = 200;

/** Redis is empty and must be refilled first. */
export class Wiped extends Error {}

interface RefillOptions {
  db: Connection;
  redis: Redis;
  live: Live;
  /** Key that marks the refill as complete. */
  epoch: string;
  /** Key that marks a refill in progress. */
  filling: string;
  holder: string;
}

interface PastEntry {
  topic: string;
  cursor: string;
  row: OutboxRow;
}

/** Refills a wiped Redis with the sent events of an outbox. */
export function createRedisRefill({ db, redis, live, epoch, filling, holder }: RefillOptions) {
  const rows = outboxOf(db);

  const restoreOne = ({ topic, cursor, row }: PastEntry) =>
    live.restoreWhile(filling, topic, cursor, { eventId: row._id, payload: envelopeOf(row) });

  async function restoreTopics(check: () => Promise<void>): Promise<void> {
    // By id, which begins with its wall-clock time and has an index.
    const since = idsSince('evt', new Date(Date.now() - RESTORED_MS));
    const past = rows.find({ state: { $in: ['SENT', 'DONE'] }, _id: { $gte: since } }).sort({ _id: 1 });
    let entries: PastEntry[] = [];
    const restore = async (count: number): Promise<void> => {
      await check();
      entries.sort((a, b) => compareCursors(a.cursor, b.cursor));
      for (let at = 0; at < count; at += TOGETHER) {
        // One connection keeps the order in which they are sent.
        const sent = entries.slice(at, Math.min(at + TOGETHER, count)).map(restoreOne);
        if ((await Promise.all(sent)).includes(undefined)) throw new Wiped();
      }
      entries = entries.slice(count);
    };
    for await (const row of past) {
      for (const [topic, cursor] of Object.entries(row.cursors)) entries.push({ topic, cursor, row });
      if (entries.length >= 2 * DISORDER) await restore(DISORDER);
    }
    await restore(entries.length);
  }

  return {
    /** A missing mark in Redis means that all keys are gone. The mark is written last, when the refill is complete. */
    async refillAfterWipe(check: () => Promise<void>): Promise<void> {
      while ((await redis.exists(epoch)) === 0) {
        await check();
        await redis.set(filling, holder);
        await rows.updateMany({ state: 'SENT' }, { $set: { checkAt: new Date(0) } });
        try {
          await restoreTopics(check);
          await redis.rename(filling, epoch);
        } catch (error) {
          // Wiped again in the meantime: start over.
          if (!(error instanceof Wiped) && !isMissingKey(error)) throw error;
        }
      }
    },
  };
}

const isMissingKey = (error: unknown): boolean => error instanceof Error && error.message.includes('no such key');

function compareCursors(one: string, other: string): number {
  const [ms = 0, sequence = 0] = one.split('-').map(Number);
  const [otherMs = 0, otherSequence = 0] = other.split('-').map(Number);
  return ms - otherMs || sequence - otherSequence;
}

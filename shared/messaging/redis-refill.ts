import type { Redis } from 'ioredis';
import type { Connection } from 'mongoose';
import { idsSince } from '../base/ids.ts';
import type { Live } from '../live/live.ts';
import { envelopeOf, outboxOf, type OutboxRow } from './outbox.ts';

/** How much of the past a wiped Redis is filled with again. */
const RESTORED_MS = 24 * 3_600_000;
/** Rows were written in nearly the order in which they were sent; so many apart, both agree. */
const DISORDER = 1_000;
/** Entries whose answers are awaited together. */
const TOGETHER = 200;

/** Redis has lost everything: what was there comes first. */
export class Wiped extends Error {}

interface PastOptions {
  db: Connection;
  redis: Redis;
  live: Live;
  /** The mark that says that all is there. */
  epoch: string;
  /** The mark that says that it is being put back. */
  filling: string;
  owner: string;
}

interface PastEntry {
  topic: string;
  cursor: string;
  row: OutboxRow;
}

/** Puts back into a wiped Redis what an outbox had sent. */
export function createPast({ db, redis, live, epoch, filling, owner }: PastOptions) {
  const rows = outboxOf(db);

  const restoreOne = ({ topic, cursor, row }: PastEntry) =>
    live.restoreWhile(filling, topic, cursor, { eventId: row._id, payload: envelopeOf(row) });

  async function restoreTopics(check: () => Promise<void>): Promise<void> {
    // By id, which holds the wall clock of its making, as an index has it.
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
    /** Redis carries a mark; when it is gone, so is everything else that was there. It comes back last, when all the rest is there again. */
    async refillAfterWipe(check: () => Promise<void>): Promise<void> {
      while ((await redis.exists(epoch)) === 0) {
        await check();
        await redis.set(filling, owner);
        await rows.updateMany({ state: 'SENT' }, { $set: { checkAt: new Date(0) } });
        try {
          await restoreTopics(check);
          await redis.rename(filling, epoch);
        } catch (error) {
          // Wiped once more meanwhile: all begins again, and with nothing.
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

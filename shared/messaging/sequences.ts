import type { ClientSession, mongo } from 'mongoose';
import type { OutboxRow } from './outbox.ts';

/** Room for so many events of one key in one millisecond before their sequence runs ahead of the clock. */
const PER_MS = 1_000;

/**
 * The next sequence of each key. It follows the last one of the key that the transaction sees, and is not below the wall clock, so that it
 * goes on growing after the rows have reached the end of their retention. Two transactions on one aggregate conflict on the aggregate, so the
 * order of their sequences is the order of their commits, whatever the clocks of their processes.
 */
export async function nextSequences(
  rows: mongo.Collection<OutboxRow>,
  session: ClientSession,
  keys: ReadonlySet<string>,
): Promise<(key: string) => number> {
  const last = new Map<string, number>();
  if (keys.size > 0) {
    const found = rows.aggregate<{ _id: string; sequence: number }>(
      [{ $match: { key: { $in: [...keys] } } }, { $group: { _id: '$key', sequence: { $max: '$sequence' } } }],
      { session },
    );
    for await (const { _id, sequence } of found) last.set(_id, sequence);
  }
  const floor = Date.now() * PER_MS;
  return (key) => {
    const next = Math.max((last.get(key) ?? 0) + 1, floor);
    last.set(key, next);
    return next;
  };
}

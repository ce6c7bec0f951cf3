import type { Connection } from 'mongoose';
import { outboxOf, type OutboxRow } from './outbox.ts';

/** At most so many of the newest events overtake a backlog at once. */
const NEWEST = 50;
/** Older rows that share something with them; beyond this many, nothing overtakes. */
const MOST_RIVALS = 500;

/**
 * The newest events that may leave before a backlog of NEW rows, in the order of their ids: those that share no lane (topic or cache tag)
 * with an older row that waits. The order on each topic, and of the events about one thing, stays as it was written.
 */
export async function overtakingRows(db: Connection): Promise<OutboxRow[]> {
  const rows = outboxOf(db);
  const newest = await rows.find({ state: 'NEW' }).sort({ _id: -1 }).limit(NEWEST).toArray();
  const lanes = new Set(newest.flatMap((row) => row.lanes ?? []));
  if (lanes.size === 0) return [];
  // Null: a row of before there were lanes may share any of them.
  const rivals = await rows
    .find({ state: 'NEW', lanes: { $in: [...lanes, null as unknown as string] } }, { projection: { lanes: 1 } })
    .limit(MOST_RIVALS)
    .toArray();
  return rivals.length === MOST_RIVALS ? [] : withoutOlderRivals(newest.reverse(), rivals);
}

/** `newest` in the order of their ids; `rivals` in any. */
function withoutOlderRivals<T extends Pick<OutboxRow, '_id' | 'lanes'>>(
  newest: readonly T[],
  rivals: readonly Pick<OutboxRow, '_id' | 'lanes'>[],
): T[] {
  const taken = new Set<string>();
  return newest.filter((row) => {
    const lanes = row.lanes ?? [];
    const isBehind = (rival: Pick<OutboxRow, '_id' | 'lanes'>): boolean =>
      rival._id < row._id && !taken.has(rival._id) && (rival.lanes?.some((lane) => lanes.includes(lane)) ?? true);
    if (lanes.length === 0 || rivals.some(isBehind)) return false;
    taken.add(row._id);
    return true;
  });
}

import type { Connection } from 'mongoose';
import { outboxOf, type OutboxRow } from './outbox.ts';

/** Newest events that may overtake a backlog at once. */
const MAX_OVERTAKING = 50;
/** Older rows that share a lane with them; beyond this many, no event overtakes. */
const MAX_RIVALS = 500;

/**
 * The newest events that may overtake a backlog of NEW rows, in the order of their ids: those that share no lane (topic or cache tag) with an
 * older waiting row. The order on each topic, and of the events with a common tag, stays the order of the rows.
 */
export async function overtakingRows(db: Connection): Promise<OutboxRow[]> {
  const rows = outboxOf(db);
  const newest = await rows.find({ state: 'NEW' }).sort({ _id: -1 }).limit(MAX_OVERTAKING).toArray();
  const lanes = new Set(newest.flatMap((row) => row.lanes ?? []));
  if (lanes.size === 0) return [];
  // Null: a row older than lanes may share any of them.
  const rivals = await rows
    .find({ state: 'NEW', lanes: { $in: [...lanes, null as unknown as string] } }, { projection: { lanes: 1 } })
    .limit(MAX_RIVALS)
    .toArray();
  return rivals.length === MAX_RIVALS ? [] : withoutOlderRivals(newest.reverse(), rivals);
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

import type { Connection } from 'mongoose';
import { idsSince } from '../base/ids.ts';
import { outboxOf, type OutboxRow } from './outbox.ts';

/** Rows of a backlog that are known at most; a larger one is sent in the order of its writing. */
const MAX_KNOWN = 100_000;
const PAGE = 5_000;
/** A transaction may commit a row so long after its id was made, when younger rows are known already. */
const LATE_MS = 15_000;
/** At most so many leave before the backlog at once; so many of the newest are looked at for that. */
const MAX_OVERTAKING = 200;
const MAX_LOOKED_AT = 2_000;
/** Older rows that would have to leave with one; a longer chain is part of the backlog. */
const MAX_CHAIN = 50;

type Row = Pick<OutboxRow, '_id' | 'topics' | 'tags' | 'key'>;

/**
 * Finds the newest events that may leave before a backlog of NEW rows. Rows that share a lane (a topic, a cache tag or a key) leave in the order of their
 * writing: an event takes the older ones of its lanes along, and waits when they are many. Knows the ids and lanes of the whole backlog, and
 * is good for as long as the relay holds its lease without a break.
 */
export function createOvertaking(db: Connection) {
  const rows = outboxOf(db);
  /** In the order of their ids. */
  const lanesOf = new Map<string, readonly string[]>();
  const byLane = new Map<string, Set<string>>();
  let last = '';

  /** Learns of the rows that were written since the last look. */
  async function scan(): Promise<void> {
    const recent = idsSince('evt', new Date(Date.now() - LATE_MS));
    let after = recent < last ? recent : last;
    while (lanesOf.size <= MAX_KNOWN) {
      const page = await rows
        .find({ state: 'NEW', _id: { $gt: after } }, { projection: { topics: 1, tags: 1, key: 1 } })
        .sort({ _id: 1 })
        .limit(PAGE)
        .toArray();
      for (const row of page) add(row);
      if (page.length < PAGE) return;
      after = page.at(-1)!._id;
    }
  }

  function add({ _id, topics, tags = [], key }: Row): void {
    if (lanesOf.has(_id)) return;
    const isLate = _id < last;
    if (!isLate) last = _id;
    const lanes = [...new Set([...topics, ...tags, ...(key === undefined ? [] : [`key ${key}`])])];
    lanesOf.set(_id, lanes);
    for (const lane of lanes) {
      const ids = byLane.get(lane);
      if (ids && isLate) byLane.set(lane, new Set([...ids, _id].sort()));
      else if (ids) ids.add(_id);
      else byLane.set(lane, new Set([_id]));
    }
  }

  function forget(ids: Iterable<string>): void {
    for (const id of ids) {
      for (const lane of lanesOf.get(id) ?? []) {
        const others = byLane.get(lane)!;
        others.delete(id);
        if (others.size === 0) byLane.delete(lane);
      }
      lanesOf.delete(id);
    }
  }

  /** The row and all older ones that must leave before it; undefined when they are too many. */
  function chainOf(id: string): Set<string> | undefined {
    const chain = new Set([id]);
    for (const each of chain) {
      for (const lane of lanesOf.get(each)!) {
        for (const older of byLane.get(lane)!) {
          if (older >= each) break;
          chain.add(older);
          if (chain.size > MAX_CHAIN) return undefined;
        }
      }
    }
    return chain;
  }

  return {
    /** These have left, whichever way. */
    forget,
    /** Rows in the order of their ids; none when nothing may overtake. */
    async next(): Promise<OutboxRow[]> {
      await scan();
      if (lanesOf.size > MAX_KNOWN) return [];
      const chosen = new Set<string>();
      for (const id of [...lanesOf.keys()].slice(-MAX_LOOKED_AT).reverse()) {
        if (chosen.has(id) || lanesOf.get(id)!.length === 0) continue;
        const chain = chainOf(id);
        if (!chain) continue;
        if (new Set([...chosen, ...chain]).size > MAX_OVERTAKING) break;
        for (const each of chain) chosen.add(each);
      }
      if (chosen.size === 0) return [];
      return rows
        .find({ _id: { $in: [...chosen] }, state: 'NEW' })
        .sort({ _id: 1 })
        .toArray();
    },
  };
}

export type Overtaking = ReturnType<typeof createOvertaking>;

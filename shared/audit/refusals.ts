import type { AuditRow } from './rows.ts';

/** Refusals of one actor, action and code that are written in full in each minute, by each process. */
const PER_MINUTE = 5;
const MINUTE_MS = 60_000;
/** Kinds of refusals that one process tells apart in a minute; all others share one kind per action. */
const MAX_KINDS = 10_000;

interface Count {
  since: number;
  written: number;
  /** The newest attempt that was not written. */
  last: AuditRow | undefined;
  repeated: number;
}

/**
 * Bounds what refused attempts write: the first five of a minute are written as they are, the others are counted, and one row tells their
 * number when the minute has ended. A killed process loses the count of its last minute, never a change.
 */
export function createRefusalLimiter(now: () => number = Date.now) {
  const counts = new Map<string, Count>();

  function countOf(row: AuditRow): Count {
    const kind = `${row.actor} ${row.action} ${row.outcome}`;
    const key = counts.has(kind) || counts.size < MAX_KINDS ? kind : `(others) ${row.action}`;
    let found = counts.get(key);
    if (!found || now() - found.since >= MINUTE_MS) {
      const left = found;
      counts.set(key, (found = { since: now(), written: 0, last: undefined, repeated: left?.repeated ?? 0 }));
    }
    return found;
  }

  return {
    /** The row to write, with the number of those before it that were not; undefined when this one is only counted. */
    admit(row: AuditRow): AuditRow | undefined {
      const count = countOf(row);
      if (count.written >= PER_MINUTE) {
        count.repeated += 1;
        count.last = row;
        return undefined;
      }
      count.written += 1;
      const { repeated } = count;
      count.repeated = 0;
      return { ...row, repeated };
    },
    /** The rows that tell the counts of minutes that have ended; of all minutes when the process ends. */
    drain(all = false): AuditRow[] {
      const rows: AuditRow[] = [];
      for (const [key, { since, last, repeated }] of counts) {
        if (!all && now() - since < MINUTE_MS) continue;
        counts.delete(key);
        // The row itself is one of the attempts.
        if (last && repeated > 0) rows.push({ ...last, repeated: repeated - 1 });
      }
      return rows;
    },
  };
}

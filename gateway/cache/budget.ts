/** How much may lie somewhere at a time, of things that last for a while each. */
export interface Budget {
  /** Notes that so much lies there for so long, unless that were too much. */
  take: (size: number, seconds: number) => boolean;
}

const MINUTE_MS = 60_000;

/** Counts by the minute, upwards: what was replaced or forgotten meanwhile counts until its time is over. */
export function createBudget(most: number, now: () => number = Date.now): Budget {
  const endsIn = new Map<number, number>();
  return {
    take(size, seconds) {
      const minute = Math.floor(now() / MINUTE_MS);
      for (const end of endsIn.keys()) if (end < minute) endsIn.delete(end);
      const taken = endsIn.values().reduce((sum, each) => sum + each, 0);
      if (taken + size > most) return false;
      const end = Math.floor((now() + seconds * 1_000) / MINUTE_MS);
      endsIn.set(end, (endsIn.get(end) ?? 0) + size);
      return true;
    },
  };
}

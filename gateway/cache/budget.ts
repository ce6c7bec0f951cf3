/** Limits the total size of values that expire. */
export interface Budget {
  /** Reserves `size` for `seconds`; false when the budget would be exceeded. */
  take: (size: number, seconds: number) => boolean;
}

const MINUTE_MS = 60_000;

/** Counts by the minute, rounded up. A value that was replaced or deleted counts until it would have expired. */
export function createBudget(max: number, now: () => number = Date.now): Budget {
  const endsIn = new Map<number, number>();
  return {
    take(size, seconds) {
      const minute = Math.floor(now() / MINUTE_MS);
      for (const end of endsIn.keys()) if (end < minute) endsIn.delete(end);
      const taken = endsIn.values().reduce((sum, each) => sum + each, 0);
      if (taken + size > max) return false;
      const end = Math.floor((now() + seconds * 1_000) / MINUTE_MS);
      endsIn.set(end, (endsIn.get(end) ?? 0) + size);
      return true;
    },
  };
}

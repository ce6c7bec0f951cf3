import { LRUCache } from 'lru-cache';

/** Counts at a time; those that were not asked for longest are forgotten. */
const MAX_COUNTS = 10_000;

interface Count {
  points: number;
  endsAt: number;
}

/** Counts of one process, for as long as there is no Redis. */
export function createMemoryCounter() {
  const counts = new LRUCache<string, Count>({ max: MAX_COUNTS });

  function current(key: string): Count | undefined {
    const count = counts.get(key);
    return count && count.endsAt > performance.now() ? count : undefined;
  }

  return {
    /** Undefined when a point was taken; otherwise the milliseconds until the window ends. */
    take(key: string, most: number, windowSeconds: number): number | undefined {
      const count = current(key) ?? { points: 0, endsAt: performance.now() + windowSeconds * 1_000 };
      if (count.points >= most) return count.endsAt - performance.now();
      counts.set(key, { ...count, points: count.points + 1 });
      return undefined;
    },
    giveBack(key: string): void {
      const count = current(key);
      if (count) counts.set(key, { ...count, points: Math.max(0, count.points - 1) });
    },
    used: (key: string): number => current(key)?.points ?? 0,
  };
}

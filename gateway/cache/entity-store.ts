import type { Redis } from 'ioredis';
import { createVersionedStore, tagVersionKey, type CacheWrite, type VersionedStore } from '#shared/cache/cache-tags.ts';
import { createBudget } from './budget.ts';

/** Cached entities of all gateways that share a Redis. */
export interface EntityStore extends Pick<VersionedStore, 'read'> {
  /** Never rejects. Large values, and values beyond the budget, are not stored. */
  keep(values: readonly CacheWrite[]): Promise<void>;
  /** The Redis key of a cache slot. */
  keyOf: (name: string) => string;
  /** The Redis key of a tag version. */
  stampOf: (tag: string) => string;
  /** Since the process started. `stale` counts misses whose entry an event had invalidated. */
  counters: { hits: number; misses: number; stale: number; stored: number };
}

export interface EntityStoreOptions {
  redis: Redis;
  /** Shared by all processes: events bump the tag versions below it. */
  prefix: string;
  /**
   * How long a query waits for Redis before it fetches from the subgraph; default 50 ms. After a timeout, Redis is not used for one second.
   */
  patienceMs?: number;
  /** Bytes of this process in Redis at a time; default 64 MB. The queues need room there as well. */
  maxBytes?: number;
}

const DEFAULT_MAX_BYTES = 64 * 1024 * 1024;
/** Characters. A fetch of many such entities is still read within `patienceMs`. */
const MAX_TEXT_LENGTH = 32 * 1024;

export function createEntityStore({ redis, prefix, patienceMs, maxBytes = DEFAULT_MAX_BYTES }: EntityStoreOptions): EntityStore {
  const { read, write: keep } = createVersionedStore(redis, { patienceMs });
  const budget = createBudget(maxBytes);
  const counters = { hits: 0, misses: 0, stale: 0, stored: 0 };
  const fits = ({ key, versions, text, ttlSeconds }: CacheWrite): boolean =>
    text.length <= MAX_TEXT_LENGTH && budget.take(key.length + versions.length + text.length, ttlSeconds);
  return {
    read,
    keep(values) {
      const kept = values.filter(fits);
      counters.stored += kept.length;
      return keep(kept);
    },
    keyOf: (name) => `${prefix}:entity:${name}`,
    stampOf: (tag) => tagVersionKey(prefix, tag),
    counters,
  };
}

import type { Redis } from 'ioredis';
import { createVersionedStore, tagVersionKey, type CacheWrite, type VersionedStore } from '#shared/cache/cache-tags.ts';
import { createBudget } from './budget.ts';

/** Where entities are kept, for all gateways that share a Redis. */
export interface EntityStore extends Pick<VersionedStore, 'read'> {
  /** Rejects never. What is large, or too much, is not kept. */
  keep(values: readonly CacheWrite[]): Promise<void>;
  /** The name in Redis for a place that the cache calls so. */
  keyOf: (name: string) => string;
  /** The name of a tag's stamp. */
  stampOf: (tag: string) => string;
  /** Since the process began. `stale` are those misses for which there was something that an event had overtaken. */
  counters: { hits: number; misses: number; stale: number; stored: number };
}

export interface EntityStoreOptions {
  redis: Redis;
  /** The one that all processes of the house have in common: events renew the tags below it. */
  prefix: string;
  /** How long a query waits for Redis before it asks the subgraph; default 50 ms. After that nobody asks Redis for a second. */
  patienceMs?: number;
  /** How much of this process's making may lie in Redis at a time; default 64 MB. The queues need room there as well. */
  mostBytes?: number;
}

const MOST_BYTES = 64 * 1024 * 1024;
/** A fetch of many of these is still read within the patience of its reader. */
const LONGEST_TEXT = 32 * 1024;

export function createEntityStore({ redis, prefix, patienceMs, mostBytes = MOST_BYTES }: EntityStoreOptions): EntityStore {
  const { read, write: keep } = createVersionedStore(redis, { patienceMs });
  const budget = createBudget(mostBytes);
  const counters = { hits: 0, misses: 0, stale: 0, stored: 0 };
  const fits = ({ key, versions: stamps, text, ttlSeconds }: CacheWrite): boolean =>
    text.length <= LONGEST_TEXT && budget.take(key.length + stamps.length + text.length, ttlSeconds);
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

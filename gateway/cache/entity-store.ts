import type { Redis } from 'ioredis';
import { createStampedStore, stampOfTag, type StampedStore } from '../../shared/stamps.ts';

/** Where entities are kept, for all gateways that share a Redis. */
export interface EntityStore extends StampedStore {
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
}

export const createEntityStore = ({ redis, prefix, patienceMs }: EntityStoreOptions): EntityStore => ({
  ...createStampedStore(redis, { patienceMs }),
  keyOf: (name) => `${prefix}:entity:${name}`,
  stampOf: (tag) => stampOfTag(prefix, tag),
  counters: { hits: 0, misses: 0, stale: 0, stored: 0 },
});

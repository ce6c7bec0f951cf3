import { setImmediate as turn } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { createVersionedStore, MAX_TTL_SECONDS, bumpVersions, tagVersionKey } from './cache-tags.ts';

interface CacheOptions {
  /** Prefix of every key. */
  prefix: string;
  /** Prefix of every tag, common to all processes that invalidate it. Default: `prefix`. */
  tagPrefix?: string;
  /** How long a reader waits for Redis before it loads the value itself; default 50 ms. */
  patienceMs?: number;
}

interface CachePolicy {
  /** Groups of keys that are invalidated together, such as `notes:page:*`. */
  groups?: readonly string[];
  /** Caches null too; otherwise null is loaded again each time. */
  cacheNull?: boolean;
}

interface One extends CachePolicy {
  /** Cache tags: an event with one of these invalidates the value. */
  tags?: readonly string[];
}

interface Many<T> extends CachePolicy {
  key: (id: string) => string;
  tagsOf?: (id: string) => readonly string[];
  /** 1 to 86,400. */
  ttlSeconds: number;
  /** One result per id, in their order. */
  load: (ids: string[]) => Promise<readonly (T | null)[]>;
}

/**
 * Cache-aside on Redis. Values must survive JSON; Dates stay Dates. Values are shared: do not change them. A slow or missing Redis means that
 * every value is loaded.
 */
export interface Cache {
  /** One `load` at a time per key in this process. A load from before an invalidation is not stored. `ttlSeconds` is 1 to 86,400. */
  cached<T>(key: string, ttlSeconds: number, load: () => Promise<T>, policy?: One): Promise<T>;
  /** The same for a loader: one read, then one load of the misses. */
  cachedMany<T>(ids: readonly string[], many: Many<T>): Promise<(T | null)[]>;
  /** Once this is done, nobody gets what was loaded before. Rejects when Redis cannot be told: the caller must try again. */
  invalidate(keys: readonly string[]): Promise<void>;
  invalidateGroup(group: string): Promise<void>;
}

interface PendingLoad {
  key: string;
  groups: readonly string[];
  value: Promise<unknown>;
}

/** Each key and each group has a version. */
export function createCache(redis: Redis, { prefix, tagPrefix = prefix, patienceMs }: CacheOptions): Cache {
  const versioned = createVersionedStore(redis, { patienceMs });
  const pending = new Map<string, PendingLoad>();

  const valueKey = (key: string) => `${prefix}:cache:${key}`;
  const versionKey = (key: string) => `${prefix}:cache-stamp:${key}`;
  const groupKey = (group: string) => `${prefix}:cache-group:${group}`;

  async function keep(key: string, versions: string, value: unknown, ttlSeconds: number): Promise<void> {
    try {
      await versioned.write([{ key: valueKey(key), versions, text: encode(value), ttlSeconds }]);
      // Redis replies that arrived together with this one are handled first.
      await turn();
    } catch {
      // JSON cannot hold the value: it is not stored, and the caller has it anyway.
    }
  }

  /** Joins a pending load with the same key and versions, or starts one. */
  function joinOrLoad(
    name: string,
    load: Omit<PendingLoad, 'value'>,
    start: () => Promise<unknown>,
    store: (value: unknown) => Promise<void>,
  ) {
    const under = pending.get(name);
    if (under) return under.value;
    const begun = { ...load, value: start() };
    pending.set(name, begun);
    const settle = () => void (pending.get(name) === begun && pending.delete(name));
    // Pending until the value is in Redis: a reader that missed before must join, not load again.
    begun.value.then(store).then(settle, settle);
    return begun.value;
  }

  async function cachedMany<T>(
    ids: readonly string[],
    { key, tagsOf = () => [], ttlSeconds, load, groups = [], cacheNull = false }: Many<T>,
  ): Promise<(T | null)[]> {
    if (!(Number.isInteger(ttlSeconds) && ttlSeconds >= 1 && ttlSeconds <= MAX_TTL_SECONDS))
      throw new RangeError('ttlSeconds is 1 to 86,400');
    if (ids.length === 0) return [];
    const keys = ids.map(key);
    const groupVersions = groups.map(groupKey);
    const slots = ids.map((id, index) => {
      const tagVersions = tagsOf(id).map((tag) => tagVersionKey(tagPrefix, tag));
      return { key: valueKey(keys[index]!), versions: [versionKey(keys[index]!), ...groupVersions, ...tagVersions] };
    });
    const found = await versioned.read(slots);
    const batch: string[] = [];
    // Loads in the next microtask, when the misses without a pending load are known.
    const loading = Promise.resolve().then(() => (batch.length > 0 ? load(batch) : []));
    loading.catch(() => undefined);
    return Promise.all(
      keys.map((name, index) => {
        const { text, versions } = found?.[index] ?? {};
        const entry = decode(text);
        if (entry) return Promise.resolve(entry.value as T | null);
        const start = async () => {
          const position = batch.push(ids[index] as string) - 1;
          return (await loading)[position] ?? null;
        };
        // Without versions, a pending load may be older than the last event, and the gateway could cache its result as new.
        if (versions === undefined && tagsOf(ids[index]!).length > 0) return start();
        const store = async (value: unknown) => {
          if (versions !== undefined && (value !== null || cacheNull)) await keep(name, versions, value, ttlSeconds);
        };
        return joinOrLoad(`${name} ${versions ?? ''}`, { key: name, groups }, start, store) as Promise<T | null>;
      }),
    );
  }

  /** Later readers of this process must not join a load from before the invalidation. */
  function drop(hit: (entry: PendingLoad) => boolean): void {
    for (const [name, load] of pending) if (hit(load)) pending.delete(name);
  }

  return {
    cachedMany,
    cached: async <T>(key: string, ttlSeconds: number, load: () => Promise<T>, { tags = [], ...policy }: One = {}) =>
      (
        await cachedMany<T>([key], { ...policy, key: (id) => id, tagsOf: () => tags, ttlSeconds, load: async () => [await load()] })
      )[0] as T,
    async invalidate(keys) {
      drop((load) => keys.includes(load.key));
      await bumpVersions(redis, keys.map(versionKey), keys.map(valueKey));
    },
    async invalidateGroup(group) {
      drop((load) => load.groups.includes(group));
      await bumpVersions(redis, [groupKey(group)]);
    },
  };
}

/** The value of a cached text, boxed because it may be null; undefined when there is no readable text. */
function decode(text: string | undefined): { value: unknown } | undefined {
  if (text === undefined) return undefined;
  try {
    return { value: JSON.parse(text, revive) as unknown };
  } catch {
    return undefined;
  }
}

function encode(value: unknown): string {
  return JSON.stringify(value ?? null, function mark(this: Record<string, unknown>, key: string, entry: unknown) {
    // `entry` is already text; only the holding object still has the Date.
    return this[key] instanceof Date ? { $date: entry } : entry;
  });
}

function revive(_key: string, entry: unknown): unknown {
  if (typeof entry !== 'object' || entry === null || !('$date' in entry) || Object.keys(entry).length !== 1) return entry;
  return new Date(typeof entry.$date === 'string' ? entry.$date : Number.NaN);
}

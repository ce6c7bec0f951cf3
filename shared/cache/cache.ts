import { setImmediate as turn } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { createStampedStore, LONGEST_SECONDS, renewStamps, stampOfTag } from './cache-tags.ts';

interface CacheOptions {
  /** Goes before every key. */
  prefix: string;
  /** Goes before every tag, which others renew. Default: the same. */
  tagPrefix?: string;
  /** How long a reader waits for Redis before it loads for itself; default 50 ms. */
  patienceMs?: number;
}

interface Keeping {
  /** Names that are invalidated together, such as `notes:page:*`. */
  groups?: readonly string[];
  /** Keeps "there is none" as well; otherwise null is loaded again each time. */
  nothingToo?: boolean;
}

interface One extends Keeping {
  /** What it is about: events that name one of these make it stale. */
  tags?: readonly string[];
}

interface Many<T> extends Keeping {
  key: (id: string) => string;
  tagsOf?: (id: string) => readonly string[];
  /** 1 to 86,400. */
  ttlSeconds: number;
  /** One answer for each id, in their order. */
  load: (ids: string[]) => Promise<readonly (T | null)[]>;
}

/**
 * Cache-aside on Redis. What is kept must survive JSON; Dates stay Dates. Values are shared: do not change them. When Redis is slow or gone,
 * everything is loaded.
 */
export interface Cache {
  /** One `load` at a time for a key in this process. What began to load before an invalidation is not kept. `ttlSeconds` is 1 to 86,400. */
  cached<T>(key: string, ttlSeconds: number, load: () => Promise<T>, keeping?: One): Promise<T>;
  /** The same for a loader: one read, then one load of what is missing. */
  cachedMany<T>(ids: readonly string[], many: Many<T>): Promise<(T | null)[]>;
  /** Once this is done, nobody gets what was loaded before. Rejects when Redis cannot be told: the caller must try again. */
  invalidate(keys: readonly string[]): Promise<void>;
  invalidateGroup(group: string): Promise<void>;
}

interface Flight {
  key: string;
  groups: readonly string[];
  value: Promise<unknown>;
}

/** Each key has a stamp, and so has each group. */
export function createCache(redis: Redis, { prefix, tagPrefix = prefix, patienceMs }: CacheOptions): Cache {
  const stamped = createStampedStore(redis, { patienceMs });
  const flights = new Map<string, Flight>();

  const valueKey = (key: string) => `${prefix}:cache:${key}`;
  const stampKey = (key: string) => `${prefix}:cache-stamp:${key}`;
  const groupKey = (group: string) => `${prefix}:cache-group:${group}`;

  async function keep(key: string, stamps: string, value: unknown, ttlSeconds: number): Promise<void> {
    try {
      await stamped.keep([{ key: valueKey(key), stamps, text: encode(value), ttlSeconds }]);
      // Answers of Redis that came in one piece with this one have their turn first.
      await turn();
    } catch {
      // JSON cannot hold it: it is not kept, and whoever asked has it all the same.
    }
  }

  /** Joins the load under way of the same key and stamps, or begins one. */
  function fly(name: string, flight: Omit<Flight, 'value'>, start: () => Promise<unknown>, store: (value: unknown) => Promise<void>) {
    const under = flights.get(name);
    if (under) return under.value;
    const begun = { ...flight, value: start() };
    flights.set(name, begun);
    const land = () => void (flights.get(name) === begun && flights.delete(name));
    // Held until the value lies in Redis: who asked there before must join, not load again.
    begun.value.then(store).then(land, land);
    return begun.value;
  }

  async function cachedMany<T>(
    ids: readonly string[],
    { key, tagsOf = () => [], ttlSeconds, load, groups = [], nothingToo = false }: Many<T>,
  ): Promise<(T | null)[]> {
    if (!(Number.isInteger(ttlSeconds) && ttlSeconds >= 1 && ttlSeconds <= LONGEST_SECONDS))
      throw new RangeError('ttlSeconds is 1 to 86,400');
    if (ids.length === 0) return [];
    const keys = ids.map(key);
    const groupStamps = groups.map(groupKey);
    const places = ids.map((id, index) => {
      const tagStamps = tagsOf(id).map((tag) => stampOfTag(tagPrefix, tag));
      return { key: valueKey(keys[index]!), stamps: [stampKey(keys[index]!), ...groupStamps, ...tagStamps] };
    });
    const found = await stamped.read(places);
    const batch: string[] = [];
    // Loaded in the next microtask, when it is known which of the missing are not under way already.
    const loading = Promise.resolve().then(() => (batch.length > 0 ? load(batch) : []));
    loading.catch(() => undefined);
    return Promise.all(
      keys.map((name, index) => {
        const { text, stamps } = found?.[index] ?? {};
        const kept = decode(text);
        if (kept) return Promise.resolve(kept.value as T | null);
        const start = async () => {
          const position = batch.push(ids[index] as string) - 1;
          return (await loading)[position] ?? null;
        };
        // Whether a load under way began before the last event nobody knows then, and what is told may be kept elsewhere as new.
        if (stamps === undefined && tagsOf(ids[index]!).length > 0) return start();
        const store = async (value: unknown) => {
          if (stamps !== undefined && (value !== null || nothingToo)) await keep(name, stamps, value, ttlSeconds);
        };
        return fly(`${name} ${stamps ?? ''}`, { key: name, groups }, start, store) as Promise<T | null>;
      }),
    );
  }

  /** Readers of this process that come later must not join a load that began before. */
  function forget(hit: (flight: Flight) => boolean): void {
    for (const [name, flight] of flights) if (hit(flight)) flights.delete(name);
  }

  return {
    cachedMany,
    cached: async <T>(key: string, ttlSeconds: number, load: () => Promise<T>, { tags = [], ...keeping }: One = {}) =>
      (
        await cachedMany<T>([key], { ...keeping, key: (id) => id, tagsOf: () => tags, ttlSeconds, load: async () => [await load()] })
      )[0] as T,
    async invalidate(keys) {
      forget((flight) => keys.includes(flight.key));
      await renewStamps(redis, keys.map(stampKey), keys.map(valueKey));
    },
    async invalidateGroup(group) {
      forget((flight) => flight.groups.includes(group));
      await renewStamps(redis, [groupKey(group)]);
    },
  };
}

/** The value of a kept text, in a box because it may be null; undefined when there is none that can be read. */
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
    // `entry` has been turned to text already; only the holder still has the Date.
    return this[key] instanceof Date ? { $date: entry } : entry;
  });
}

function revive(_key: string, entry: unknown): unknown {
  if (typeof entry !== 'object' || entry === null || !('$date' in entry) || Object.keys(entry).length !== 1) return entry;
  return new Date(typeof entry.$date === 'string' ? entry.$date : Number.NaN);
}

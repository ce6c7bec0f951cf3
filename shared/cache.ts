import { randomUUID } from 'node:crypto';
import { setImmediate as turn } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { unavailable } from './errors.ts';

interface CacheOptions {
  /** Goes before every key. */
  prefix: string;
  /** How long a reader waits for Redis before it loads for itself; default 50 ms. */
  patienceMs?: number;
}

interface Keeping {
  /** Names that are invalidated together, such as `notes:page:*`. */
  groups?: readonly string[];
  /** Keeps "there is none" as well; otherwise null is loaded again each time. */
  nothingToo?: boolean;
}

interface Many<T> extends Keeping {
  key: (id: string) => string;
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
  cached<T>(key: string, ttlSeconds: number, load: () => Promise<T>, keeping?: Keeping): Promise<T>;
  /** The same for a loader: one read, then one load of what is missing. */
  cachedMany<T>(ids: readonly string[], many: Many<T>): Promise<(T | null)[]>;
  /** Once this is done, nobody gets what was loaded before. Rejects when Redis cannot be told: the caller must try again. */
  invalidate(keys: readonly string[]): Promise<void>;
  invalidateGroup(group: string): Promise<void>;
}

const PATIENCE_MS = 50;
/** After Redis kept a reader waiting, nobody asks it for this long. */
const REST_MS = 1_000;
const INVALIDATION_MS = 5_000;
const LONGEST_SECONDS = 24 * 3_600;
/** A stamp outlives every value that was kept under the one before it. */
const STAMP_SECONDS = 2 * LONGEST_SECONDS;

interface Flight {
  key: string;
  groups: readonly string[];
  value: Promise<unknown>;
}

/**
 * Beside each key, and for each group, lies a stamp: random text that changes with every invalidation. A value is kept together with the stamps
 * that were there before it was loaded, and is good only while they are the same. So nothing has to be found and deleted, and a load
 * that an invalidation overtook is worthless by itself.
 */
export function createCache(redis: Redis, { prefix, patienceMs = PATIENCE_MS }: CacheOptions): Cache {
  const flights = new Map<string, Flight>();
  let restUntil = 0;

  const valueKey = (key: string) => `${prefix}:cache:${key}`;
  const stampKey = (key: string) => `${prefix}:cache-stamp:${key}`;
  const groupKey = (group: string) => `${prefix}:cache-group:${group}`;

  /** Undefined when Redis did not answer in time. */
  async function read(keys: readonly string[], groups: readonly string[]) {
    if (redis.status !== 'ready' || Date.now() < restUntil) return undefined;
    const asked = [...keys.map(valueKey), ...keys.map(stampKey), ...groups.map(groupKey)];
    const found = await within(patienceMs, redis.mget(asked)).catch(() => undefined);
    if (!found) restUntil = Date.now() + REST_MS;
    if (!found) return undefined;
    const groupStamps = found.slice(2 * keys.length);
    return keys.map((_key, index) => ({
      text: found[index] ?? undefined,
      stamps: [found[keys.length + index], ...groupStamps].map((stamp) => stamp ?? '-').join(' '),
    }));
  }

  async function keep(key: string, stamps: string, value: unknown, ttlSeconds: number): Promise<void> {
    if (redis.status !== 'ready' || Date.now() < restUntil) return;
    try {
      await redis.set(valueKey(key), `${stamps}\n${encode(value)}`, 'EX', ttlSeconds);
      // Answers of Redis that came in one piece with this one have their turn first.
      await turn();
    } catch {
      // Redis is gone, or JSON cannot hold it: it is not kept, and whoever asked has it all the same.
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
    { key, ttlSeconds, load, groups = [], nothingToo = false }: Many<T>,
  ): Promise<(T | null)[]> {
    if (!(Number.isInteger(ttlSeconds) && ttlSeconds >= 1 && ttlSeconds <= LONGEST_SECONDS))
      throw new RangeError('ttlSeconds is 1 to 86,400');
    if (ids.length === 0) return [];
    const keys = ids.map(key);
    const found = await read(keys, groups);
    const batch: string[] = [];
    // Loaded in the next microtask, when it is known which of the missing are not under way already.
    const loading = Promise.resolve().then(() => (batch.length > 0 ? load(batch) : []));
    loading.catch(() => undefined);
    return Promise.all(
      keys.map((name, index) => {
        const { text, stamps } = found?.[index] ?? {};
        const kept = decode(text, stamps);
        if (kept) return Promise.resolve(kept.value as T | null);
        const start = async () => {
          const position = batch.push(ids[index] as string) - 1;
          return (await loading)[position] ?? null;
        };
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

  async function stamp(stamps: readonly string[], values: readonly string[]): Promise<void> {
    if (stamps.length === 0) return;
    const change = redis.multi();
    for (const name of stamps) change.set(name, randomUUID(), 'EX', STAMP_SECONDS);
    if (values.length > 0) change.del(...values);
    const outcome = await within(INVALIDATION_MS, change.exec()).catch((error: unknown) => {
      throw unavailable('cache', error);
    });
    const failed = outcome?.find(([error]) => error !== null);
    if (!outcome || failed) throw unavailable('cache', failed?.[0]);
  }

  return {
    cachedMany,
    cached: async <T>(key: string, ttlSeconds: number, load: () => Promise<T>, keeping: Keeping = {}) =>
      (await cachedMany<T>([key], { ...keeping, key: (id) => id, ttlSeconds, load: async () => [await load()] }))[0] as T,
    async invalidate(keys) {
      forget((flight) => keys.includes(flight.key));
      await stamp(keys.map(stampKey), keys.map(valueKey));
    },
    async invalidateGroup(group) {
      forget((flight) => flight.groups.includes(group));
      await stamp([groupKey(group)], []);
    },
  };
}

/** The value of a kept text, in a box because it may be null; undefined when there is none that is good. */
function decode(text: string | undefined, stamps: string | undefined): { value: unknown } | undefined {
  if (text === undefined || !text.startsWith(`${stamps}\n`)) return undefined;
  try {
    return { value: JSON.parse(text.slice(text.indexOf('\n') + 1), revive) as unknown };
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

async function within<T>(milliseconds: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${milliseconds} ms`)), milliseconds);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import { unavailable } from '../base/errors.ts';
import { withinTime } from '../base/time-limit.ts';

/*
 * Glossary. Cache tag: the name of something that cached values depend on, equal in every cache of the project. Version: random text under a key
 * in Redis that changes with each invalidation; each tag has one.
 *
 * A value is stored with the versions from before its load and is valid only while they are unchanged. So an invalidation need not find and
 * delete values, and a load that it overtakes stores a stale value. Redis must not evict (queues need `noeviction` anyway): without one version
 * an old value would be valid again until it expires.
 */

export const MAX_TTL_SECONDS = 24 * 3_600;
/** A version outlives every value that was stored under the version before it. */
const VERSION_TTL_SECONDS = 2 * MAX_TTL_SECONDS;
const INVALIDATION_MS = 5_000;
const PATIENCE_MS = 50;
/** After a slow read, this process does not read from Redis for this long. */
const REST_MS = 1_000;

/** The key of a value, and the keys of the versions it depends on. */
export interface CacheSlot {
  key: string;
  versions: readonly string[];
}

export interface CacheRead {
  /** The cached text, if it is valid. */
  text: string | undefined;
  /** True when the slot holds an invalid text. */
  isStale: boolean;
  /** The current versions: a load that begins after this read may be stored under them. */
  versions: string;
}

export interface CacheWrite {
  key: string;
  versions: string;
  text: string;
  /** 1 to 86,400. */
  ttlSeconds: number;
}

/** Texts in Redis that are valid until one of their versions changes. A slow or missing Redis costs a reader `patienceMs` at most. */
export interface VersionedStore {
  /** Undefined when Redis did not respond in time. */
  read(slots: readonly CacheSlot[]): Promise<CacheRead[] | undefined>;
  /** Never rejects: a value that could not be stored is loaded again. */
  write(values: readonly CacheWrite[]): Promise<void>;
}

/** `patienceMs` is how long a reader waits for Redis; default 50 ms. */
export function createVersionedStore(redis: Redis, { patienceMs = PATIENCE_MS }: { patienceMs?: number | undefined } = {}): VersionedStore {
  let restUntil = 0;
  const rests = (): boolean => redis.status !== 'ready' || Date.now() < restUntil;

  return {
    async read(slots) {
      if (rests()) return undefined;
      const names = [...new Set(slots.flatMap(({ versions }) => versions))];
      const found = await withinTime(patienceMs, redis.mget([...slots.map(({ key }) => key), ...names])).catch(() => undefined);
      if (!found) restUntil = Date.now() + REST_MS;
      if (!found) return undefined;
      const versionOf = new Map(names.map((name, index) => [name, found[slots.length + index] ?? '-']));
      return slots.map((place, index) =>
        checkVersions(found[index] ?? undefined, place.versions.map((name) => versionOf.get(name)).join(' ')),
      );
    },
    async write(values) {
      if (rests() || values.length === 0) return;
      const writing = redis.pipeline();
      for (const { key, versions, text, ttlSeconds } of values) writing.set(key, `${versions}\n${text}`, 'EX', ttlSeconds);
      await writing.exec().catch(() => undefined);
    },
  };
}

function checkVersions(text: string | undefined, versions: string): CacheRead {
  const isGood = text?.startsWith(`${versions}\n`) ?? false;
  return { text: isGood ? text!.slice(versions.length + 1) : undefined, isStale: text !== undefined && !isGood, versions };
}

/** After this, no reader gets a value that was loaded before. Rejects when Redis does not respond: the caller must retry. */
export async function bumpVersions(redis: Redis, names: readonly string[], dropped: readonly string[] = []): Promise<void> {
  if (names.length === 0) return;
  const change = redis.multi();
  for (const name of new Set(names)) change.set(name, randomUUID(), 'EX', VERSION_TTL_SECONDS);
  if (dropped.length > 0) change.del(...dropped);
  const outcome = await withinTime(INVALIDATION_MS, change.exec()).catch((error: unknown) => {
    throw unavailable('cache', error);
  });
  const failed = outcome?.find(([error]) => error !== null);
  if (!outcome || failed) throw unavailable('cache', failed?.[0]);
}

/** The version key of a tag such as `Note:not_1`, or `Note` for all notes. `prefix` is common to all processes. */
export const tagVersionKey = (prefix: string, tag: string): string => `${prefix}:cache-tag:${tag}`;

/** Invalidates every cache entry with any of these tags, in all processes. Rejects when Redis does not respond. */
export const invalidateTags = (redis: Redis, prefix: string, tags: readonly string[]): Promise<void> =>
  bumpVersions(
    redis,
    tags.map((tag) => tagVersionKey(prefix, tag)),
  );

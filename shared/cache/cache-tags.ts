import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import { unavailable } from '../base/errors.ts';

/*
 * Glossary. Stamp: random text under a name in Redis, another one after every renewal. Tag: the name of something that kept values are about,
 * the same in every cache of the house; it has a stamp.
 *
 * A value is kept together with the stamps that were there before it was loaded, and is good only while they are the same. So nothing has to
 * be found and deleted, and a load that a renewal overtook is worthless by itself. A Redis that evicts (`noeviction` is what queues need anyway)
 * could lose a stamp alone, and an old value would be good again until its time is over.
 */

export const LONGEST_SECONDS = 24 * 3_600;
/** A stamp outlives every value that was kept under the one before it. */
const STAMP_SECONDS = 2 * LONGEST_SECONDS;
const RENEWAL_MS = 5_000;
const PATIENCE_MS = 50;
/** After Redis kept a reader waiting, nobody asks it for this long. */
const REST_MS = 1_000;

/** Where a value lies, and the names of the stamps it depends on. */
export interface Place {
  key: string;
  stamps: readonly string[];
}

export interface Found {
  /** What is kept there, if it is good. */
  text: string | undefined;
  /** Something is kept there that is good no more. */
  isStale: boolean;
  /** As they are now: what begins to load after this may be kept under them. */
  stamps: string;
}

export interface Kept {
  key: string;
  stamps: string;
  text: string;
  /** 1 to 86,400. */
  ttlSeconds: number;
}

/** Texts in Redis that are good until one of their stamps is renewed. A Redis that is slow or gone costs nobody more than its patience. */
export interface StampedStore {
  /** Undefined when Redis did not answer in time. */
  read(places: readonly Place[]): Promise<Found[] | undefined>;
  /** Rejects never: what could not be kept is loaded again. */
  keep(values: readonly Kept[]): Promise<void>;
}

/** `patienceMs` is how long a reader waits for Redis; default 50 ms. */
export function createStampedStore(redis: Redis, { patienceMs = PATIENCE_MS }: { patienceMs?: number | undefined } = {}): StampedStore {
  let restUntil = 0;
  const rests = (): boolean => redis.status !== 'ready' || Date.now() < restUntil;

  return {
    async read(places) {
      if (rests()) return undefined;
      const names = [...new Set(places.flatMap(({ stamps }) => stamps))];
      const found = await within(patienceMs, redis.mget([...places.map(({ key }) => key), ...names])).catch(() => undefined);
      if (!found) restUntil = Date.now() + REST_MS;
      if (!found) return undefined;
      const stampOf = new Map(names.map((name, index) => [name, found[places.length + index] ?? '-']));
      return places.map((place, index) => lookAt(found[index] ?? undefined, place.stamps.map((name) => stampOf.get(name)).join(' ')));
    },
    async keep(values) {
      if (rests() || values.length === 0) return;
      const writing = redis.pipeline();
      for (const { key, stamps, text, ttlSeconds } of values) writing.set(key, `${stamps}\n${text}`, 'EX', ttlSeconds);
      await writing.exec().catch(() => undefined);
    },
  };
}

function lookAt(text: string | undefined, stamps: string): Found {
  const isGood = text?.startsWith(`${stamps}\n`) ?? false;
  return { text: isGood ? text!.slice(stamps.length + 1) : undefined, isStale: text !== undefined && !isGood, stamps };
}

/** Once this is done, nobody gets what was loaded before. Rejects when Redis cannot be told: the caller must try again. */
export async function renewStamps(redis: Redis, names: readonly string[], dropped: readonly string[] = []): Promise<void> {
  if (names.length === 0) return;
  const change = redis.multi();
  for (const name of new Set(names)) change.set(name, randomUUID(), 'EX', STAMP_SECONDS);
  if (dropped.length > 0) change.del(...dropped);
  const outcome = await within(RENEWAL_MS, change.exec()).catch((error: unknown) => {
    throw unavailable('cache', error);
  });
  const failed = outcome?.find(([error]) => error !== null);
  if (!outcome || failed) throw unavailable('cache', failed?.[0]);
}

/** The stamp of a tag such as `Note:not_1`, or `Note` for all notes. `prefix` is the one that all processes of the house have in common. */
export const stampOfTag = (prefix: string, tag: string): string => `${prefix}:cache-tag:${tag}`;

/** What is kept about any of these is good no more, whoever keeps it. Rejects when Redis cannot be told. */
export const renewTags = (redis: Redis, prefix: string, tags: readonly string[]): Promise<void> =>
  renewStamps(
    redis,
    tags.map((tag) => stampOfTag(prefix, tag)),
  );

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

import { setTimeout as delay } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible';
import { isProblem, Problem } from '../base/errors.ts';
import { createPlaces } from '../base/quota.ts';
import { withinTime } from '../base/time-limit.ts';
import type { SettingsSource } from '../settings/settings-client.ts';
import type { Limit } from './define-limit.ts';
import { createMemoryCounter } from './memory-counter.ts';

interface LimitsOptions {
  redis: Redis;
  /** Goes before every key. */
  prefix: string;
  settings: Pick<SettingsSource, 'get'>;
}

/** A point that was taken. */
export interface Taken {
  giveBack(): Promise<void>;
}

interface TakeOptions {
  /** True: points that are given back soon are waited for, about half a second, while not too many wait. Default false. */
  waits?: boolean;
}

/** Counts in Redis, common to all processes and atomic. Without Redis each process counts for itself. */
export interface Limits {
  /** Takes a point. Throws RATE_LIMITED with `retryAfterSeconds` when there is none; nothing is counted then. */
  consume(limit: Limit, key: string): Promise<void>;
  /**
   * Runs `work` if each of the keys has a point left; RATE_LIMITED otherwise, without running it. With `count: 'FAILURES'` only the result null or
   * false, and an error that is no `Problem`, keep the points.
   */
  attempt<T>(limit: Limit, keys: string | readonly string[], work: () => Promise<T>): Promise<T>;
  /** Parts of `attempt`, for limits that depend on one another: takes a point, to be judged by `evaluate`. */
  take(limit: Limit, key: string, options?: TakeOptions): Promise<Taken>;
  /** Runs `work` and gives the points back unless it failed, which is the result null or false, or an error that is no `Problem`. */
  evaluate<T>(taken: readonly (Taken | undefined)[], work: () => Promise<T>): Promise<T>;
  /** Points of a key that are taken. */
  used(limit: Limit, key: string): Promise<number>;
}

const REDIS_MS = 2_000;
const WAITS = 5;
const WAIT_MS = 100;
/** Waiting holds one of the few requests that run at a time: strangers who ask for one spent key must not have them all. */
const MAX_WAITING = 32;
const MAX_WAITING_PER_KEY = 5;

export function createLimits({ redis, prefix, settings }: LimitsOptions): Limits {
  const counters = new Map<string, RateLimiterRedis>();
  const memory = createMemoryCounter();
  const waiting = createPlaces(MAX_WAITING_PER_KEY);
  let waitingInAll = 0;

  const pointsOf = async ({ points, times }: Limit): Promise<number> =>
    times * (typeof points === 'number' ? points : await settings.get(points));

  function counterOf({ name, windowSeconds: duration }: Limit): RateLimiterRedis {
    let counter = counters.get(name);
    if (!counter) {
      counter = new RateLimiterRedis({
        storeClient: redis,
        keyPrefix: `${prefix}:limit:${name}`,
        points: 1,
        duration,
        rejectIfRedisNotReady: true,
      });
      counters.set(name, counter);
    }
    return counter;
  }

  /** The point, or the milliseconds until there is one. */
  async function tryTake(limit: Limit, key: string): Promise<Taken | number> {
    const counter = counterOf(limit);
    const points = await pointsOf(limit);
    counter.points = points;
    try {
      await withinTime(REDIS_MS, counter.consume(key));
      return { giveBack: () => counter.reward(key).then(ignore, ignore) };
    } catch (error) {
      if (!(error instanceof RateLimiterRes)) return takeHere(limit, key, points);
      await counter.reward(key).catch(ignore);
      return error.msBeforeNext;
    }
  }

  function takeHere({ name, windowSeconds, fallbackShare }: Limit, key: string, points: number): Taken | number {
    const place = `${name} ${key}`;
    const lacking = memory.take(place, Math.max(1, Math.ceil(points * fallbackShare)), windowSeconds);
    return lacking ?? { giveBack: async () => memory.giveBack(place) };
  }

  async function take(limit: Limit, key: string, { waits = false }: TakeOptions = {}): Promise<Taken> {
    let stop: (() => void) | undefined;
    try {
      for (let round = 0; ; round += 1) {
        const taken = await tryTake(limit, key);
        if (typeof taken !== 'number') return taken;
        if (round === 0 && waits) stop = startWaiting(`${limit.name} ${key}`);
        if (round === WAITS || !stop) throw rateLimited(taken);
        await delay(WAIT_MS * (1 + Math.random()));
      }
    } finally {
      stop?.();
    }
  }

  /** Undefined when too many wait already. */
  function startWaiting(key: string): (() => void) | undefined {
    const free = waitingInAll < MAX_WAITING ? waiting.take(key) : undefined;
    if (!free) return undefined;
    waitingInAll += 1;
    return () => {
      free();
      waitingInAll -= 1;
    };
  }

  const giveBack = async (taken: readonly (Taken | undefined)[]): Promise<void> => {
    await Promise.all(taken.map(async (each) => each?.giveBack()));
  };

  async function evaluate<T>(taken: readonly (Taken | undefined)[], work: () => Promise<T>): Promise<T> {
    try {
      const result = await work();
      if (result !== null && result !== false) await giveBack(taken);
      return result;
    } catch (error) {
      // Right, but refused for another reason.
      if (isProblem(error)) await giveBack(taken);
      throw error;
    }
  }

  async function takeEach(limit: Limit, keys: readonly string[]): Promise<Taken[]> {
    const taken: Taken[] = [];
    try {
      for (const key of keys) taken.push(await take(limit, key, { waits: limit.count === 'FAILURES' }));
      return taken;
    } catch (error) {
      await giveBack(taken);
      throw error;
    }
  }

  return {
    async consume(limit, key) {
      await take(limit, key);
    },
    async attempt(limit, keys, work) {
      const taken = await takeEach(limit, [keys].flat());
      return limit.count === 'FAILURES' ? evaluate(taken, work) : work();
    },
    take,
    evaluate,
    async used(limit, key) {
      const known = withinTime(REDIS_MS, counterOf(limit).get(key));
      return known.then(
        (count) => count?.consumedPoints ?? 0,
        () => memory.used(`${limit.name} ${key}`),
      );
    },
  };
}

const ignore = (): void => undefined;

const rateLimited = (ms: number): Problem =>
  new Problem('RATE_LIMITED', 'Too many attempts. Try again later.', {
    retryable: true,
    retryAfterSeconds: Math.max(1, Math.ceil(ms / 1_000)),
  });

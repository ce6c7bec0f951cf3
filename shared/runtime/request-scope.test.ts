import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { setImmediate as turn } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { createCache, type Cache } from '../cache/cache.ts';
import { createRequestScope } from './request-scope.ts';

let redis: Redis;
let cache: Cache;
beforeAll(async () => {
  redis = new Redis(process.env['REDIS_URL']!);
  await redis.ping();
  cache = createCache(redis, { prefix: `test:${randomUUID()}`, patienceMs: 5_000 });
});
afterAll(() => redis.quit());

const LEFT = expect.objectContaining({ code: 'TIMEOUT' });

test('nothing is lent to who has left', async () => {
  const disconnect = new AbortController();
  const { whileConnected } = createRequestScope(cache, disconnect.signal);

  expect(whileConnected('tool')).toBe('tool');
  disconnect.abort();
  expect(() => whileConnected('tool')).toThrow(LEFT);
});

test('what others wait for as well is loaded to its end', async () => {
  const disconnect = new AbortController();
  const { whileConnected, cache: own } = createRequestScope(cache, disconnect.signal);
  const reached = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  const gone = own.cached('note', 60, async () => {
    reached.resolve();
    await gate.promise;
    return whileConnected('as the first loads it');
  });
  await reached.promise;
  const stays = cache.cached('note', 60, async () => 'as the second would');
  // What the second found in Redis comes before this; then it has joined.
  await redis.ping();
  await turn();

  disconnect.abort();
  gate.resolve();

  expect(await stays).toBe('as the first loads it');
  expect(await gone).toBe('as the first loads it');
  expect(() => whileConnected('tool')).toThrow(LEFT);
});

test('a load that fails does not keep the tools lent', async () => {
  const disconnect = new AbortController();
  const { whileConnected, cache: own } = createRequestScope(cache, disconnect.signal);
  disconnect.abort();
  const ids = ['n1', 'n2'];
  const load = async (missing: readonly string[]): Promise<string[]> => missing.map((id) => whileConnected(id));
  const failing = async (): Promise<string[]> => {
    throw new Error('the disk is full');
  };

  expect(await own.cachedMany(ids, { key: (id) => id, ttlSeconds: 60, load })).toEqual(ids);
  await expect(own.cachedMany(['n3'], { key: (id) => id, ttlSeconds: 60, load: failing })).rejects.toThrow('the disk is full');
  expect(() => whileConnected('tool')).toThrow(LEFT);
});

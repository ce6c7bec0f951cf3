import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, connect, type AddressInfo, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { Redis } from 'ioredis';
import { createCache, type Cache } from './cache.ts';
import { invalidateTags } from './cache-tags.ts';

const REDIS_URL = process.env['REDIS_URL'] ?? 'redis://127.0.0.1:6379';

const redis = new Redis(REDIS_URL);
const closers: (() => unknown)[] = [];
let prefix = '';
let cache: Cache;

beforeEach(() => {
  prefix = `t${randomUUID().slice(0, 8)}`;
  // Patient, so that a busy machine does not look like a slow Redis.
  cache = createCache(redis, { prefix, patienceMs: 5_000 });
});

afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

beforeAll(() => redis.ping());

afterAll(() => redis.quit());

/** A load that is held until it is told to go on, and counts how often it began. */
function gate<T>() {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const state = { began: 0, open: resolve, fail: reject, load: () => ((state.began += 1), promise) };
  return state;
}

const counter = <T>(...answers: T[]) => {
  const state = { calls: 0, load: async () => answers[Math.min(state.calls++, answers.length - 1)] as T };
  return state;
};

/** A line to Redis that can be held up as a slow network does. */
async function slowLine() {
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect(Number(new URL(REDIS_URL).port || 6379), new URL(REDIS_URL).hostname);
    near.pipe(far).pipe(near);
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('error', () => socket.destroy());
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const line = new Redis((server.address() as AddressInfo).port, '127.0.0.1', { maxRetriesPerRequest: 0, retryStrategy: () => null });
  line.on('error', () => undefined);
  await once(line, 'ready');
  closers.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const cut = async () => {
    const ended = new Promise((resolve) => line.once('end', resolve));
    for (const socket of sockets) socket.destroy();
    await ended;
  };
  return { line, cut, hold: () => sockets.forEach((socket) => socket.pause().unpipe()) };
}

describe('cached', () => {
  test('loads once, then gives what is kept, Dates included', async () => {
    const note = { id: 'n1', at: new Date('2026-03-01T08:30:00Z'), lines: [{ at: new Date(0) }], none: null, text: '2026-03-01T08:30:00Z' };

    const first = await cache.cached('note:n1', 60, async () => note);
    const second = await cache.cached('note:n1', 60, async () => 'not asked');

    expect(first).toBe(note);
    expect(second).toEqual(note);
  });

  test('has one load at a time for a key, and gives it to all', async () => {
    const slow = gate<string>();

    const answers = Array.from({ length: 20 }, () => cache.cached('note:n1', 60, slow.load));
    slow.open('text');

    expect(await Promise.all(answers)).toEqual(Array(20).fill('text'));
    expect(slow.began).toBe(1);
  });

  test('has one load for all who ask at once, however quick it is', async () => {
    const quick = counter('first', 'second');

    expect(await Promise.all(Array.from({ length: 20 }, () => cache.cached('note:n1', 60, quick.load)))).toEqual(Array(20).fill('first'));
    expect(quick.calls).toBe(1);
  });

  test('forgets after its time', async () => {
    await cache.cached('note:n1', 60, async () => 'text');

    const ttl = await redis.ttl(`${prefix}:cache:note:n1`);

    expect(ttl).toBeGreaterThan(55);
    expect(ttl).toBeLessThanOrEqual(60);
  });

  test.each([[0], [-1], [1.5], [86_401], [Number.NaN]])('refuses to keep for %p seconds', async (ttlSeconds) => {
    await expect(cache.cached('note:n1', ttlSeconds, async () => 1)).rejects.toThrow(RangeError);
  });

  test('tells a failed load to all who wait, and keeps nothing of it', async () => {
    const failing = gate<string>();
    const answers = [cache.cached('note:n1', 60, failing.load), cache.cached('note:n1', 60, failing.load)];
    failing.fail(new Error('the store is gone'));

    for (const answer of answers) await expect(answer).rejects.toThrow('the store is gone');
    expect(await cache.cached('note:n1', 60, async () => 'text')).toBe('text');
  });

  test('keeps "there is none" only when asked to', async () => {
    const loaded = counter<string | null>(null, null, 'text');
    await cache.cached('note:n1', 60, loaded.load);
    await cache.cached('note:n1', 60, loaded.load, { cacheNull: true });

    expect(await cache.cached('note:n1', 60, loaded.load)).toBeNull();
    expect(loaded.calls).toBe(2);
  });

  test.each([
    ['JSON cannot hold', 5n],
    ['holds itself', Object.assign({}, { self: null as unknown })],
  ])('gives a value that %s, and does not keep it', async (_case, value) => {
    if (typeof value === 'object') value.self = value;

    expect(await cache.cached('note:n1', 60, async () => value)).toBe(value);
    expect(await cache.cached('note:n1', 60, async () => 'again')).toBe('again');
  });

  test('loads again when what lies there is damaged', async () => {
    await cache.cached('note:n1', 60, async () => 'text');
    await redis.set(`${prefix}:cache:note:n1`, '-\n{"half');

    expect(await cache.cached('note:n1', 60, async () => 'again')).toBe('again');
  });
});

describe('cachedMany', () => {
  const many = (asked: string[][]) => ({
    key: (id: string) => `note:${id}`,
    ttlSeconds: 60,
    load: async (ids: string[]) => {
      asked.push(ids);
      return ids.map((id) => (id === 'none' ? null : `text of ${id}`));
    },
  });

  test('loads all that is missing at once, and keeps the order of ids', async () => {
    const asked: string[][] = [];
    await cache.cachedMany(['b'], many(asked));

    expect(await cache.cachedMany(['c', 'b', 'none', 'a', 'c'], many(asked))).toEqual([
      'text of c',
      'text of b',
      null,
      'text of a',
      'text of c',
    ]);
    expect(await cache.cachedMany(['a', 'none'], many(asked))).toEqual(['text of a', null]);
    expect(asked).toEqual([['b'], ['c', 'none', 'a'], ['none']]);
    expect(await cache.cachedMany([], many(asked))).toEqual([]);
  });

  test('joins what another caller loads already', async () => {
    const asked: string[][] = [];
    const slow = gate<string>();
    const single = cache.cached('note:a', 60, slow.load);
    await redis.ping();
    const both = cache.cachedMany(['a', 'b'], many(asked));
    await redis.ping();

    slow.open('text of the first');

    expect([await single, await both]).toEqual(['text of the first', ['text of the first', 'text of b']]);
    expect(asked).toEqual([['b']]);
  });
});

describe('invalidate', () => {
  test('makes everyone load again', async () => {
    const elsewhere = createCache(redis, { prefix, patienceMs: 5_000 });
    await cache.cached('note:n1', 60, async () => 'old');
    await cache.cached('note:n2', 60, async () => 'kept');

    await elsewhere.invalidate(['note:n1']);

    expect(await cache.cached('note:n1', 60, async () => 'new')).toBe('new');
    expect(await elsewhere.cached('note:n1', 60, async () => 'not asked')).toBe('new');
    expect(await cache.cached('note:n2', 60, async () => 'not asked')).toBe('kept');
  });

  test('of a group takes all pages at once, whatever their keys are', async () => {
    const page = (number: number, text: string, groups = ['notes:page:*']) =>
      cache.cached(`notes:page:${number}`, 60, async () => text, { groups });
    await page(1, 'old');
    await page(2, 'old');
    await page(3, 'kept', ['others:*']);

    await cache.invalidateGroup('notes:page:*');

    expect([await page(1, 'new'), await page(2, 'new'), await page(3, 'not asked', ['others:*'])]).toEqual(['new', 'new', 'kept']);
  });

  test.each([
    ['a key', (other: Cache) => other.invalidate(['note:n1'])],
    ['a group', (other: Cache) => other.invalidateGroup('notes')],
  ])('of %s makes worthless what began to load before, here and elsewhere', async (_what, invalidate) => {
    const elsewhere = createCache(redis, { prefix, patienceMs: 5_000 });
    const groups = ['notes'];
    const stale = gate<string>();
    const early = [cache, elsewhere].map((one) => one.cached('note:n1', 60, stale.load, { groups }));
    await redis.ping();

    await invalidate(elsewhere);
    const late = await Promise.all([cache, elsewhere].map((one) => one.cached('note:n1', 60, async () => 'new', { groups })));
    stale.open('old');

    expect(late).toEqual(['new', 'new']);
    expect(await Promise.all(early)).toEqual(['old', 'old']);
    expect(stale.began).toBe(2);
    // What was stored last is the old value; nobody may get it.
    await redis.ping();
    expect(await cache.cached('note:n1', 60, async () => 'newest', { groups })).toBe('newest');
  });

  test('of a tag takes whatever is about it, in every cache, and what was being loaded meanwhile', async () => {
    const other = createCache(redis, { prefix: `${prefix}:other`, tagPrefix: prefix, patienceMs: 5_000 });
    const loaded = counter('before', 'after');
    const tagsOf = (id: string) => [`Note:${id}`];
    const read = (ids: string[]) =>
      other.cachedMany(ids, {
        key: (id) => id,
        tagsOf,
        ttlSeconds: 60,
        load: async (missing) => missing.map(() => `load ${loaded.calls++}`),
      });
    await read(['n1', 'n2']);
    const slow = gate<string>();
    const overtaken = cache.cached('note:n1', 60, slow.load, { tags: ['Note:n1'] });

    await invalidateTags(redis, prefix, ['Note:n1']);
    slow.open('before');

    expect(await overtaken).toBe('before');
    expect(await cache.cached('note:n1', 60, async () => 'after', { tags: ['Note:n1'] })).toBe('after');
    expect(await read(['n1', 'n2'])).toEqual(['load 2', 'load 1']);
  });

  test('asks for no list of keys', async () => {
    await cache.cached('note:n1', 60, async () => 'old', { groups: ['notes'] });
    const before = String(await redis.info('commandstats'));

    await cache.invalidateGroup('notes');

    const calls = (text: string) => /cmdstat_(?:keys|scan):calls=(\d+)/.exec(text)?.[1] ?? '0';
    expect(calls(String(await redis.info('commandstats')))).toBe(calls(before));
  });
});

describe('when Redis', () => {
  test('is slow, readers load for themselves after a short wait, then without any', async () => {
    const { line, hold } = await slowLine();
    const impatient = createCache(line, { prefix, patienceMs: 300 });
    await impatient.cached('note:n1', 60, async () => 'kept');
    hold();

    const began = performance.now();
    expect(await impatient.cached('note:n1', 60, async () => 'loaded')).toBe('loaded');
    const waited = performance.now() - began;
    for (let index = 0; index < 50; index += 1) expect(await impatient.cached('note:n1', 60, async () => index)).toBe(index);

    expect(waited).toBeGreaterThanOrEqual(290);
    expect(performance.now() - began).toBeLessThan(10 * 300);
  });

  test('is gone, readers load, one at a time for a key, and whoever invalidates is told', async () => {
    const { line, cut } = await slowLine();
    const alone = createCache(line, { prefix });
    await alone.cached('note:n1', 60, async () => 'kept');
    await cut();
    const slow = gate<string>();

    const answers = [alone.cached('note:n1', 60, slow.load), alone.cached('note:n1', 60, slow.load)];
    slow.open('loaded');

    expect(await Promise.all(answers)).toEqual(['loaded', 'loaded']);
    expect(slow.began).toBe(1);
    await expect(alone.invalidate(['note:n1'])).rejects.toEqual(expect.objectContaining({ code: 'UNAVAILABLE', retryable: true }));
  });

  test('is gone, nobody joins a load of what events tell of: it may have begun before one', async () => {
    const { line, cut } = await slowLine();
    const alone = createCache(line, { prefix });
    await cut();
    const slow = gate<string>();
    const before = alone.cached('note:n1', 60, slow.load, { tags: ['Note:n1'] });

    expect(await alone.cached('note:n1', 60, async () => 'after', { tags: ['Note:n1'] })).toBe('after');
    slow.open('before');
    expect(await before).toBe('before');
  });
});

import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { ExecutionResult } from 'graphql';
import { Redis } from 'ioredis';
import type { Viewer } from '#shared/base/identity.ts';
import type { Engine } from '../engine/types.ts';
import { createEntityStore, type EntityStore } from './entity-store.ts';
import { ask, requestedIds, engineOf, openLibrary, reading, markingAsShared, type Library } from './test-library.ts';

const REDIS_URL = process.env['REDIS_URL']!;
/** So that a busy machine does not look like a slow Redis. */
const PATIENCE_MS = 5_000;

const redis = new Redis(REDIS_URL);
const closers: (() => unknown)[] = [];
let prefix: string;
let library: Library;
let store: EntityStore;
let engine: Engine;

beforeAll(() => redis.ping());
beforeEach(() => {
  prefix = `t${randomUUID().slice(0, 8)}`;
  library = openLibrary();
  store = createEntityStore({ redis, prefix, patienceMs: PATIENCE_MS });
  engine = engineOf(library, { store });
});
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});
afterAll(() => redis.quit());

const titles = async (...ids: string[]) =>
  (await ask(engine, reading('title', ...ids))).data.notes.map(({ book }) => book?.['title'] ?? null);
const viewer = (id: string): Viewer => ({ id, roles: [], scopes: [] });

describe('does not cache', () => {
  test.each(['{ notes(ids: ["a"]) { book { title mine } } }', '{ notes(ids: ["a"]) { diary { mine } } }'])(
    'what is private, whatever the subgraph says of its answer: %s',
    async (source) => {
      const of = markingAsShared(library, store, () => 60);
      const [one, other] = [await ask(of, source, viewer('p1')), await ask(of, source, viewer('p2'))];

      expect(JSON.stringify(one.data)).toContain('of p1');
      expect(JSON.stringify(other.data)).toContain('of p2');
      expect(store.counters.stored).toBe(0);
    },
  );

  test('a missing entity', async () => {
    expect(await titles('z')).toEqual([null]);
    library.titles.set('z', 'Title z');

    expect(await titles('z')).toEqual(['Title z']);
  });

  test('a response with errors, while older entries stay valid', async () => {
    await titles('a');
    library.titles.set('b', 'broken');

    const { data, errors } = await ask(engine, reading('title', 'a', 'b', 'c'));
    library.titles.set('b', 'mended');

    expect(data.notes.map(({ book }) => book)).toEqual([{ title: 'Title a' }, { title: null }, { title: 'Title c' }]);
    expect(errors?.map(({ path }) => path)).toEqual([['notes', 1, 'book', 'title']]);
    expect(await titles('a', 'b', 'c')).toEqual(['Title a', 'mended', 'Title c']);
    expect(requestedIds(library)).toEqual([['a'], ['b', 'c'], ['b', 'c']]);
  });

  test.each([
    ['too few', { data: { _entities: [] } }, 'SUBGRAPH_ANSWER_INVALID'],
    ['no objects', { data: { _entities: ['b', 'c'] } }, 'SUBGRAPH_ANSWER_INVALID'],
    ['nothing', { data: null }, 'SUBGRAPH_ANSWER_INVALID'],
    ['entities without what was asked for', { data: { _entities: [{}, {}] } }, undefined],
  ])('a response that is %s, which costs only the misses', async (_case, answer, code) => {
    await titles('a');
    const execute = async (): Promise<ExecutionResult> => answer;
    const of = engineOf(library, { store, transports: { books: { ...library.books, execute } } });

    const { data, errors } = await ask(of, reading('title', 'b', 'a', 'c'));

    expect(data.notes.map(({ book }) => book)).toEqual([{ title: null }, { title: 'Title a' }, { title: null }]);
    expect(errors?.map(({ path, extensions }) => [path?.[1], extensions['code']])).toEqual(
      code && [
        [0, code],
        [2, code],
      ],
    );
    expect(await titles('b', 'a', 'c')).toEqual(['Title b', 'Title a', 'Title c']);
  });
});

test('fetches entities every time that are too large, or beyond the budget', async () => {
  library.titles.set('a', 'x'.repeat(40_000));
  const narrow = createEntityStore({ redis, prefix, patienceMs: PATIENCE_MS, maxBytes: 120 });
  const of = engineOf(library, { store: narrow });
  for (const _time of [1, 2]) await ask(of, reading('title', 'a'));
  for (const id of ['b', 'c', 'd']) for (const _time of [1, 2]) await ask(of, reading('title', id));

  expect(requestedIds(library).flat()).toEqual(['a', 'a', 'b', 'c', 'c', 'd', 'd']);
});

describe('Redis', () => {
  test.each([
    ['no JSON', '{"half'],
    ['no entity', '[1]'],
    ['null', 'null'],
    ['another shape', '{"author": 5}'],
    ['less than was asked for', '{}'],
  ])('holds %s: the entity is fetched', async (_case, garbage) => {
    await ask(engine, reading('author { name }', 'a'));
    const [key] = await redis.keys(`${prefix}:entity:*`);
    await redis.set(key!, `- -\n${garbage}`);

    const { data } = await ask(engine, reading('author { name }', 'a'));

    expect(data.notes).toEqual([{ book: { author: { name: 'Author of a' } } }]);
    expect(library.books.asked).toHaveLength(2);
  });

  test('holds another kind of value: the entity is fetched, and nothing is thrown', async () => {
    await titles('a');
    const [key] = await redis.keys(`${prefix}:entity:*`);
    await redis.del(key!);
    await redis.rpush(key!, 'a list');

    expect(await titles('a')).toEqual(['Title a']);
    expect(await titles('a')).toEqual(['Title a']);
  });

  test('is slow: entities are fetched after a short wait, then without any', async () => {
    const { line, hold } = await slowLine();
    const patienceMs = 1_000;
    const of = engineOf(library, { store: createEntityStore({ redis: line, prefix, patienceMs }) });
    hold();
    const since = performance.now();
    await ask(of, reading('title', 'a'));
    const waited = performance.now() - since;
    const then = performance.now();
    for (const id of 'bcdef') await ask(of, reading('title', id));

    expect(waited).toBeGreaterThanOrEqual(patienceMs - 5);
    expect(performance.now() - then).toBeLessThan(4 * patienceMs);
    expect(requestedIds(library)).toEqual([['a'], ['b'], ['c'], ['d'], ['e'], ['f']]);
  });

  test('is down: the entity is fetched', async () => {
    const { line, cut } = await slowLine();
    const of = engineOf(library, { store: createEntityStore({ redis: line, prefix, patienceMs: PATIENCE_MS }) });
    await ask(of, reading('title', 'a'));
    await cut();

    expect((await ask(of, reading('title', 'a'))).data.notes).toEqual([{ book: { title: 'Title a' } }]);
    expect(library.books.asked).toHaveLength(2);
  });
});

/** A line to Redis that can be held up as a slow network does, or cut. */
async function slowLine() {
  const sockets = new Set<Socket>();
  const { port, hostname } = new URL(REDIS_URL);
  const server = createServer((near) => {
    const far = connect(Number(port), hostname);
    near.pipe(far).pipe(near);
    for (const socket of [near, far]) sockets.add(socket.on('error', () => socket.destroy()));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const line = new Redis((server.address() as AddressInfo).port, '127.0.0.1', { maxRetriesPerRequest: 0, retryStrategy: () => null });
  line.on('error', () => undefined);
  await once(line, 'ready');
  const end = (): void => sockets.forEach((socket) => socket.destroy());
  closers.push(() => (end(), server.close(), line.disconnect()));
  return {
    line,
    hold: () => sockets.forEach((socket) => socket.pause().unpipe()),
    async cut() {
      const ended = new Promise((resolve) => line.once('end', resolve));
      end();
      await ended;
    },
  };
}

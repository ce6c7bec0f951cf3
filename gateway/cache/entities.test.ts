import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { parse, type ExecutionResult } from 'graphql';
import { Redis } from 'ioredis';
import type { Viewer } from '../../shared/identity.ts';
import { createLog } from '../../shared/log.ts';
import { renewTags } from '../../shared/stamps.ts';
import type { SubgraphTransport } from '../../shared/transport.ts';
import { openEngine } from '../engine/open.ts';
import type { Engine } from '../engine.ts';
import { applyRules, readRules } from '../rules.ts';
import { createEntityStore, type EntityStore } from './entity-store.ts';
import { openLibrary, type Library } from './test-library.ts';

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
  engine = engineOf(library, store);
});
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});
afterAll(() => redis.quit());

/** With all rules, as clients get it. */
function engineOf(
  { supergraphSdl, notes, books }: Library,
  entityStore: EntityStore,
  others: Record<string, SubgraphTransport> = {},
): Engine {
  const core = openEngine({ supergraphSdl, transports: { notes, books, ...others }, entityStore, log: createLog('test') });
  return applyRules(core, readRules(supergraphSdl, core.schema));
}

const ask = async (source: string, { viewer = null, of = engine }: { viewer?: Viewer | null; of?: Engine } = {}) =>
  (await of.execute({
    source,
    document: parse(source),
    variables: {},
    identity: { issuer: 'gateway', viewer },
    correlationId: 'test',
    deadline: Date.now() + 20_000,
  })) as ExecutionResult & { data: { notes: Record<string, Record<string, unknown> | null>[] } };

const reading = (fields: string, ...ids: string[]): string => `{ notes(ids: ${JSON.stringify(ids)}) { book { ${fields} } } }`;
const titles = async (...ids: string[]) => (await ask(reading('title', ...ids))).data.notes.map(({ book }) => book?.['title'] ?? null);
const changed = (...tags: string[]): Promise<void> => renewTags(redis, prefix, tags);
/** The ids that the subgraph of books was asked for, fetch by fetch. */
const asked = (of = library): string[][] =>
  of.books.asked.map(({ variables }) => (variables!['representations'] as { id: string }[]).map(({ id }) => id));
const viewer = (id: string, scopes: string[] = []): Viewer => ({ id, roles: [], scopes });

describe('an entity that is the same for everybody', () => {
  test('is asked for once, then comes from Redis, and those that are missing are asked for alone, in their places', async () => {
    expect(await titles('a', 'c')).toEqual(['Title a', 'Title c']);

    expect(await titles('a', 'b', 'c', 'd')).toEqual(['Title a', 'Title b', 'Title c', 'Title d']);
    expect(await titles('d', 'a')).toEqual(['Title d', 'Title a']);
    expect(asked()).toEqual([
      ['a', 'c'],
      ['b', 'd'],
    ]);
    expect(store.counters).toEqual({ hits: 4, misses: 4, stale: 0, stored: 4 });
  });

  test('is kept for its own maxAge at most, by the field that lasts shortest', async () => {
    await ask(reading('title brief', 'a'));

    const [key] = await redis.keys(`${prefix}:entity:*`);
    expect(await redis.ttl(key!)).toBeGreaterThan(3);
    expect(await redis.ttl(key!)).toBeLessThanOrEqual(5);
  });

  test.each([
    ['other fields', reading('title brief', 'a')],
    ['another alias', reading('other: title', 'a')],
    ['other arguments', reading('title pages(from: 3)', 'a')],
  ])('is another one with %s', async (_case, source) => {
    await ask(reading('title', 'a'));
    await ask(reading('title pages(from: 2)', 'a'));
    await ask(source);

    expect(asked()).toHaveLength(3);
  });

  test.each([
    ['what its fields give, where that inherits its age', 'author { name }', 1],
    ['the key of another entity', 'next { id }', 1],
    ['a part of it that is an entity', 'sequel { id title }', 1],
    ['more of another entity', 'next { id title }', 2],
    ['what lasts no time', 'title now', 2],
    ['what says nothing of its age', 'title unhinted { name }', 2],
    ['what is private', 'title mine', 2],
  ])('with %s', async (_case, fields, times) => {
    const first = await ask(reading(fields, 'a'));
    const second = await ask(reading(fields, 'a'));

    expect(second).toEqual(first);
    expect(first.errors).toBeUndefined();
    expect(asked()).toHaveLength(times);
  });

  test('is asked for anew by the supergraph that comes after this one, and by a mutation', async () => {
    await titles('a');
    library.titles.set('a', 'New');

    const after = openLibrary({ more: 'added: String' });
    const read = await ask(reading('title', 'a'), { of: engineOf(after, store) });
    const written = await ask('mutation { touch(id: "a") { book { title } } }');

    expect(read.data.notes).toEqual([{ book: { title: 'Title a' } }]);
    expect(asked(after)).toEqual([['a']]);
    expect(written.data).toEqual({ touch: { book: { title: 'New' } } });
  });
});

describe('an event that names an entity', () => {
  test.each([
    ['it', 'Book:a', ['New a', 'Title b']],
    ['its type', 'Book', ['New a', 'New b']],
    ['another one', 'Book:c', ['Title a', 'Title b']],
  ])('by %s makes what was kept worthless', async (_case, tag, expected) => {
    await titles('a', 'b');
    library.titles.set('a', 'New a').set('b', 'New b');

    await changed(tag);

    expect(await titles('a', 'b')).toEqual(expected);
    expect(await titles('a', 'b')).toEqual(expected);
    expect(store.counters.stale).toBe(expected.filter((title) => title.startsWith('New')).length);
  });

  test('while it is read makes what is read worthless for everybody after', async () => {
    const told = Promise.withResolvers<void>();
    library.hold.until = told.promise;
    const read = new Promise<void>((resolve) => (library.hold.read = resolve));
    const slow = titles('a');
    await read;
    library.titles.set('a', 'New');
    await changed('Book:a');
    told.resolve();

    expect(await slow).toEqual(['Title a']);
    expect(await titles('a')).toEqual(['New']);
    expect(await titles('a')).toEqual(['New']);
    expect(library.books.asked).toHaveLength(2);
  });
});

describe('who asks', () => {
  test('gets what is protected for himself alone', async () => {
    const source = reading('title guarded', 'a');
    const answers = [];
    for (const who of [viewer('p1'), viewer('p2'), viewer('p1'), viewer('p1', ['read'])])
      answers.push((await ask(source, { viewer: who })).data.notes[0]!['book']!['guarded']);

    expect(answers).toEqual(['for p1', 'for p2', 'for p1', 'for p1']);
    expect(asked()).toHaveLength(3);
  });

  test('without the right gets nothing of it, kept or not', async () => {
    await ask(reading('title scoped', 'a'), { viewer: viewer('p1', ['read']) });

    const { data, errors } = await ask(reading('title scoped', 'a'), { viewer: viewer('p2') });

    expect(data.notes).toEqual([{ book: { title: 'Title a', scoped: null } }]);
    expect(errors?.map(({ extensions }) => extensions['code'])).toEqual(['FORBIDDEN']);
  });

  test('is not shared with where nothing is said of whom it is for, unless the subgraph says so of its answer', async () => {
    const source = '{ notes(ids: ["a"]) { shelf { name } } }';
    let seconds = 0;
    const told = vouching(() => seconds);
    const shelfFor = async (who: string) => (await ask(source, { viewer: viewer(who), of: told })).data.notes[0]!['shelf'];

    expect([await shelfFor('p1'), await shelfFor('p2')]).toEqual([{ name: 'for p1' }, { name: 'for p2' }]);
    seconds = 7;
    expect([await shelfFor('p3'), await shelfFor('p4')]).toEqual([{ name: 'for p3' }, { name: 'for p3' }]);
    const [key] = await redis.keys(`${prefix}:entity:*`);
    expect(await redis.ttl(key!)).toBeLessThanOrEqual(7);
  });
});

/** The library, whose subgraph says of each answer that everybody is told the same for so long. */
function vouching(seconds: () => number): Engine {
  const execute: SubgraphTransport['execute'] = async (request) => ({
    ...(await library.books.execute(request)),
    extensions: { sameForAllSeconds: seconds() },
  });
  return engineOf(library, store, { books: { ...library.books, execute } });
}

describe('not kept is', () => {
  test.each(['{ notes(ids: ["a"]) { book { title mine } } }', '{ notes(ids: ["a"]) { diary { mine } } }'])(
    'what is private, whatever the subgraph says of its answer: %s',
    async (source) => {
      const of = vouching(() => 60);
      const [one, other] = [await ask(source, { viewer: viewer('p1'), of }), await ask(source, { viewer: viewer('p2'), of })];

      expect(JSON.stringify(one.data)).toContain('of p1');
      expect(JSON.stringify(other.data)).toContain('of p2');
      expect(store.counters.stored).toBe(0);
    },
  );

  test('an entity that is not there', async () => {
    expect(await titles('z')).toEqual([null]);
    library.titles.set('z', 'Title z');

    expect(await titles('z')).toEqual(['Title z']);
  });

  test('an answer with errors, while what was kept before stands', async () => {
    await titles('a');
    library.titles.set('b', 'broken');

    const { data, errors } = await ask(reading('title', 'a', 'b', 'c'));
    library.titles.set('b', 'mended');

    expect(data.notes.map(({ book }) => book)).toEqual([{ title: 'Title a' }, { title: null }, { title: 'Title c' }]);
    expect(errors?.map(({ path }) => path)).toEqual([['notes', 1, 'book', 'title']]);
    expect(await titles('a', 'b', 'c')).toEqual(['Title a', 'mended', 'Title c']);
    expect(asked()).toEqual([['a'], ['b', 'c'], ['b', 'c']]);
  });

  test.each([
    ['too few', { data: { _entities: [] } }, 'SUBGRAPH_ANSWER_INVALID'],
    ['no objects', { data: { _entities: ['b', 'c'] } }, 'SUBGRAPH_ANSWER_INVALID'],
    ['nothing', { data: null }, 'SUBGRAPH_ANSWER_INVALID'],
    ['entities without what was asked for', { data: { _entities: [{}, {}] } }, undefined],
  ])('an answer that is %s, which costs only what was missing', async (_case, answer, code) => {
    await titles('a');
    const execute = async (): Promise<ExecutionResult> => answer;

    const { data, errors } = await ask(reading('title', 'b', 'a', 'c'), {
      of: engineOf(library, store, { books: { ...library.books, execute } }),
    });

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

describe('Redis', () => {
  test.each([
    ['no JSON', '{"half'],
    ['no entity', '[1]'],
    ['null', 'null'],
    ['another shape', '{"author": 5}'],
    ['less than was asked for', '{}'],
  ])('holds %s: the subgraph is asked', async (_case, garbage) => {
    await ask(reading('author { name }', 'a'));
    const [key] = await redis.keys(`${prefix}:entity:*`);
    await redis.set(key!, `- -\n${garbage}`);

    const { data } = await ask(reading('author { name }', 'a'));

    expect(data.notes).toEqual([{ book: { author: { name: 'Author of a' } } }]);
    expect(library.books.asked).toHaveLength(2);
  });

  test('holds another kind of value: the subgraph is asked, and nothing is thrown', async () => {
    await titles('a');
    const [key] = await redis.keys(`${prefix}:entity:*`);
    await redis.del(key!);
    await redis.rpush(key!, 'a list');

    expect(await titles('a')).toEqual(['Title a']);
    expect(await titles('a')).toEqual(['Title a']);
  });

  test('is slow: the subgraph is asked after a short wait, then without any', async () => {
    const { line, hold } = await slowLine();
    const patienceMs = 300;
    const of = engineOf(library, createEntityStore({ redis: line, prefix, patienceMs }));
    hold();
    const since = performance.now();
    await ask(reading('title', 'a'), { of });
    const waited = performance.now() - since;
    const then = performance.now();
    for (const id of 'bcdef') await ask(reading('title', id), { of });

    expect(waited).toBeGreaterThanOrEqual(patienceMs - 5);
    expect(performance.now() - then).toBeLessThan(4 * patienceMs);
    expect(asked()).toEqual([['a'], ['b'], ['c'], ['d'], ['e'], ['f']]);
  });

  test('is gone: the subgraph is asked', async () => {
    const { line, cut } = await slowLine();
    const of = engineOf(library, createEntityStore({ redis: line, prefix, patienceMs: PATIENCE_MS }));
    await ask(reading('title', 'a'), { of });
    await cut();

    expect((await ask(reading('title', 'a'), { of })).data.notes).toEqual([{ book: { title: 'Title a' } }]);
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

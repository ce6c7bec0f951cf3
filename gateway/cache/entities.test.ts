import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { Redis } from 'ioredis';
import type { Viewer } from '#shared/base/identity.ts';
import { invalidateTags } from '#shared/cache/cache-tags.ts';
import type { Engine } from '../engine/types.ts';
import { createEntityStore, type EntityStore } from './entity-store.ts';
import { ask, requestedIds, engineOf, openLibrary, reading, markingAsShared, type Library } from './test-library.ts';

/** So that a busy machine does not look like a slow Redis. */
const PATIENCE_MS = 5_000;

const redis = new Redis(process.env['REDIS_URL']!);
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
afterAll(() => redis.quit());

const titles = async (...ids: string[]) =>
  (await ask(engine, reading('title', ...ids))).data.notes.map(({ book }) => book?.['title'] ?? null);
const changed = (...tags: string[]): Promise<void> => invalidateTags(redis, prefix, tags);
const viewer = (id: string, scopes: string[] = []): Viewer => ({ id, roles: [], scopes });

describe('a viewer-independent entity', () => {
  test('is fetched once, then read from Redis; only misses are fetched', async () => {
    expect(await titles('a', 'c')).toEqual(['Title a', 'Title c']);

    expect(await titles('a', 'b', 'c', 'd')).toEqual(['Title a', 'Title b', 'Title c', 'Title d']);
    expect(await titles('d', 'a')).toEqual(['Title d', 'Title a']);
    expect(requestedIds(library)).toEqual([
      ['a', 'c'],
      ['b', 'd'],
    ]);
    expect(store.counters).toEqual({ hits: 4, misses: 4, stale: 0, stored: 4 });
  });

  test('is cached for the shortest max age of its fields', async () => {
    await ask(engine, reading('title brief', 'a'));

    const [key] = await redis.keys(`${prefix}:entity:*`);
    expect(await redis.ttl(key!)).toBeGreaterThan(3);
    expect(await redis.ttl(key!)).toBeLessThanOrEqual(5);
  });

  test.each([
    ['other fields', reading('title brief', 'a')],
    ['another alias', reading('other: title', 'a')],
    ['other arguments', reading('title pages(from: 3)', 'a')],
  ])('has another key with %s', async (_case, source) => {
    await ask(engine, reading('title', 'a'));
    await ask(engine, reading('title pages(from: 2)', 'a'));
    await ask(engine, source);

    expect(requestedIds(library)).toHaveLength(3);
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
    const first = await ask(engine, reading(fields, 'a'));
    const second = await ask(engine, reading(fields, 'a'));

    expect(second).toEqual(first);
    expect(first.errors).toBeUndefined();
    expect(requestedIds(library)).toHaveLength(times);
  });

  test('is fetched again on another supergraph, and in a mutation', async () => {
    await titles('a');
    library.titles.set('a', 'New');

    const after = openLibrary({ more: 'added: String' });
    const read = await ask(engineOf(after, { store }), reading('title', 'a'));
    const written = await ask(engine, 'mutation { touch(id: "a") { book { title } } }');

    expect(read.data.notes).toEqual([{ book: { title: 'Title a' } }]);
    expect(requestedIds(after)).toEqual([['a']]);
    expect(written.data).toEqual({ touch: { book: { title: 'New' } } });
  });
});

describe('an event with the tag of an entity', () => {
  test.each([
    ['it', 'Book:a', ['New a', 'Title b']],
    ['its type', 'Book', ['New a', 'New b']],
    ['another one', 'Book:c', ['Title a', 'Title b']],
  ])('invalidates its cache entries by %s', async (_case, tag, expected) => {
    await titles('a', 'b');
    library.titles.set('a', 'New a').set('b', 'New b');

    await changed(tag);

    expect(await titles('a', 'b')).toEqual(expected);
    expect(await titles('a', 'b')).toEqual(expected);
    expect(store.counters.stale).toBe(expected.filter((title) => title.startsWith('New')).length);
  });

  test('during a fetch keeps the result out of the cache', async () => {
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

describe('a viewer', () => {
  test('has cache entries of its own for restricted fields', async () => {
    const source = reading('title guarded', 'a');
    const responses = [];
    for (const who of [viewer('p1'), viewer('p2'), viewer('p1'), viewer('p1', ['read'])])
      responses.push((await ask(engine, source, who)).data.notes[0]!['book']!['guarded']);

    expect(responses).toEqual(['for p1', 'for p2', 'for p1', 'for p1']);
    expect(requestedIds(library)).toHaveLength(3);
  });

  test('without the right gets null, cached or not', async () => {
    await ask(engine, reading('title scoped', 'a'), viewer('p1', ['read']));

    const { data, errors } = await ask(engine, reading('title scoped', 'a'), viewer('p2'));

    expect(data.notes).toEqual([{ book: { title: 'Title a', scoped: null } }]);
    expect(errors?.map(({ extensions }) => extensions['code'])).toEqual(['FORBIDDEN']);
  });

  test('shares no entity without a scope, unless the subgraph marks the response as viewer-independent', async () => {
    const source = '{ notes(ids: ["a"]) { shelf { name } } }';
    let seconds = 0;
    const told = markingAsShared(library, store, () => seconds);
    const shelfFor = async (who: string) => (await ask(told, source, viewer(who))).data.notes[0]!['shelf'];

    expect([await shelfFor('p1'), await shelfFor('p2')]).toEqual([{ name: 'for p1' }, { name: 'for p2' }]);
    seconds = 7;
    expect([await shelfFor('p3'), await shelfFor('p4')]).toEqual([{ name: 'for p3' }, { name: 'for p3' }]);
    const [key] = await redis.keys(`${prefix}:entity:*`);
    expect(await redis.ttl(key!)).toBeLessThanOrEqual(7);
  });
});

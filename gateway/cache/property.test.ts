import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { ExecutionResult } from 'graphql';
import { Redis } from 'ioredis';
import type { Viewer } from '#shared/base/identity.ts';
import { invalidateTags } from '#shared/cache/cache-tags.ts';
import type { Engine } from '../engine/types.ts';
import { createEntityStore, type EntityStore } from './entity-store.ts';
import { ask, engineOf, openLibrary, type Library } from './test-library.ts';

/*
 * Various viewers read and write a library through two gateways that share a cache. Viewer-dependent fields return the viewer's name,
 * so a response that differs from the one without a cache is stale or belongs to another viewer.
 */

/** Without dedupe: a joined fetch may return an older state. */
const ALONE = { operations: false, fetches: false };
const redis = new Redis(process.env['REDIS_URL']!);
const prefix = `t${randomUUID().slice(0, 8)}`;
let library: Library;
let store: EntityStore;
let cached: Engine[];
let plain: Engine;

beforeAll(async () => {
  await redis.ping();
  library = openLibrary();
  store = createEntityStore({ redis, prefix, patienceMs: 5_000 });
  cached = [engineOf(library, { store, dedupe: ALONE }), engineOf(library, { store, dedupe: ALONE })];
  plain = engineOf(library, { dedupe: ALONE });
});
afterAll(() => redis.quit());

const VIEWERS: (Viewer | null)[] = [
  null,
  { id: 'p1', roles: [], scopes: [] },
  { id: 'p1', roles: [], scopes: ['read'] },
  { id: 'p2', roles: [], scopes: ['read'] },
];
const IDS = ['a', 'b', 'z'];
const FIELDS = ['title', 'pages(from: 2)', 'brief', 'mine', 'guarded', 'scoped', 'author { name }', 'next { id }', 'sequel { id title }'];

interface Reading {
  ids: string[];
  fields: string[];
  shelf: boolean;
  viewer: Viewer | null;
  gateway: number;
}

const reading: fc.Arbitrary<Reading> = fc.record({
  ids: fc.subarray(IDS, { minLength: 1 }),
  fields: fc.subarray(FIELDS, { minLength: 1, maxLength: 2 }),
  shelf: fc.boolean(),
  viewer: fc.constantFrom(...VIEWERS),
  gateway: fc.nat({ max: 1 }),
});
const writing = fc.record({ id: fc.constantFrom(...IDS), title: fc.string({ maxLength: 3 }) });
const steps = fc.array(fc.oneof({ arbitrary: reading, weight: 4 }, { arbitrary: writing, weight: 1 }), { minLength: 10, maxLength: 20 });

const response = (engine: Engine, { ids, fields, shelf, viewer }: Reading) =>
  ask(engine, `{ notes(ids: ${JSON.stringify(ids)}) { book { ${fields.join(' ')} } ${shelf ? 'shelf { name }' : ''} } }`, viewer);

const plainly = ({ data, errors = [] }: ExecutionResult): unknown => [
  JSON.parse(JSON.stringify(data)),
  errors.map(({ path, extensions }) => `${path?.join('.')} ${String(extensions['code'])}`).toSorted(),
];

test('returns to every viewer what it would get without the cache', async () => {
  await fc.assert(
    fc.asyncProperty(steps, async (taken) => {
      for (const step of taken) {
        if ('title' in step) {
          library.titles.set(step.id, step.title);
          // A part is named by the events of its whole as well.
          await invalidateTags(
            redis,
            prefix,
            IDS.map((id) => `Book:${id}`),
          );
          continue;
        }
        expect(plainly(await response(cached[step.gateway]!, step))).toEqual(plainly(await response(plain, step)));
      }
    }),
    { numRuns: 60 },
  );
  expect(store.counters.hits).toBeGreaterThan(30);
}, 60_000);

import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Redis } from 'ioredis';
import { createEntityStore, type EntityStore } from '../cache/entity-store.ts';
import { openEngine } from '../supergraph/open-engine.ts';
import { dedupeOperations } from '../dedupe/dedupe-operations.ts';
import { cacheable } from './testing/cacheable.ts';
import { inequalities } from './testing/compare.ts';
import { operations } from './testing/operations.ts';
import { resultsOf } from './testing/run.ts';
import { composed, transportsOf, type TestSupergraph } from './testing/supergraph.ts';
import { fixtures } from './testing/fixtures.ts';

/*
 * Random operations over the small supergraphs with everything cacheable: the responses are the same with and without the cache. A long run:
 *
 *   CONFORMANCE_OPERATIONS=5000 SEED=1 npm test -- gateway/conformance/cached.test.ts
 */

const OPERATIONS = Number(process.env['CONFORMANCE_OPERATIONS'] ?? 250);
const SEED = Number(process.env['SEED'] ?? 1);
const TIME_MS = 30_000 + OPERATIONS * 50;
const log = { info: () => undefined, warn: () => undefined, error: () => undefined } as never;
const redis = new Redis(process.env['REDIS_URL']!);
const counted = { hits: 0, stored: 0 };

beforeAll(() => redis.ping());
afterAll(async () => {
  await redis.quit();
  process.stdout.write(`seed ${SEED}, entities: ${counted.stored} stored, ${counted.hits} taken from the cache\n`);
});

function openAll(fixture: TestSupergraph) {
  const supergraphSdl = cacheable(composed(fixture));
  const engineOf = (entityStore?: EntityStore) =>
    dedupeOperations(openEngine({ supergraphSdl, transports: transportsOf(fixture), log, entityStore }), {
      dedupe: { operations: false, fetches: false },
      scopeOf: () => '',
    });
  const store = createEntityStore({ redis, prefix: `t${randomUUID().slice(0, 8)}`, patienceMs: 5_000 });
  return { store, plain: engineOf(), cached: engineOf(store) };
}

const answersAsWithout = async (fixture: TestSupergraph): Promise<void> => {
  const { store, plain, cached } = openAll(fixture);
  const queries = operations(plain.schema, fixture).filter(({ source }) => source.startsWith('query'));
  await fc.assert(
    fc.asyncProperty(queries, async (operation) => {
      const expected = await resultsOf(plain, operation);

      for (const _time of ['empty', 'full']) expect(inequalities(await resultsOf(cached, operation), expected)).toEqual([]);
    }),
    { numRuns: Math.ceil(OPERATIONS / fixtures.length), seed: SEED },
  );
  counted.hits += store.counters.hits;
  counted.stored += store.counters.stored;
};

test.each(fixtures)('$name', answersAsWithout, TIME_MS);

test('reads many entities from the cache', () => {
  expect(counted.hits).toBeGreaterThan(fixtures.length);
});

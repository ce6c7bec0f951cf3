import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { print, parse, validate } from 'graphql';
import { createLog } from '#shared/base/log.ts';
import { openEngine } from '../supergraph/open-engine.ts';
import type { Engine } from '../engine/types.ts';
import { isAboutNull, partsOf, withDefers, withNullsOf, withoutDeferred, withoutMarks } from './testing/deferred.ts';
import { createRandom } from './testing/faults.ts';
import { operations } from './testing/operations.ts';
import { resultsOf } from './testing/run.ts';
import { composed, transportsOf } from './testing/supergraph.ts';
import { fixtures } from './testing/fixtures.ts';

/* Random deferred selections: the first response equals that of the rest, and all parts merged equal the response in one piece. */

const RUNS = Number(process.env['DEFERRED_RUNS'] ?? 8);

/** In these fixtures a response depends on earlier requests, or a null of one part on the selections of another. */
const OTHERS = ['interface-objects', 'mutations', 'nulls', 'streams'];

describe.each(fixtures.filter(({ name }) => !OTHERS.includes(name)).map((fixture) => [fixture.name, fixture] as const))(
  '%s',
  (_name, fixture) => {
    let engine: Engine;
    beforeAll(() => {
      engine = openEngine({ supergraphSdl: composed(fixture), transports: transportsOf(fixture), log: createLog('test') });
    });
    afterAll(() => engine.close());

    test('gives in parts the same result as in one piece', async () => {
      const cases = fc.record({ random: operations(engine.schema, fixture), seed: fc.integer() });

      await fc.assert(
        fc.asyncProperty(cases, async ({ random: { source, variables }, seed }) => {
          fc.pre(!source.startsWith('subscription'));
          const [plain] = await resultsOf(engine, { source, variables });
          // Beside errors and missing entities, a null may reach as far as its part.
          fc.pre(plain !== undefined && plain.errors === undefined);
          const document = withDefers(source, createRandom(seed));
          const deferred = print(document);
          fc.pre(deferred.includes('@defer') && validate(engine.schema, parse(deferred)).length === 0);

          const parts = await partsOf(engine, { source: deferred, variables });
          const [first] = await resultsOf(engine, { source: withoutDeferred(document), variables });

          const merged = { whole: withNullsOf(plain.data, parts.whole), first: withNullsOf(first?.data, parts.first) };
          const errors = parts.errors.filter((error) => !isAboutNull(plain.data, error));
          expect({ ...parts, ...merged, errors, deferred }).toEqual({
            whole: plain.data,
            first: withoutMarks(first?.data),
            errors: [],
            lost: [],
            deferred,
          });
        }),
        { numRuns: RUNS },
      );
    });
  },
);

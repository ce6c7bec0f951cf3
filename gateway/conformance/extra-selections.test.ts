/**
 * Extra selections change nothing: without one of its selections an operation has the same response, except for that one. This needs no other
 * gateway for comparison, and finds what two of them get wrong in the same way. A long run:
 *
 *   CONFORMANCE_OPERATIONS=5000 SEED=1 npm test -- gateway/conformance/extra-selections.test.ts
 */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { openEngine } from '../supergraph/open-engine.ts';
import { isPartOf, withoutOne } from './testing/shrink.ts';
import { operations } from './testing/operations.ts';
import { resultsOf } from './testing/run.ts';
import { composed, transportsOf } from './testing/supergraph.ts';
import { contexts } from './testing/supergraphs/contexts.ts';
import { mashedKeys } from './testing/supergraphs/mashed-keys.ts';
import { renamed } from './testing/supergraphs/renamed.ts';
import { requiredArguments } from './testing/supergraphs/required-arguments.ts';
import { fixtures } from './testing/fixtures.ts';

const OPERATIONS = Number(process.env['CONFORMANCE_OPERATIONS'] ?? 250);
const SEED = Number(process.env['SEED'] ?? 1);
const TIME_MS = 30_000 + OPERATIONS * 200;

const log = { info: () => undefined, warn: () => undefined, error: () => undefined } as never;
const all = [...fixtures, contexts, mashedKeys, renamed, requiredArguments];
const share = Math.ceil(OPERATIONS / all.length);

test.each(all)(
  '$name: returns the same with and without extra selections',
  async (fixture) => {
    const engine = openEngine({ supergraphSdl: composed(fixture), transports: transportsOf(fixture), log });
    const cases = fc.tuple(
      operations(engine.schema, fixture).filter(({ source }) => source.startsWith('query')),
      fc.nat(),
    );
    const property = fc.asyncProperty(cases, async ([operation, pick]) => {
      const less = withoutOne(operation, pick);
      if (!less) return;
      const [[whole], [part]] = [await resultsOf(engine, operation), await resultsOf(engine, less)];
      // An error at one place may null others.
      if (whole?.errors || part?.errors) return;
      expect({ ...less, isAnsweredAlike: isPartOf(part?.data, whole?.data) }).toMatchObject({ isAnsweredAlike: true });
    });
    await fc.assert(property, { numRuns: share, seed: SEED, endOnFailure: true });
  },
  TIME_MS,
);

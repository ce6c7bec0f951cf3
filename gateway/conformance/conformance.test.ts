/**
 * Random operations over small supergraphs and over the project's own: our engine responds like @apollo/gateway. A long run:
 *
 *   CONFORMANCE_OPERATIONS=5000 SEED=1 npm test -- gateway/conformance/conformance.test.ts
 *
 * A failure prints the seed, and the smallest operation that still fails.
 */
import { afterAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { parse, validate } from 'graphql';
import { examine, openBoth } from './testing/examine.ts';
import { operations } from './testing/operations.ts';
import { soko } from './testing/project-supergraph.ts';
import { fixtures } from './testing/fixtures.ts';

const OPERATIONS = Number(process.env['CONFORMANCE_OPERATIONS'] ?? 250);
const SEED = Number(process.env['SEED'] ?? 1);
/** A long run: the small supergraphs share all operations, the project's own gets as many as three of them. */
const SHARE = Math.ceil(OPERATIONS / (fixtures.length + 3));
const TIME_MS = 30_000 + OPERATIONS * 200;

const counts = new Map<string, number>();
const count = (what: string): void => void counts.set(what, (counts.get(what) ?? 0) + 1);

afterAll(() => {
  const summary = [...counts].map(([what, times]) => `${what}: ${times}`).join(', ');
  process.stdout.write(`seed ${SEED}, ${summary}\n`);
});

describe.each([...fixtures.map((fixture) => ({ fixture, runs: SHARE })), { fixture: soko, runs: 3 * SHARE }])(
  '$fixture.name',
  ({ fixture, runs }) => {
    test(
      'returns the results of @apollo/gateway for random operations',
      async () => {
        const engines = openBoth(fixture);
        const property = fc.asyncProperty(operations(engines.ours.schema, fixture), async (operation) => {
          expect(validate(engines.ours.schema, parse(operation.source))).toEqual([]);
          const { faults, difference } = await examine(engines, operation);
          count(difference ? `right where it is not (${difference.name})` : 'equal');
          expect(faults).toEqual([]);
        });
        await fc.assert(property, { numRuns: runs, seed: SEED, endOnFailure: false });
      },
      TIME_MS,
    );
  },
);

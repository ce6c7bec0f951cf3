/**
 * Random operations while one subgraph misbehaves. For more of them: `CONFORMANCE_OPERATIONS=5000 SEED=1 npm test --
 * gateway/conformance/faults.test.ts`.
 */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { ExecutionResult } from 'graphql';
import type { Engine } from '../engine/types.ts';
import { openEngine } from '../supergraph/open-engine.ts';
import { misplacedErrors } from './testing/compare.ts';
import { faults, faulty } from './testing/faults.ts';
import { operations } from './testing/operations.ts';
import { resultsOf } from './testing/run.ts';
import { shapeFaults, withTypes } from './testing/shape.ts';
import { composed, transportsOf } from './testing/supergraph.ts';
import { fixtures } from './testing/fixtures.ts';

const OPERATIONS = Number(process.env['CONFORMANCE_OPERATIONS'] ?? 250);
const SEED = Number(process.env['SEED'] ?? 1);
const SHARE = Math.ceil(OPERATIONS / fixtures.length);
const TIME_MS = 30_000 + OPERATIONS * 200;

const log = { info: () => undefined, warn: () => undefined, error: () => undefined } as never;

const contentOf = (results: readonly ExecutionResult[]) =>
  results.map(({ data, errors }) => ({ data, errors: errors?.map(({ message, path }) => ({ message, path })) }));

describe.each(fixtures)('$name', (fixture) => {
  const transports = transportsOf(fixture);
  const sick = { ...transports };
  const open = (given: typeof transports): Engine => openEngine({ supergraphSdl: composed(fixture), transports: given, log });

  test(
    'keeps the shape of responses during a fault, and recovers after it',
    async () => {
      const engine = open(sick);
      const names = Object.keys(transports);
      const cases = fc.record({
        operation: operations(engine.schema, fixture).map(withTypes),
        subgraph: fc.constantFrom(...names),
        fault: fc.constantFrom(...faults),
        seed: fc.nat(),
      });
      const property = fc.asyncProperty(cases, async ({ operation, subgraph, fault, seed }) => {
        const well = await resultsOf(engine, operation);
        sick[subgraph] = faulty(transports[subgraph]!, fault, seed);
        const results = await resultsOf(engine, operation);
        sick[subgraph] = transports[subgraph]!;
        expect(results.flatMap((result) => [...shapeFaults(engine.schema, operation, result), ...misplacedErrors(result)])).toEqual([]);
        expect(JSON.stringify(results)).not.toContain('ECONNREFUSED');
        expect(contentOf(await resultsOf(engine, operation))).toEqual(contentOf(well));
      });
      await fc.assert(property, { numRuns: SHARE, seed: SEED });
    },
    TIME_MS,
  );
});

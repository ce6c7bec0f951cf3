import { beforeAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { execute, parse, TypeInfo, visit, visitWithTypeInfo, type DocumentNode, type ExecutionResult, type GraphQLSchema } from 'graphql';
import { createLog } from '#shared/base/log.ts';
import { readAppliedDirectives } from '../graphql/applied-directives.ts';
import { createCachePolicies, type CachePolicies } from '../cache/policy.ts';
import { openEngine } from '../supergraph/open-engine.ts';
import type { Engine, Operation } from '../engine/types.ts';
import { operations } from '../conformance/testing/operations.ts';
import { withAuthorization } from './with-authorization.ts';
import { readRequirements, type Requirements } from './requirements.ts';
import { createAuthorization, type Authorization } from './authorization.ts';
import { protectedFixture, TRUTH, VIEWERS } from './test-world.ts';

type Viewer = (typeof VIEWERS)[number];

let engine: Engine;
let guarded: Engine;
let authorization: Authorization;
let requirements: Requirements;
let caching: CachePolicies;
beforeAll(() => {
  const { supergraphSdl, subgraphs } = protectedFixture();
  const transports = Object.fromEntries(subgraphs.map((subgraph) => [subgraph.name, subgraph]));
  engine = openEngine({ supergraphSdl, transports, log: createLog('test') });
  const appliedDirectives = readAppliedDirectives(parse(supergraphSdl));
  requirements = readRequirements(appliedDirectives, engine.schema);
  authorization = createAuthorization(engine.schema, requirements);
  caching = createCachePolicies({ appliedDirectives, schema: engine.schema, isProtected: authorization.isProtected });
  guarded = withAuthorization(engine, authorization);
});

const cases = () =>
  fc.record({ random: operations(engine.schema, { samples: { ID: ['p1', 'p2', 'p3'] } }), viewer: fc.constantFrom(...VIEWERS) });
const isOpen = (coordinate: string, viewer: Viewer): boolean => requirements.get(coordinate)?.every((each) => each.isMetBy(viewer)) ?? true;

const operationOf = (source: string, variables: Record<string, unknown>, viewer: Viewer): Operation => ({
  source,
  document: parse(source),
  variables,
  identity: { issuer: 'gateway', viewer },
  correlationId: 'test',
  deadline: Date.now() + 20_000,
});

/** Every `Type.field` of a document, in order. */
function coordinatesOf(document: DocumentNode, schema: GraphQLSchema): string[] {
  const found: string[] = [];
  const types = new TypeInfo(schema);
  const collect = visitWithTypeInfo(types, {
    Field: ({ name }) => void (name.value.startsWith('__') || found.push(`${types.getParentType()?.name}.${name.value}`)),
  });
  visit(document, collect);
  return found;
}

/** The response of graphql-js with one field error per forbidden field, as the specification says. */
const reference = ({ document, variables, identity: { viewer } }: Operation): ExecutionResult =>
  execute({
    schema: engine.schema,
    document,
    variableValues: variables,
    rootValue: TRUTH,
    typeResolver: (value) => (value as { __typename: string }).__typename,
    fieldResolver(source, args, _context, { parentType, fieldName }) {
      if (!isOpen(`${parentType.name}.${fieldName}`, viewer)) throw new Error('refused');
      const value = (source as Record<string, unknown>)[fieldName];
      return typeof value === 'function' ? (value(args) as unknown) : value;
    },
  }) as ExecutionResult;

const withoutIndexes = (errors: ExecutionResult['errors'] = []): string[] =>
  errors.map(({ path = [] }) => path.filter((step) => typeof step === 'string').join('.'));

test('removes exactly the fields that the viewer may not see', () => {
  fc.assert(
    fc.property(cases(), ({ random: { source, variables }, viewer }) => {
      const operation = operationOf(source, variables, viewer);
      const filtered = authorization.filter(operation);
      if (filtered && !filtered.operation) return;
      const left = filtered?.operation ?? operation;

      const asked = new Set(coordinatesOf(operation.document, engine.schema));
      const kept = coordinatesOf(left.document, engine.schema);
      expect(kept.filter((coordinate) => !isOpen(coordinate, viewer) || !asked.has(coordinate))).toEqual([]);
    }),
    { numRuns: 300 },
  );
});

/** Introspection is the engine's own affair, and so are aliases called like the key that entities are fetched by. */
const isComparable = (source: string): boolean => source.startsWith('query') && !/__schema|__type\(|\bid: /.test(source);

test('returns what field errors would give, with one error per filtered place', async () => {
  await fc.assert(
    fc.asyncProperty(cases(), async ({ random: { source, variables }, viewer }) => {
      fc.pre(isComparable(source));
      const operation = operationOf(source, variables, viewer);
      const expected = reference(operation);

      const response = (await guarded.execute(operation)) as ExecutionResult;

      expect(JSON.parse(JSON.stringify(response.data))).toEqual(JSON.parse(JSON.stringify(expected.data)));
      expect(withoutIndexes(response.errors)).toEqual(expect.arrayContaining(withoutIndexes(expected.errors)));
    }),
    { numRuns: 300 },
  );
});

test('gives viewers one scope only when neither is refused a field that the other may see', () => {
  let shared = 0;
  fc.assert(
    fc.property(cases(), fc.constantFrom(...VIEWERS), ({ random: { source, variables }, viewer }, other) => {
      const [one, two] = [viewer, other].map((each) => operationOf(source, variables, each)) as [Operation, Operation];
      fc.pre(viewer !== other && caching.scopeOf(one) === caching.scopeOf(two));
      shared += 1;

      expect([one, two].map((each) => authorization.filter(each))).toEqual([undefined, undefined]);
      expect(coordinatesOf(one.document, engine.schema).filter((coordinate) => requirements.has(coordinate))).toEqual([]);
    }),
    { numRuns: 100, maxSkipsPerRun: 1_000 },
  );
  expect(shared).toBeGreaterThan(50);
});

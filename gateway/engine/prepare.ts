import type { PlanNode, QueryPlan } from '@apollo/query-planner';
import { getOperationAST, getVariableValues, Kind, type DocumentNode, type GraphQLError, type GraphQLObjectType } from 'graphql';
import { LRUCache } from 'lru-cache';
import { Problem } from '#shared/base/errors.ts';
import { directivesIn, fragmentsOf } from '../graphql/ast.ts';
import { toPlanKeys } from './aliases.ts';
import { compilePlan } from './compile.ts';
import { defers, deferVariables, readDeferrals, type Deferral } from './deferrals.ts';
import { compilePrimary, type Primary } from './fetch.ts';
import { compileIntrospection } from './introspection.ts';
import type { Data, Kit, Run, Step } from './run.ts';
import { requiredVariables } from './required-variables.ts';
import { compileShape, type Shape } from './shape.ts';
import type { LoadedSupergraph } from './planning/supergraph.ts';

type Variables = Readonly<Record<string, unknown>>;

/** Everything of an operation that is the same in every run. */
export interface Prepared {
  /** The coerced variables of a run, or the errors. */
  coerce: (given: Variables | undefined) => Pick<Run, 'variables' | 'conditions'> | { errors: readonly GraphQLError[] };
  /** Runs the plan; for a subscription, the plan of each event. */
  step: Step | undefined;
  /** For a subscription: opens the stream. */
  primary: Primary | undefined;
  introspect: ((variables: Variables) => Data) | undefined;
  rootType: GraphQLObjectType;
  /** Deferred parts, in the order of the operation. */
  deferrals: readonly Deferral[];
  /** Shape of a deferred part, or of the first response. */
  shapeOf: (run: Run, part?: { deferral: Deferral; typename: string }) => Shape;
}

/** Each error prints the whole value, so five are enough. */
const MAX_VARIABLE_ERRORS = 5;
/** Shapes per operation: one for each combination of conditions. */
const MAX_CACHED_SHAPES = 64;

export interface PrepareOptions {
  supergraph: LoadedSupergraph;
  kit: Kit;
  plan: QueryPlan;
  document: DocumentNode;
  operationName: string | undefined;
}

export function prepare({ supergraph, kit, plan, document, operationName }: PrepareOptions): Prepared {
  const { schema } = supergraph;
  const operation = getOperationAST(document, operationName)!;
  const fragments = fragmentsOf(document);
  const decisive = conditionVariables(document);
  const deferring = defers(document) ? readDeferrals(toPlanKeys(document), operationName) : undefined;
  const { node } = plan;
  const rest: PlanNode | undefined = node?.kind === 'Subscription' ? node.rest : node;
  return {
    coerce: createCoercion(supergraph, { document, operationName }),
    step: rest && compilePlan(rest, kit),
    primary: node?.kind === 'Subscription' ? compilePrimary(node.primary, kit) : undefined,
    rootType: schema.getRootType(operation.operation)!,
    introspect: compileIntrospection(schema, operation, fragments),
    deferrals: deferring?.deferrals ?? [],
    shapeOf: createShapes(supergraph, { inPlan: () => deferring?.document ?? toPlanKeys(document), operationName, decisive }),
  };
}

function conditionVariables(document: DocumentNode): string[] {
  const conditions = directivesIn(document).filter(({ name }) => ['skip', 'include', 'defer'].includes(name.value));
  const given = conditions.flatMap(({ arguments: each = [] }) => each.filter(({ name }) => name.value === 'if'));
  return [...new Set(given.flatMap(({ value }) => (value.kind === Kind.VARIABLE ? [value.name.value] : [])))];
}

type Written = Pick<PrepareOptions, 'document' | 'operationName'>;

function createCoercion({ schema }: LoadedSupergraph, { document, operationName }: Written): Prepared['coerce'] {
  const definitions = getOperationAST(document, operationName)!.variableDefinitions ?? [];
  if (definitions.length === 0) return () => ({ variables: {}, conditions: {} });
  const names = definitions.map(({ variable }) => variable.name.value);
  const later = deferVariables(document);
  let required: ReadonlySet<string> | undefined;
  return (given = {}) => {
    const { coerced, errors } = getVariableValues(schema, definitions, given, { maxErrors: MAX_VARIABLE_ERRORS });
    if (errors) return { errors };
    const empty = names.filter((name) => coerced[name] === null);
    const refused = empty.find((name) => (required ??= requiredVariables(schema, { document, operationName })).has(name));
    if (refused !== undefined) return { errors: [mustNotBeNull(refused)] };
    const variables: Data = {};
    for (const name of names) if (Object.hasOwn(given, name)) variables[name] = given[name];
    return { variables, conditions: later.length > 0 ? withDefaults(coerced, later) : coerced };
  };
}

const mustNotBeNull = (name: string): Problem =>
  new Problem('BAD_USER_INPUT', `Variable "$${name}" must not be null: a value is required where it is used.`, { path: [name] });

/** A missing variable makes the condition of `@defer` true. */
const withDefaults = (conditions: Variables, later: readonly string[]): Variables => ({
  ...Object.fromEntries(later.map((name) => [name, true])),
  ...conditions,
});

function createShapes(
  { schema }: LoadedSupergraph,
  { inPlan, operationName, decisive }: Pick<PrepareOptions, 'operationName'> & { inPlan: () => DocumentNode; decisive: readonly string[] },
): Prepared['shapeOf'] {
  const shapes = new LRUCache<string, Shape>({ max: MAX_CACHED_SHAPES });
  return ({ conditions, operation: { inOnePiece = false } }, part) => {
    const mask = decisive.map((name) => (conditions[name] === true ? 1 : 0)).join('');
    const memo = part ? `${mask} ${part.typename} ${part.deferral.id}` : `${mask}${inOnePiece ? ' whole' : ''}`;
    let shape = shapes.get(memo);
    if (!shape) {
      const document = inPlan();
      const operation = getOperationAST(document, operationName)!;
      const type = part ? schema.getType(part.typename)! : schema.getRootType(operation.operation)!;
      const sets = [part ? part.deferral.set : operation.selectionSet];
      shapes.set(
        memo,
        (shape = compileShape({ schema, type, sets, selected: { fragments: fragmentsOf(document), conditions, inOnePiece } })),
      );
    }
    return shape;
  };
}

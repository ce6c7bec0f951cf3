import type { PlanNode, QueryPlan } from '@apollo/query-planner';
import {
  getOperationAST,
  getVariableValues,
  GraphQLError,
  Kind,
  parse,
  type DocumentNode,
  type GraphQLObjectType,
  type OperationDefinitionNode,
  type SelectionSetNode,
} from 'graphql';
import { LRUCache } from 'lru-cache';
import { directivesIn, fragmentsOf } from '../documents.ts';
import { toPlanKeys } from './aliases.ts';
import { compilePlan } from './compile.ts';
import { compilePrimary, type Primary } from './fetch.ts';
import { compileIntrospection } from './introspection.ts';
import type { Data, Kit, Run, Step } from './run.ts';
import { compileShape, type Shape } from './shape.ts';
import type { LoadedSupergraph } from './supergraph.ts';

type Variables = Readonly<Record<string, unknown>>;

/** An operation with everything that does not change from one run to the next. */
export interface Prepared {
  /** The variables of a run, or why they do not fit. */
  coerce: (given: Variables | undefined) => Pick<Run, 'variables' | 'conditions'> | { errors: readonly GraphQLError[] };
  /** Runs the plan; of a subscription, what each event is joined with. */
  step: Step | undefined;
  /** Of a subscription: what opens the stream. */
  primary: Primary | undefined;
  introspect: ((variables: Variables) => Data) | undefined;
  rootType: GraphQLObjectType;
  /** For the selection of a deferred part, or for the whole operation. */
  shapeOf: (run: Run, part?: { subselection: string; typename: string }) => Shape;
}

const MAX_VARIABLE_ERRORS = 50;
/** Shapes of one operation: one for each combination of its conditions that was asked for. */
const KEPT_SHAPES = 64;

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
  const { node } = plan;
  const rest: PlanNode | undefined = node?.kind === 'Subscription' ? node.rest : node;
  return {
    coerce: createCoercion(supergraph, operation, decisive),
    step: rest && compilePlan(rest, kit),
    primary: node?.kind === 'Subscription' ? compilePrimary(node.primary, kit) : undefined,
    rootType: schema.getRootType(operation.operation)!,
    introspect: compileIntrospection(schema, operation, fragments),
    shapeOf: createShapes(supergraph, { document, operationName }, decisive),
  };
}

function conditionVariables(document: DocumentNode): string[] {
  const conditions = directivesIn(document).filter(({ name }) => ['skip', 'include', 'defer'].includes(name.value));
  const given = conditions.flatMap(({ arguments: each = [] }) => each.map(({ value }) => value));
  return [...new Set(given.flatMap((value) => (value.kind === Kind.VARIABLE ? [value.name.value] : [])))];
}

function createCoercion({ schema }: LoadedSupergraph, operation: OperationDefinitionNode, decisive: readonly string[]): Prepared['coerce'] {
  const definitions = operation.variableDefinitions ?? [];
  if (definitions.length === 0) return () => ({ variables: {}, conditions: {} });
  const names = definitions.map(({ variable }) => variable.name.value);
  return (given = {}) => {
    const { coerced, errors } = getVariableValues(schema, definitions, given, { maxErrors: MAX_VARIABLE_ERRORS });
    if (errors) return { errors };
    const undecided = decisive.find((name) => names.includes(name) && typeof coerced[name] !== 'boolean');
    if (undecided !== undefined)
      return { errors: [new GraphQLError(`Variable "$${undecided}" decides what is selected and must be true or false.`)] };
    const variables: Data = {};
    for (const name of names) if (Object.hasOwn(given, name)) variables[name] = given[name];
    return { variables, conditions: coerced };
  };
}

function createShapes(
  { schema }: LoadedSupergraph,
  { document, operationName }: Pick<PrepareOptions, 'document' | 'operationName'>,
  decisive: readonly string[],
): Prepared['shapeOf'] {
  const shapes = new LRUCache<string, Shape>({ max: KEPT_SHAPES });
  return ({ conditions }, part) => {
    const mask = decisive.map((name) => (conditions[name] === true ? 1 : 0)).join('');
    const memo = part ? `${mask} ${part.typename} ${part.subselection}` : mask;
    let shape = shapes.get(memo);
    if (!shape) {
      const inPlan = toPlanKeys(document);
      const operation = getOperationAST(inPlan, operationName)!;
      const type = part ? schema.getType(part.typename)! : schema.getRootType(operation.operation)!;
      const sets = [part ? selectionOf(part.subselection) : operation.selectionSet];
      shapes.set(memo, (shape = compileShape({ schema, type, sets, selected: { fragments: fragmentsOf(inPlan), conditions } })));
    }
    return shape;
  };
}

function selectionOf(text: string): SelectionSetNode {
  return (parse(text, { noLocation: true }).definitions[0] as OperationDefinitionNode).selectionSet;
}

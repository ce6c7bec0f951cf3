import { getNamedType, getOperationAST, Kind, type DocumentNode, type FieldNode, type GraphQLNamedType, type GraphQLSchema } from 'graphql';
import type { FragmentDefinitionNode, IntValueNode, OperationDefinitionNode, SelectionSetNode, ValueNode } from 'graphql';
import { fieldOf, fragmentsOf, keyOf } from '../graphql/ast.ts';
import type { FieldCost, readFieldCosts } from './field-costs.ts';

type Variables = Readonly<Record<string, unknown>>;

/** One selected field with its cost. */
export interface CostNode {
  key: string;
  name: string;
  cost: FieldCost;
  argumentsWeight: number;
  /** List length by its arguments; undefined when they do not say. */
  slice: (variables: Variables) => number | undefined;
  /** Selected fields below it that can cost anything. */
  children: readonly CostNode[];
}

/** An operation with the cost of all that it selects. */
export interface CostTree {
  base: number;
  children: readonly CostNode[];
  operation: OperationDefinitionNode;
}

const MUTATION_COST = 10;

interface CostTreeOptions {
  schema: GraphQLSchema;
  costOf: ReturnType<typeof readFieldCosts>;
  document: DocumentNode;
  operationName: string | undefined;
}

/** Builds the cost tree of an operation. A field node is read once, however many fragments lead to it. */
export function buildCostTree({ schema, costOf, document, operationName }: CostTreeOptions): CostTree {
  const operation = getOperationAST(document, operationName) as OperationDefinitionNode;
  const fragments = fragmentsOf(document);
  const known = new Map<FieldNode, CostNode | undefined>();

  const costNodesOf = (set: SelectionSetNode, type: GraphQLNamedType): CostNode[] =>
    fieldsIn(set, type, { schema, fragments }).flatMap(([parent, node]) => costNodeOf(parent, node) ?? []);

  const costNodeOf = (parent: GraphQLNamedType, node: FieldNode): CostNode | undefined => {
    if (!known.has(node)) known.set(node, createCostNode(parent, node));
    return known.get(node);
  };

  const createCostNode = (parent: GraphQLNamedType, node: FieldNode): CostNode | undefined => {
    const field = fieldOf(parent, node);
    if (!field) return undefined;
    const cost = costOf(parent, field);
    const given = new Map((node.arguments ?? []).map(({ name, value }) => [name.value, value]));
    const argumentsWeight = [...given.keys()].reduce((sum, name) => sum + cost.argumentWeight(name), 0);
    const children = node.selectionSet ? costNodesOf(node.selectionSet, getNamedType(field.type)) : [];
    if (cost.weight === 0 && argumentsWeight === 0 && children.length === 0) return undefined;
    const slices = cost.slicingArguments.map((name) =>
      intOf(given.get(name), field.args.find((argument) => argument.name === name)?.defaultValue),
    );
    const slice = (variables: Variables): number | undefined => largestOf(slices.map((each) => each(variables)));
    return { key: keyOf(node), name: node.name.value, cost, argumentsWeight, slice, children };
  };

  const base = operation.operation === 'mutation' ? MUTATION_COST : 0;
  return { base, children: costNodesOf(operation.selectionSet, schema.getRootType(operation.operation)!), operation };
}

interface Scope {
  schema: GraphQLSchema;
  fragments: ReadonlyMap<string, FragmentDefinitionNode>;
}

/** The fields of a selection and its fragments. A fragment that is spread twice adds nothing. */
function fieldsIn(set: SelectionSetNode, type: GraphQLNamedType, { schema, fragments }: Scope): [GraphQLNamedType, FieldNode][] {
  const seen = new Set<string>();
  const collect = (within: SelectionSetNode, parent: GraphQLNamedType): [GraphQLNamedType, FieldNode][] =>
    within.selections.flatMap((selection): [GraphQLNamedType, FieldNode][] => {
      if (selection.kind === Kind.FIELD) return [[parent, selection]];
      if (selection.kind === Kind.FRAGMENT_SPREAD && seen.has(selection.name.value)) return [];
      if (selection.kind === Kind.FRAGMENT_SPREAD) seen.add(selection.name.value);
      const part = selection.kind === Kind.FRAGMENT_SPREAD ? fragments.get(selection.name.value)! : selection;
      return collect(part.selectionSet, part.typeCondition ? schema.getType(part.typeCondition.name.value)! : parent);
    });
  return collect(set, type);
}

function intOf(value: ValueNode | undefined, fallback: unknown): (variables: Variables) => number | undefined {
  if (value?.kind === Kind.VARIABLE) return (variables) => wholeNumber(variables[value.name.value]) ?? wholeNumber(fallback);
  const fixed = wholeNumber(value ? (value as IntValueNode).value : fallback);
  return () => fixed;
}

/** A number from a variable that is not validated yet. */
function wholeNumber(value: unknown): number | undefined {
  const number = typeof value === 'string' ? Number.parseInt(value, 10) : value;
  return typeof number === 'number' && Number.isFinite(number) ? Math.max(0, number) : undefined;
}

const largestOf = (sizes: readonly (number | undefined)[]): number | undefined =>
  sizes.reduce((most, size) => (size !== undefined && size > (most ?? -1) ? size : most), undefined);

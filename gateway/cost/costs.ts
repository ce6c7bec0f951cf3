import type { DocumentNode, GraphQLSchema } from 'graphql';
import type { AppliedDirectives } from '../graphql/applied-directives.ts';
import { variablesOf } from '../graphql/ast.ts';
import { buildCostTree, type CostTree, type CostNode } from './cost-tree.ts';
import { readFieldCosts } from './field-costs.ts';

type Variables = Readonly<Record<string, unknown>>;

interface CostRequest {
  document: DocumentNode;
  operationName?: string | null | undefined;
  variables?: Variables | null | undefined;
}

export interface Costs {
  /** Upper bound, as long as no list is longer than its arguments or `@listSize` say. Call it after validation. */
  estimate: (request: CostRequest) => number;
  /** The cost of the data that was returned. */
  actual: (request: CostRequest, data: unknown) => number;
}

/** Costs of operations by the weights of the cost specification. A document is read once; its variables count on every call. */
export function createCosts(appliedDirectives: AppliedDirectives, schema: GraphQLSchema): Costs {
  const costOf = readFieldCosts(appliedDirectives);
  const trees = new WeakMap<DocumentNode, Map<string, CostTree>>();
  const treeOf = ({ document, operationName }: CostRequest): CostTree => {
    const known = trees.get(document) ?? new Map<string, CostTree>();
    trees.set(document, known);
    const name = operationName ?? undefined;
    const tree = known.get(name ?? '') ?? buildCostTree({ schema, costOf, document, operationName: name });
    known.set(name ?? '', tree);
    return tree;
  };
  return {
    estimate(request) {
      const { base, children, operation } = treeOf(request);
      return base + estimateOf(children, variablesOf(operation.variableDefinitions, request.variables ?? {}));
    },
    actual(request, data) {
      const { base, children } = treeOf(request);
      return base + actualOf(children, data);
    },
  };
}

function estimateOf(nodes: readonly CostNode[], variables: Variables): number {
  // Fragments lead to the same field on many ways; once each is enough.
  const known = new Map<CostNode, number>();
  const ofOne = (node: CostNode, size: number): number => {
    const { cost } = node;
    return node.children.reduce((sum, each) => sum + ofAll(each, cost.sizedFields.has(each.name) ? size : undefined), cost.weight);
  };
  const ofAll = (node: CostNode, sizeFromAbove: number | undefined): number => {
    const { cost, argumentsWeight } = node;
    const size = node.slice(variables) ?? cost.assumedSize;
    const one = known.get(node) ?? ofOne(node, size);
    known.set(node, one);
    return argumentsWeight + (cost.isList ? (sizeFromAbove ?? size) : 1) * one;
  };
  return nodes.reduce((sum, node) => sum + ofAll(node, undefined), 0);
}

/** Fields that merge into one response key count once, unlike in the estimate, which is an upper bound. */
function actualOf(nodes: readonly CostNode[], data: unknown): number {
  if (data === null || data === undefined) return 0;
  if (Array.isArray(data)) return data.reduce<number>((sum, each) => sum + actualOf(nodes, each), 0);
  const together = Map.groupBy(nodes, ({ key }) => key);
  return [...together].reduce((sum, [key, [first, ...others]]) => {
    const value = (data as Record<string, unknown>)[key];
    if (!first || value === undefined) return sum;
    const below = others.length > 0 ? [first, ...others].flatMap((each) => each.children) : first.children;
    return sum + first.argumentsWeight + countOf(value) * first.cost.weight + actualOf(below, value);
  }, 0);
}

const countOf = (value: unknown): number => {
  if (value === null) return 0;
  return Array.isArray(value) ? value.reduce<number>((sum, each) => sum + countOf(each), 0) : 1;
};

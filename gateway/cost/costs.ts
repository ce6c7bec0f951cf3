import type { DocumentNode, GraphQLSchema } from 'graphql';
import type { Annotations } from '../graphql/applied-directives.ts';
import { variablesOf } from '../graphql/ast.ts';
import { writeBill, type Bill, type Item } from './cost-tree.ts';
import { readFieldCosts } from './field-costs.ts';

type Variables = Readonly<Record<string, unknown>>;

interface Asked {
  document: DocumentNode;
  operationName?: string | null | undefined;
  variables?: Variables | null | undefined;
}

export interface Costs {
  /** At most this much, if no list is longer than its arguments or its size on record say. Ask after validation. */
  estimate: (asked: Asked) => number;
  /** What was in fact answered. */
  actual: (asked: Asked, data: unknown) => number;
}

/** What operations cost, by the weights of the cost specification. An operation is read once; its variables count each time. */
export function createCosts(annotations: Annotations, schema: GraphQLSchema): Costs {
  const costOf = readFieldCosts(annotations);
  const bills = new WeakMap<DocumentNode, Map<string, Bill>>();
  const billOf = ({ document, operationName }: Asked): Bill => {
    const known = bills.get(document) ?? new Map<string, Bill>();
    bills.set(document, known);
    const name = operationName ?? undefined;
    const bill = known.get(name ?? '') ?? writeBill({ schema, costOf, document, operationName: name });
    known.set(name ?? '', bill);
    return bill;
  };
  return {
    estimate(asked) {
      const { base, items, operation } = billOf(asked);
      return base + estimateOf(items, variablesOf(operation.variableDefinitions, asked.variables ?? {}));
    },
    actual(asked, data) {
      const { base, items } = billOf(asked);
      return base + actualOf(items, data);
    },
  };
}

function estimateOf(items: readonly Item[], variables: Variables): number {
  // Fragments lead to the same field on many ways: once each is enough.
  const known = new Map<Item, number>();
  const ofOne = (item: Item, size: number): number => {
    const { cost } = item;
    return item.items.reduce((sum, each) => sum + ofAll(each, cost.sizedFields.has(each.name) ? size : undefined), cost.weight);
  };
  const ofAll = (item: Item, sizeFromAbove: number | undefined): number => {
    const { cost, argumentsWeight } = item;
    const size = item.slice(variables) ?? cost.assumedSize;
    const one = known.get(item) ?? ofOne(item, size);
    known.set(item, one);
    return argumentsWeight + (cost.isList ? (sizeFromAbove ?? size) : 1) * one;
  };
  return items.reduce((sum, item) => sum + ofAll(item, undefined), 0);
}

/** Fields that come together in the answer count once, unlike in the estimate, which is an upper bound. */
function actualOf(items: readonly Item[], data: unknown): number {
  if (data === null || data === undefined) return 0;
  if (Array.isArray(data)) return data.reduce<number>((sum, each) => sum + actualOf(items, each), 0);
  const together = Map.groupBy(items, ({ key }) => key);
  return [...together].reduce((sum, [key, [first, ...others]]) => {
    const value = (data as Record<string, unknown>)[key];
    if (!first || value === undefined) return sum;
    const below = others.length > 0 ? [first, ...others].flatMap((each) => each.items) : first.items;
    return sum + first.argumentsWeight + countOf(value) * first.cost.weight + actualOf(below, value);
  }, 0);
}

const countOf = (value: unknown): number => {
  if (value === null) return 0;
  return Array.isArray(value) ? value.reduce<number>((sum, each) => sum + countOf(each), 0) : 1;
};

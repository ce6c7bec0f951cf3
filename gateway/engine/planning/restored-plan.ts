import type { FetchNode, PlanNode, QueryPlan, QueryPlanSelectionNode } from '@apollo/query-planner';
import { Kind, parse, print, stripIgnoredCharacters, visit, type DocumentNode, type SelectionNode, type SelectionSetNode } from 'graphql';
import type { Placeholders } from './requires-arguments.ts';

type Renamer = Extract<NonNullable<FetchNode['inputRewrites']>[number], { kind: 'KeyRenamer' }>;

/** Replaces every placeholder in a plan by its field, under the field's own name towards the subgraph that requires it. */
export function restorePlan({ node, ...plan }: QueryPlan, placeholders: Placeholders): QueryPlan {
  if (!node) return plan;
  if (node.kind !== 'Subscription') return { ...plan, node: restoreNode(node, placeholders) };
  const primary: FetchNode = { ...node.primary, operation: restoreOperation(node.primary.operation, placeholders) };
  return { ...plan, node: { ...node, primary, ...(node.rest && { rest: restoreNode(node.rest, placeholders) }) } };
}

function restoreNode(node: PlanNode, placeholders: Placeholders): PlanNode {
  const restored = (each: PlanNode): PlanNode => restoreNode(each, placeholders);
  switch (node.kind) {
    case 'Fetch':
      return restoreFetch(node, placeholders);
    case 'Flatten':
      return { ...node, node: restored(node.node) };
    case 'Sequence':
    case 'Parallel':
      return { ...node, nodes: node.nodes.map(restored) };
    case 'Condition':
      return {
        ...node,
        ...(node.ifClause && { ifClause: restored(node.ifClause) }),
        ...(node.elseClause && { elseClause: restored(node.elseClause) }),
      };
    case 'Defer':
      return {
        ...node,
        primary: { ...node.primary, ...(node.primary.node && { node: restored(node.primary.node) }) },
        deferred: node.deferred.map((each) => ({ ...each, ...(each.node && { node: restored(each.node) }) })),
      };
  }
}

/** One fetch, or several where one representation would need a field with different arguments. */
function restoreFetch(node: FetchNode, placeholders: Placeholders): PlanNode {
  const renamed = renamersOf(node.requires ?? [], placeholders);
  const operation = restoreOperation(node.operation, placeholders);
  if (renamed.length === 0) return { ...node, operation };
  const parts = compatible(renamed).map((renamers): FetchNode => {
    const others = new Set(renamed.filter((each) => !renamers.includes(each)).map(keyOf));
    return {
      ...node,
      ...(others.size === 0 ? { operation } : withoutFields(node, operation, { others, placeholders })),
      requires: without(node.requires ?? [], others),
      inputRewrites: [...(node.inputRewrites ?? []), ...renamers],
    };
  });
  return parts.length === 1 ? parts[0]! : { kind: 'Parallel', nodes: parts };
}

const keyOf = ({ path }: Renamer): string => path.at(-1)!;

/** Renamers from placeholders in `requires` to the names that the subgraph knows. */
function renamersOf(selections: readonly QueryPlanSelectionNode[], placeholders: Placeholders, path: readonly string[] = []): Renamer[] {
  return selections.flatMap((node): Renamer[] => {
    if (node.kind === 'InlineFragment') {
      return renamersOf(node.selections, placeholders, node.typeCondition === undefined ? path : [...path, `... on ${node.typeCondition}`]);
    }
    const below = renamersOf(node.selections ?? [], placeholders, [...path, node.name]);
    const placeholder = placeholders.byName.get(node.name);
    // Renamed before its parent, while the parent still has the name in the path.
    return placeholder ? [...below, { kind: 'KeyRenamer', path: [...path, node.name], renameKeyTo: placeholder.field }] : below;
  });
}

/**
 * The fewest groups in which no two renamers write the same name at the same place. Fragments are no places: one object may match several
 * of them, and a fragment with conditions can be nested in another on the same type.
 */
function compatible(renamers: readonly Renamer[]): Renamer[][] {
  const groups: Renamer[][] = [];
  const placeOf = ({ path, renameKeyTo }: Renamer): string =>
    [...path.slice(0, -1).filter((step) => !step.startsWith('...')), renameKeyTo].join(' ');
  for (const renamer of renamers) {
    const free = groups.find((group) => !group.some((each) => placeOf(each) === placeOf(renamer) && keyOf(each) !== keyOf(renamer)));
    if (free) free.push(renamer);
    else groups.push([renamer]);
  }
  return groups;
}

const without = (selections: readonly QueryPlanSelectionNode[], names: ReadonlySet<string>): QueryPlanSelectionNode[] =>
  selections
    .filter((node) => node.kind !== 'Field' || !names.has(node.name))
    .map((node) => (node.selections ? ({ ...node, selections: without(node.selections, names) } as QueryPlanSelectionNode) : node));

interface Left {
  others: ReadonlySet<string>;
  placeholders: Placeholders;
}

/** Removes the fields that require other placeholders, and the variables that only they used. */
function withoutFields({ variableUsages = [] }: FetchNode, operation: string, { others, placeholders }: Left) {
  const requires = (coordinate: string): boolean => [...(placeholders.requiredBy.get(coordinate) ?? [])].some((name) => others.has(name));
  const left = (set: SelectionSetNode, type: string): SelectionSetNode => ({
    ...set,
    selections: set.selections.flatMap((node): SelectionNode[] => {
      if (node.kind === Kind.FIELD) return requires(`${type}.${node.name.value}`) ? [] : [node];
      if (node.kind === Kind.FRAGMENT_SPREAD) return [node];
      const selectionSet = left(node.selectionSet, node.typeCondition?.name.value ?? type);
      return selectionSet.selections.length > 0 ? [{ ...node, selectionSet }] : [];
    }),
  });
  const document = visit(parse(operation, { noLocation: true }), {
    Field: (node) => (node.name.value === '_entities' ? { ...node, selectionSet: left(node.selectionSet!, '') } : undefined),
  });
  const used = variablesIn(document);
  const pruned = visit(document, { VariableDefinition: ({ variable }) => (used.has(variable.name.value) ? undefined : null) });
  return { operation: stripIgnoredCharacters(print(pruned)), variableUsages: variableUsages.filter((name) => used.has(name)) };
}

function variablesIn(document: DocumentNode): Set<string> {
  const names = new Set<string>();
  visit(document, { VariableDefinition: () => false, Variable: ({ name }) => void names.add(name.value) });
  return names;
}

function restoreOperation(operation: string, { byName }: Placeholders): string {
  if (!operation.includes('_required')) return operation;
  const document = visit(parse(operation, { noLocation: true }), {
    Field(node) {
      const placeholder = byName.get(node.name.value);
      if (!placeholder) return undefined;
      const name = { kind: Kind.NAME, value: placeholder.field } as const;
      return { ...node, alias: node.alias ?? node.name, name, arguments: placeholder.arguments };
    },
  });
  return stripIgnoredCharacters(print(document));
}

import type { PlanNode, QueryPlan } from '@apollo/query-planner';
import { getOperationAST, Kind, parse, type DocumentNode, type SelectionNode, type SelectionSetNode } from 'graphql';
import { Problem } from '#shared/base/errors.ts';
import { fragmentsOf, keyOf } from '../../graphql/ast.ts';
import { clientField } from '../aliases.ts';

/** Apollo's planner says this of a field that composition accepted, but no subgraph resolves at this place. */
const NO_WAY = /^Was not able to find any options for (\w+)/;

/**
 * Returns the plan of an operation, or throws OPERATION_UNSATISFIABLE when no path through the subgraphs resolves it, which composition
 * cannot always foresee. Of `{ media { title } }` Apollo plans nothing when the subgraph of `media` knows no type of it and no other
 * subgraph resolves the title; the client would get null.
 */
export function planSatisfiable(plan: () => QueryPlan, document: DocumentNode, operationName: string | undefined): QueryPlan {
  const planned = planOrRefuse(plan);
  const selected = certainFields(document, operationName);
  const fetched = selected.length > 0 ? rootFields(planned.node) : new Set();
  const missing = selected.find((name) => !fetched.has(name));
  if (missing !== undefined) throw refusal(missing);
  return planned;
}

function planOrRefuse(plan: () => QueryPlan): QueryPlan {
  try {
    return plan();
  } catch (error) {
    const field = NO_WAY.exec((error as Error).message)?.[1];
    throw field === undefined ? error : refusal(field, error);
  }
}

function refusal(field: string, cause?: unknown): Problem {
  const message = `The subgraphs cannot answer this operation: none can be selected for "${clientField(field).key}" where it stands.`;
  return new Problem('OPERATION_UNSATISFIABLE', message, { cause });
}

/** Root fields that are selected for any variables, and resolved by subgraphs. */
const certainFields = (document: DocumentNode, operationName: string | undefined): string[] =>
  rootKeys(document, operationName, (node) => !node.directives?.length && !(node.kind === Kind.FIELD && node.name.value.startsWith('__')));

/** Root fields that a plan fetches, by the names used in plans. */
function rootFields(node: QueryPlan['node'], found = new Set<string>()): Set<string> {
  switch (node?.kind) {
    case 'Fetch':
      if (!node.requires) for (const name of rootKeys(parse(node.operation, { noLocation: true }), undefined, () => true)) found.add(name);
      break;
    case 'Sequence':
    case 'Parallel':
      for (const each of node.nodes) rootFields(each, found);
      break;
    case 'Subscription':
      rootFields(node.primary, found);
      break;
    case 'Condition':
      for (const each of [node.ifClause, node.elseClause] as (PlanNode | undefined)[]) rootFields(each, found);
      break;
    case 'Defer':
      for (const each of [node.primary, ...node.deferred]) rootFields(each.node, found);
      break;
  }
  return found;
}

/** Keys of the wanted root fields of an operation. */
function rootKeys(document: DocumentNode, operationName: string | undefined, isWanted: (node: SelectionNode) => boolean): string[] {
  const fragments = fragmentsOf(document);
  const within = ({ selections }: SelectionSetNode): string[] =>
    selections.filter(isWanted).flatMap((node) => {
      if (node.kind === Kind.FIELD) return [keyOf(node)];
      return within(node.kind === Kind.INLINE_FRAGMENT ? node.selectionSet : fragments.get(node.name.value)!.selectionSet);
    });
  return within(getOperationAST(document, operationName)!.selectionSet);
}

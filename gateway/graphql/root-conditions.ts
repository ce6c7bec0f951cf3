import { Kind, OperationTypeNode, type DocumentNode, type FragmentDefinitionNode, type SelectionSetNode } from 'graphql';
import { Problem } from '#shared/base/errors.ts';
import { fragmentsOf } from './ast.ts';

const CONDITIONS = new Set(['skip', 'include']);

/**
 * Refuses a subscription with a condition at its root, as GraphQL does since September 2025. graphql-js counts root fields before the
 * variables are known, and throws. The document need not be valid.
 */
export function refuseRootConditions(document: DocumentNode): void {
  const fragments = fragmentsOf(document);
  for (const each of document.definitions) {
    if (each.kind !== Kind.OPERATION_DEFINITION || each.operation !== OperationTypeNode.SUBSCRIPTION) continue;
    const condition = conditionIn(each.selectionSet, fragments, new Set());
    if (condition !== undefined)
      throw new Problem(
        'GRAPHQL_VALIDATION_FAILED',
        `The root of a subscription must be selected without conditions: leave @${condition} out.`,
      );
  }
}

/** The name of the first condition at the root. Each named fragment is entered once. */
function conditionIn(
  { selections }: SelectionSetNode,
  fragments: ReadonlyMap<string, FragmentDefinitionNode>,
  entered: Set<string>,
): string | undefined {
  for (const node of selections) {
    const condition = node.directives?.find(({ name }) => CONDITIONS.has(name.value));
    if (condition) return condition.name.value;
    if (node.kind === Kind.FIELD) continue;
    let within: SelectionSetNode | undefined;
    if (node.kind === Kind.INLINE_FRAGMENT) within = node.selectionSet;
    else if (!entered.has(node.name.value)) within = fragments.get(node.name.value)?.selectionSet;
    if (node.kind === Kind.FRAGMENT_SPREAD) entered.add(node.name.value);
    const found = within && conditionIn(within, fragments, entered);
    if (found !== undefined) return found;
  }
  return undefined;
}

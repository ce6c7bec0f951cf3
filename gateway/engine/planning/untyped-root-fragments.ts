import { Kind, parse, print, stripIgnoredCharacters, visit, type SelectionSetNode } from 'graphql';

const ON_ROOT = /\.\.\. ?on (Query|Mutation|Subscription)\b/;

/**
 * Removes type conditions from fragments at the root of a fetch. A plan contains `... on Query @include(if: $all) { notes }` also for a
 * subgraph that calls its root `query_root`; that subgraph would return nothing, or refuse.
 */
export function stripRootTypeConditions(operation: string): string {
  if (!ON_ROOT.test(operation)) return operation;
  const document = visit(parse(operation, { noLocation: true }), {
    OperationDefinition: ({ selectionSet, ...node }) => ({ ...node, selectionSet: untyped(selectionSet) }),
  });
  return stripIgnoredCharacters(print(document));
}

const untyped = ({ selections, ...set }: SelectionSetNode): SelectionSetNode => ({
  ...set,
  selections: selections.map((node) => {
    if (node.kind !== Kind.INLINE_FRAGMENT) return node;
    const { typeCondition: _root, ...fragment } = node;
    return { ...fragment, selectionSet: untyped(fragment.selectionSet) };
  }),
});

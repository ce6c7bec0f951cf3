import { Kind, parse, print, stripIgnoredCharacters, visit, type SelectionSetNode } from 'graphql';

const ON_ROOT = /\.\.\. ?on (Query|Mutation|Subscription)\b/;

/**
 * The operation of a fetch without types at the fragments of its root. A plan says `... on Query @include(if: $all) { notes }` also to a
 * subgraph that calls its own root `query_root`, which then answers nothing, or refuses.
 */
export function withoutRootTypes(operation: string): string {
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

import { Kind, type DocumentNode, type FragmentDefinitionNode, type SelectionSetNode } from 'graphql';
import { fragmentsOf } from './ast.ts';

/**
 * Fields and fragments of the largest operation of a document, with fragments expanded wherever they are spread. Each fragment is counted
 * once, so the time is that of reading the text. Cyclic and unknown fragments count as empty: validation refuses them.
 */
export function largestOperation(document: DocumentNode): number {
  const fragments = fragmentsOf(document);
  const known = new Map<string, number>();

  const sizeOf = ({ selections }: SelectionSetNode): number => {
    let size = selections.length;
    for (const selection of selections) {
      if (selection.kind === Kind.FRAGMENT_SPREAD) size += sizeOfFragment(selection.name.value);
      else if (selection.selectionSet) size += sizeOf(selection.selectionSet);
    }
    return size;
  };
  const sizeOfFragment = (name: string): number => {
    const size = known.get(name);
    if (size !== undefined) return size;
    known.set(name, 0);
    const found = measure(fragments.get(name));
    known.set(name, found);
    return found;
  };
  const measure = (fragment: FragmentDefinitionNode | undefined): number => (fragment ? sizeOf(fragment.selectionSet) : 0);

  return document.definitions.reduce(
    (largest, each) => (each.kind === Kind.OPERATION_DEFINITION ? Math.max(largest, sizeOf(each.selectionSet)) : largest),
    0,
  );
}

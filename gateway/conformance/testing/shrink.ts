import { parse, print, separateOperations, visit, type DocumentNode, type SelectionNode } from 'graphql';
import type { RandomOperation } from './operations.ts';

/** The operation without one of its selections, picked by number; undefined when every object has only one. */
export function withoutOne({ source, variables }: RandomOperation, pick: number): RandomOperation | undefined {
  const document = parse(source, { noLocation: true });
  const removable: SelectionNode[] = [];
  visit(document, { SelectionSet: ({ selections }) => void (selections.length > 1 && removable.push(...selections)) });
  if (removable.length === 0) return undefined;
  const chosen = removable[pick % removable.length];
  const leaveOut = (node: SelectionNode) => (node === chosen ? null : undefined);
  const left = visit(document, { Field: leaveOut, InlineFragment: leaveOut, FragmentSpread: leaveOut });
  return withoutUnused(left, variables);
}

function withoutUnused(document: DocumentNode, variables: RandomOperation['variables']): RandomOperation {
  const [operation] = Object.values(separateOperations(document));
  const used = new Set<string>();
  visit(operation!, { VariableDefinition: () => false, Variable: ({ name }) => void used.add(name.value) });
  const pruned = visit(operation!, { VariableDefinition: ({ variable }) => (used.has(variable.name.value) ? undefined : null) });
  return { source: print(pruned), variables: Object.fromEntries(Object.entries(variables).filter(([name]) => used.has(name))) };
}

/**
 * True when the whole response equals the part wherever the part has a value. Values of extra selections may be missing, and null their
 * object.
 */
export function isPartOf(part: unknown, whole: unknown): boolean {
  if (whole === null) return true;
  if (Array.isArray(part)) {
    return Array.isArray(whole) && part.length === whole.length && part.every((each, index) => isPartOf(each, whole[index]));
  }
  if (typeof part !== 'object' || part === null) return part === whole;
  return (
    typeof whole === 'object' && Object.entries(part).every(([name, each]) => isPartOf(each, (whole as Record<string, unknown>)[name]))
  );
}

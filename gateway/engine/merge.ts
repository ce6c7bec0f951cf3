import { Kind, type DocumentNode, type SelectionSetNode } from 'graphql';
import { isInherited, ownValue, setOwn, type Data, type Kit } from './run.ts';

/** Response keys of a fetch. Composite fields have a level below; leaves have none. */
export type Level = readonly LevelField[];

interface LevelField {
  key: string;
  inherited: boolean;
  below: Level | undefined;
}

/** The selection of one fetch, with the fragments of all types merged. */
export function levelOf({ definitions }: DocumentNode): Level {
  const fragments = new Map<string, SelectionSetNode>();
  for (const each of definitions) if (each.kind === Kind.FRAGMENT_DEFINITION) fragments.set(each.name.value, each.selectionSet);
  return levelOfSets(
    definitions.flatMap((each) => (each.kind === Kind.OPERATION_DEFINITION ? [each.selectionSet] : [])),
    fragments,
  );
}

function levelOfSets(sets: readonly SelectionSetNode[], fragments: ReadonlyMap<string, SelectionSetNode>): Level {
  const below = new Map<string, SelectionSetNode[]>();
  const visit = ({ selections }: SelectionSetNode): void => {
    for (const node of selections) {
      if (node.kind === Kind.FIELD) {
        const key = node.alias?.value ?? node.name.value;
        const nested = below.get(key) ?? [];
        if (node.selectionSet) nested.push(node.selectionSet);
        below.set(key, nested);
      } else {
        visit(node.kind === Kind.INLINE_FRAGMENT ? node.selectionSet : fragments.get(node.name.value)!);
      }
    }
  };
  sets.forEach(visit);
  return [...below].map(([key, nested]) => fieldOf(key, nested.length > 0 ? levelOfSets(nested, fragments) : undefined));
}

export const fieldOf = (key: string, below: Level | undefined): LevelField => ({ key, inherited: isInherited(key), below });

/**
 * Merges one response into another: objects field by field, lists entry by entry. A leaf is taken as it is, for a scalar may be an object
 * that another place holds. Null never replaces a value, and an interface name, which may be all a subgraph knows, never replaces an object
 * type.
 */
export function merge(target: Data, source: Data, level: Level, isOfType: Kit['isOfType']): void {
  for (const { key, inherited, below } of level) {
    const value = inherited ? ownValue(source, key) : source[key];
    if (value === undefined) continue;
    const known = inherited ? ownValue(target, key) : target[key];
    if (known === undefined || known === null) setOwn(target, key, value);
    else if (value === null) continue;
    else if (below) mergeValue(known, value, below, isOfType);
    else if (key !== '__typename' || isOfType(value as string, known as string)) setOwn(target, key, value);
  }
}

function mergeValue(known: unknown, value: unknown, below: Level, isOfType: Kit['isOfType']): void {
  if (known === value) return;
  if (!Array.isArray(known)) {
    if (!Array.isArray(value) && typeof known === 'object' && typeof value === 'object')
      merge(known as Data, value as Data, below, isOfType);
    return;
  }
  if (!Array.isArray(value)) return;
  for (let index = 0; index < value.length; index += 1) {
    const entry: unknown = value[index];
    if (known[index] === null || known[index] === undefined) known[index] = entry;
    else if (typeof entry === 'object' && entry !== null) mergeValue(known[index], entry, below, isOfType);
  }
}

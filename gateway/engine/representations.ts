import type { QueryPlanInlineFragmentNode, QueryPlanSelectionNode } from '@apollo/query-planner';
import { isData, ownValue, setOwn, type Data, type Kit } from './run.ts';

/** Builds the representation of an object; undefined when a field is missing. */
export type Select = (source: Data) => Data | undefined;

type Part = (source: Data, selected: Data) => boolean;

/** Compiles the `requires` selection of a fetch. */
export function compileSelect(selections: readonly QueryPlanSelectionNode[], isOfType: Kit['isOfType']): Select {
  const [only, ...others] = selections;
  if (only?.kind === 'InlineFragment' && others.length === 0) return compileFragment(only, isOfType);
  const parts = selections.map((node) => compilePart(node, isOfType));
  return (source) => {
    const selected: Data = {};
    for (const part of parts) if (!part(source, selected)) return undefined;
    return selected;
  };
}

function compilePart(node: QueryPlanSelectionNode, isOfType: Kit['isOfType']): Part {
  if (node.kind === 'Field') {
    const key = node.alias ?? node.name;
    const below = node.selections && compileSelect(node.selections, isOfType);
    return (source, selected) => {
      const value = ownValue(source, key);
      if (value === undefined) return false;
      setOwn(selected, key, below ? selectEach(value, below) : value);
      return true;
    };
  }
  const select = compileFragment(node, isOfType);
  return (source, selected) => {
    const more = select(source);
    if (more) join(selected, more);
    return true;
  };
}

/** Selects nothing of other types. */
function compileFragment({ typeCondition, selections }: QueryPlanInlineFragmentNode, isOfType: Kit['isOfType']): Select {
  const select = compileSelect(selections, isOfType);
  if (typeCondition === undefined) return select;
  return (source) => {
    const typename = source['__typename'];
    return typeof typename === 'string' && isOfType(typename, typeCondition) ? select(source) : undefined;
  };
}

function selectEach(value: unknown, select: Select): unknown {
  if (Array.isArray(value)) return value.map((entry) => selectEach(entry, select));
  return isData(value) ? (select(value) ?? null) : null;
}

function join(selected: Data, more: Data): void {
  for (const [key, value] of Object.entries(more)) {
    const known = ownValue(selected, key);
    if (isData(known) && isData(value)) join(known, value);
    else setOwn(selected, key, value);
  }
}

/** Equal representations have equal keys. */
export function keyOf(representation: Data): string {
  let key = '';
  for (const name in representation) {
    const value = representation[name];
    if (typeof value !== 'string') return JSON.stringify(representation);
    key += `${name} ${value.length} ${value} `;
  }
  return key;
}

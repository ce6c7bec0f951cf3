import type { FetchNode } from '@apollo/query-planner';
import { keyOf, type Select } from './representations.ts';
import { isInherited, type Data } from './run.ts';

/** Each entity once, with the objects that wait for it. */
export interface Groups {
  representations: Data[];
  owners: Data[][];
}

type Requires = NonNullable<FetchNode['requires']>;

/** Groups the objects that stand for the same entity. Objects without a representation are left out. */
export function compileGrouping(requires: Requires, represent: Select): (targets: readonly Data[]) => Groups {
  const field = onlyKey(requires);
  return field === undefined ? (targets) => groupByText(targets, represent) : (targets) => groupByKey(targets, field, represent);
}

/** The key field when the key is a single scalar of a single type, as most keys are. */
function onlyKey([fragment, ...others]: Requires): string | undefined {
  if (fragment?.kind !== 'InlineFragment' || others.length > 0) return undefined;
  const [key, ...more] = fragment.selections.filter((node) => node.kind !== 'Field' || node.name !== '__typename');
  if (key?.kind !== 'Field' || more.length > 0 || key.selections || key.alias !== undefined) return undefined;
  return isInherited(key.name) ? undefined : key.name;
}

/** Builds a representation for the first object of each group only. */
function groupByKey(targets: readonly Data[], field: string, represent: Select): Groups {
  const groups: Groups = { representations: [], owners: [] };
  const types = new Map<unknown, Map<unknown, Data[]>>();
  for (const target of targets) {
    const typename = target['__typename'];
    let known = types.get(typename);
    if (!known) types.set(typename, (known = new Map()));
    const group = known.get(target[field]);
    if (group) group.push(target);
    else begin(groups, target, represent(target), (begun) => known.set(target[field], begun));
  }
  return groups;
}

function groupByText(targets: readonly Data[], represent: Select): Groups {
  const groups: Groups = { representations: [], owners: [] };
  const known = new Map<string, Data[]>();
  for (const target of targets) {
    const representation = represent(target);
    const key = representation && targets.length > 1 ? keyOf(representation) : '';
    const group = known.get(key);
    if (group && representation) group.push(target);
    else begin(groups, target, representation, (begun) => known.set(key, begun));
  }
  return groups;
}

function begin(groups: Groups, target: Data, representation: Data | undefined, remember: (group: Data[]) => void): void {
  if (!representation) return;
  const group = [target];
  remember(group);
  groups.representations.push(representation);
  groups.owners.push(group);
}

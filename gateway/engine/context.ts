import type { FetchNode } from '@apollo/query-planner';
import { ownValue, type Data, type Kit, type Path, type Run } from './run.ts';
import { placesOf } from './targets.ts';

type ContextRewrite = NonNullable<FetchNode['contextRewrites']>[number];

interface Group {
  targets: Data[];
  variables: Data;
}

const UP = '..';
const FRAGMENT = '... on ';

/** `@fromContext`: arguments of a fetch that come from objects above its targets. Targets with the same values are fetched together. */
export function compileContext(
  rewrites: readonly ContextRewrite[],
  at: Path,
  isOfType: Kit['isOfType'],
): (run: Run, targets: readonly Data[]) => Group[] {
  return (run, targets) => {
    const places = placesOf(run.root, at);
    const groups = new Map<string, Group>();
    for (const target of targets) {
      const variables: Data = {};
      const ancestors = places.get(target)?.[0]?.ancestors ?? [target];
      for (const { path, renameKeyTo } of rewrites) {
        const value = valueAbove(ancestors, path, isOfType);
        if (value !== undefined) variables[renameKeyTo] = value;
      }
      const memo = JSON.stringify(variables);
      const group = groups.get(memo) ?? { targets: [], variables };
      group.targets.push(target);
      groups.set(memo, group);
    }
    return [...groups.values()];
  };
}

function valueAbove(ancestors: readonly Data[], path: readonly string[], isOfType: Kit['isOfType']): unknown {
  const up = path.filter((each) => each === UP).length;
  let value: unknown = ancestors.at(-1 - up);
  for (const step of path.slice(up)) {
    if (typeof value !== 'object' || value === null) return undefined;
    const data = value as Data;
    if (!step.startsWith(FRAGMENT)) value = ownValue(data, step);
    else if (typeof data['__typename'] === 'string' && !isOfType(data['__typename'], step.slice(FRAGMENT.length))) return undefined;
  }
  return value;
}

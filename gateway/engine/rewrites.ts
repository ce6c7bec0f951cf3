import type { FetchNode } from '@apollo/query-planner';
import { fieldOf, type Level } from './merge.ts';
import { ownValue, setOwn, type Data, type Kit } from './run.ts';

type FetchRewrite = NonNullable<FetchNode['outputRewrites']>[number];
export type Rewrite = (value: unknown) => void;

const FRAGMENT = '... on ';

/** Rewrites of a plan on requests or responses: renamed keys and replaced values. */
export function compileRewrites(rewrites: readonly FetchRewrite[] | undefined, isOfType: Kit['isOfType']): Rewrite | undefined {
  if (!rewrites?.length) return undefined;
  const compiled = rewrites.map((rewrite) => atPath(rewrite.path.slice(0, -1), changeOf(rewrite), isOfType));
  return (value) => compiled.forEach((change) => change(value));
}

function changeOf(rewrite: FetchRewrite): (data: Data) => void {
  const key = rewrite.path.at(-1)!;
  if (rewrite.kind === 'ValueSetter') return (data) => setOwn(data, key, rewrite.setValueTo);
  return (data) => {
    const value = ownValue(data, key);
    if (value === undefined) return;
    delete data[key];
    setOwn(data, rewrite.renameKeyTo, value);
  };
}

function atPath(path: readonly string[], change: (data: Data) => void, isOfType: Kit['isOfType']): Rewrite {
  const [head, ...rest] = path;
  const next = head === undefined ? change : atPath(rest, change, isOfType);
  const condition = head?.startsWith(FRAGMENT) ? head.slice(FRAGMENT.length) : undefined;
  const visit: Rewrite = (value) => {
    if (Array.isArray(value)) return value.forEach(visit);
    if (typeof value !== 'object' || value === null) return;
    const data = value as Data;
    if (head === undefined) next(data);
    else if (condition === undefined) next(ownValue(data, head) as Data);
    else if (typeof data['__typename'] !== 'string' || isOfType(data['__typename'], condition)) next(data);
  };
  return visit;
}

/** The level of a response after its rewrites: new names beside the old ones. */
export function renamedLevel(level: Level, rewrites: readonly FetchRewrite[] | undefined): Level {
  return (rewrites ?? []).reduce<Level>(
    (changed, rewrite) =>
      rewrite.kind === 'KeyRenamer'
        ? withName(
            changed,
            rewrite.path.filter((each) => !each.startsWith(FRAGMENT)),
            rewrite.renameKeyTo,
          )
        : changed,
    level,
  );
}

function withName(level: Level, [head, ...rest]: readonly string[], name: string): Level {
  return level.flatMap((field) => {
    if (field.key !== head) return [field];
    return rest.length === 0 ? [field, fieldOf(name, field.below)] : [fieldOf(field.key, field.below && withName(field.below, rest, name))];
  });
}

/** The client's names of fields that the plan had to rename. */
export function clientNames(rewrites: readonly FetchRewrite[] | undefined): ReadonlyMap<string, string> {
  return new Map((rewrites ?? []).flatMap((each) => (each.kind === 'KeyRenamer' ? [[each.path.at(-1)!, each.renameKeyTo]] : [])));
}

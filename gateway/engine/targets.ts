import { isData, ownValue, type Data, type Path } from './run.ts';

/** `@` stands for every entry of a list. */
const EACH = '@';

/** Every object at the path below the targets, in order; nulls are left out. */
export function gather(targets: readonly Data[], path: Path): Data[] {
  const found: Data[] = [];
  for (const target of targets) collect(target, path, 0, found);
  return found;
}

function collect(value: unknown, path: Path, depth: number, found: Data[]): void {
  if (value === null || typeof value !== 'object') return;
  if (Array.isArray(value)) {
    const next = path[depth] === EACH ? depth + 1 : depth;
    for (const entry of value) collect(entry, path, next, found);
  } else if (depth === path.length) {
    found.push(value as Data);
  } else if (path[depth] !== EACH) {
    collect(ownValue(value as Data, path[depth] as string), path, depth + 1, found);
  }
}

/** The path of an object in the response, and its ancestors. */
export interface Place {
  path: Path;
  /** From the root to the object itself. */
  ancestors: readonly Data[];
}

/** The places of every object at the path below the root. An object has several when its entity was fetched once for all of them. */
export function placesOf(root: Data, path: Path): Map<Data, Place[]> {
  const places = new Map<Data, Place[]>();
  const walk = (value: unknown, depth: number, at: Path, ancestors: readonly Data[]): void => {
    if (Array.isArray(value)) {
      const next = path[depth] === EACH ? depth + 1 : depth;
      value.forEach((entry, index) => walk(entry, next, [...at, index], ancestors));
    } else if (isData(value)) {
      const chain = [...ancestors, value];
      const key = path[depth];
      if (depth === path.length) places.set(value, [...(places.get(value) ?? []), { path: at, ancestors: chain }]);
      else if (key !== EACH) walk(ownValue(value, key as string), depth + 1, [...at, key as string], chain);
    }
  };
  walk(root, 0, [], []);
  return places;
}

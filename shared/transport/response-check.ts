import { Kind, parse, type SelectionSetNode } from 'graphql';
import { LRUCache } from 'lru-cache';

/** A field that has fields of its own, or a fragment around such fields (no name). */
interface Branch {
  name: string | undefined;
  below: Branch[];
}

const MAX_SHAPES = 2_000;
const shapes = new LRUCache<string, Branch[]>({ max: MAX_SHAPES });

/**
 * True when the data has objects where the operation selects fields. Leaves may be anything: a scalar may have any shape. Merging relies on it,
 * and another process may return anything.
 */
export const matchesSelection = (query: string, data: unknown): boolean => fits(data, knownShapeOf(query));

type Path = readonly (string | number)[];

/** The data with null in place of each value that should be an object, and the paths of these values. */
export function nullMisfits(query: string, data: unknown): { data: unknown; misfits: Path[] } {
  const shape = knownShapeOf(query);
  const misfits: Path[] = [];
  return { data: fits(data, shape) ? data : mended(data, shape, [], misfits), misfits };
}

function mended(value: unknown, shape: readonly Branch[], path: Path, misfits: Path[]): unknown {
  if (value === null || value === undefined) return value;
  if (Array.isArray(value)) return value.map((entry, index) => mended(entry, shape, [...path, index], misfits));
  if (typeof value !== 'object') {
    misfits.push(path);
    return null;
  }
  let whole = value as Readonly<Record<string, unknown>>;
  for (const { name, below } of shape) {
    if (name === undefined) whole = mended(whole, below, path, misfits) as typeof whole;
    else if (Object.hasOwn(whole, name)) whole = { ...whole, [name]: mended(whole[name], below, [...path, name], misfits) };
  }
  return whole;
}

function knownShapeOf(query: string): Branch[] {
  let shape = shapes.get(query);
  if (!shape) shapes.set(query, (shape = shapeOf(query)));
  return shape;
}

function shapeOf(query: string): Branch[] {
  const operation = parse(query, { noLocation: true }).definitions.find((definition) => definition.kind === Kind.OPERATION_DEFINITION);
  return operation ? branches(operation.selectionSet) : [];
}

const branches = ({ selections }: SelectionSetNode): Branch[] =>
  selections.flatMap((node) => {
    if (node.kind === Kind.FRAGMENT_SPREAD || !node.selectionSet) return [];
    const name = node.kind === Kind.FIELD ? (node.alias?.value ?? node.name.value) : undefined;
    return [{ name, below: branches(node.selectionSet) }];
  });

function fits(value: unknown, shape: readonly Branch[]): boolean {
  if (value === null || value === undefined) return true;
  if (typeof value !== 'object') return false;
  if (Array.isArray(value)) return value.every((entry) => fits(entry, shape));
  return shape.every(({ name, below }) => {
    if (name === undefined) return fits(value, below);
    return !Object.hasOwn(value, name) || fits((value as Record<string, unknown>)[name], below);
  });
}

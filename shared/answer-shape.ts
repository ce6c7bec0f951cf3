import { Kind, parse, type ExecutionResult, type SelectionSetNode } from 'graphql';
import { LRUCache } from 'lru-cache';

/** A field that has fields of its own, or a fragment around such fields (no name). */
interface Branch {
  name: string | undefined;
  below: Branch[];
}

const KEPT_SHAPES = 2_000;
const shapes = new LRUCache<string, Branch[]>({ max: KEPT_SHAPES });

/**
 * True when objects stand where the operation asks for objects. Leaves may be anything: a scalar may be of any shape. Who joins answers
 * relies on it, and another process may answer what it likes.
 */
export function answersShape(query: string, data: unknown): boolean {
  let shape = shapes.get(query);
  if (!shape) shapes.set(query, (shape = shapeOf(query)));
  return fits(data, shape);
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

/** Whether this is an answer of GraphQL at all. */
export function isExecutionResult(value: unknown): value is ExecutionResult {
  if (!isObject(value)) return false;
  const { data, errors } = value;
  const dataFits = data === undefined || data === null || isObject(data);
  const errorsFit =
    errors === undefined || (Array.isArray(errors) && errors.every((error) => isObject(error) && typeof error['message'] === 'string'));
  return dataFits && errorsFit && (data !== undefined || (Array.isArray(errors) && errors.length > 0));
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);

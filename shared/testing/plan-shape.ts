/*
 * Whether an index can serve a query, judged by their shapes: collections of tests are too small for counts. Glossary. Point: a field that
 * must equal a value, or one of a few. Weak: what many rows share, such as a flag, an enum, null or a time that has passed. Rest: what is
 * only filtered.
 */

// oxlint-disable-next-line typescript/no-explicit-any -- commands of every kind
export type Command = Record<string, any>;

export interface Index {
  name: string;
  key: Record<string, unknown>;
  unique?: boolean;
  partialFilterExpression?: object;
}

type Strength = 'weak' | 'strong';

export interface Shape {
  points: Map<string, Strength>;
  ranges: Map<string, Strength>;
  /** Conditions no index bounds: fields, or operators that join conditions. */
  rest: Set<string>;
  sort: [path: string, direction: number][];
  isLimited: boolean;
}

const EXCEPT = new Set(['$ne', '$nin']);
const RANGE = new Set(['$gt', '$gte', '$lt', '$lte']);

/** What each query of a command asks: several for a bulk. */
export function shapesOf(name: string, command: Command): Shape[] {
  const one = (filter: Command = {}, sort: Command = {}, limit: unknown = 0): Shape[] => [shapeOf(filter, sort, Boolean(limit))];
  switch (name) {
    case 'find':
      return one(command['filter'], command['sort'], command['limit']);
    case 'count':
    case 'distinct':
      return one(command['query'], {}, command['limit']);
    case 'findAndModify':
      return one(command['query'], command['sort'], 1);
    case 'update':
      return command['updates'].flatMap(({ q, multi }: Command) => one(q, {}, !multi));
    case 'delete':
      return command['deletes'].flatMap(({ q, limit }: Command) => one(q, {}, limit));
    case 'aggregate': {
      const [first = {}, second = {}, third = {}] = command['pipeline'] as Command[];
      const hasMatch = '$match' in first;
      const [next, after] = hasMatch ? [second, third] : [first, second];
      return one(hasMatch ? first['$match'] : {}, next['$sort'], next['$limit'] ?? after['$limit']);
    }
    default:
      return [];
  }
}

function shapeOf(filter: Command, sort: Command, isLimited: boolean): Shape {
  const shape: Shape = { points: new Map(), ranges: new Map(), rest: new Set(), sort: [], isLimited };
  shape.sort = Object.entries(sort instanceof Map ? Object.fromEntries(sort) : sort) as Shape['sort'];
  add(shape, filter, '');
  return shape;
}

function add(shape: Shape, filter: Command, prefix: string): void {
  for (const [name, condition] of Object.entries(filter)) {
    if (name === '$and') for (const each of condition as Command[]) add(shape, each, prefix);
    else if (name === '$or' && condition.length === 1) add(shape, condition[0], prefix);
    else if (name.startsWith('$')) shape.rest.add(name);
    else addField(shape, prefix + name, condition);
  }
}

function addField(shape: Shape, path: string, condition: unknown): void {
  if (!isOperators(condition)) {
    shape.points.set(path, strengthOf(path, [condition]));
    return;
  }
  for (const [operator, value] of Object.entries(condition)) {
    if (operator === '$eq') shape.points.set(path, strengthOf(path, [value]));
    else if (operator === '$in') shape.points.set(path, strengthOf(path, value as unknown[]));
    else if (operator === '$elemMatch') add(shape, value as Command, `${path}.`);
    else if (RANGE.has(operator) || (operator === '$regex' && String(value).startsWith('^')))
      shape.ranges.set(path, operator.startsWith('$l') && value instanceof Date && shape.ranges.get(path) !== 'strong' ? 'weak' : 'strong');
    // All but a few is as good as all.
    else if (EXCEPT.has(operator) && strengthOf(path, [value].flat()) === 'weak') shape.ranges.set(path, 'weak');
    else if (operator !== '$options' && !(path === '_id' && EXCEPT.has(operator))) shape.rest.add(path);
  }
}

const isOperators = (value: unknown): value is Command =>
  typeof value === 'object' && value !== null && Object.keys(value).length > 0 && Object.keys(value).every((key) => key.startsWith('$'));

const strengthOf = (path: string, values: unknown[]): Strength =>
  /(?:_id|Ids?|[kK]eys?)$/.test(path) ||
  values.some((value) => value !== null && typeof value !== 'boolean' && !(typeof value === 'string' && /^[A-Z][A-Z_]*$/.test(value)))
    ? 'strong'
    : 'weak';

/** Undefined when one of the indexes serves the whole query; otherwise why the best of them does not. */
export function faultOf(shape: Shape, indexes: readonly Index[]): string | undefined {
  if (shape.points.size + shape.ranges.size + shape.rest.size + shape.sort.length === 0)
    return shape.isLimited ? undefined : 'reads the whole collection';
  const faults = indexes.map((index) => faultWith(shape, index));
  if (faults.includes(undefined)) return undefined;
  return faults.find((fault) => fault?.includes('sieved')) ?? faults.find((fault) => fault !== NOT_SERVED) ?? NOT_SERVED;
}

const NOT_SERVED = 'no index begins with what it asks for';

function faultWith({ points, ranges, rest, sort }: Shape, { name, key, unique, partialFilterExpression }: Index): string | undefined {
  // A query implies a value that it names itself; that a text is of the type text no store sees.
  const isImplied = ([path, condition]: [string, unknown]): boolean => points.has(path) && !isOperators(condition);
  if (partialFilterExpression && !Object.entries(partialFilterExpression).every(isImplied)) return NOT_SERVED;
  const keys = Object.entries(key);
  const bound = keys.findIndex(([path]) => !points.has(path));
  const prefix = (bound === -1 ? keys : keys.slice(0, bound)).map(([path]) => path);
  if ((unique || name === '_id_') && bound === -1) return undefined;
  const following = keys.slice(prefix.length);
  const wanted = sort.filter(([path]) => !points.has(path));
  const isSorted = wanted.every(([path, direction], at) => {
    const found = following[at];
    return found?.[0] === path && (Number(found[1]) === direction) === (Number(following[0]![1]) === wanted[0]![1]);
  });
  const hasRange = following.length > 0 && ranges.has(following[0]![0]);
  if (prefix.length === 0 && !hasRange && (wanted.length === 0 || !isSorted)) return NOT_SERVED;
  if (prefix.some((path) => points.get(path) === 'strong')) return undefined;
  if (!isSorted) return `${name} serves the filter, and all it finds is sorted in memory`;
  const covered = new Set(Object.keys(key));
  const filtered = [...ranges.keys(), ...rest, ...points.keys()].filter((path) => !covered.has(path));
  // Behind an enum or a flag, other flags are what most rows have; anything else may match one row in thousands.
  const isHarmless = (path: string): boolean =>
    (prefix.length > 0 || hasRange) && ((points.get(path) ?? ranges.get(path)) === 'weak' || path === '$or');
  const sieved = filtered.filter((path) => !isHarmless(path));
  return sieved.length > 0 ? `${name} serves a part, and ${sieved.join(', ')} is sieved out of all it finds` : undefined;
}

/** For messages and as a key: the shape in words, without values. */
export function wordsOf({ points, ranges, rest, sort, isLimited }: Shape): string {
  const fields = [
    ...[...points].map(([path, strength]) => `${path} =${strength === 'weak' ? ' (of few)' : ''}`),
    ...[...ranges].map(([path, strength]) => `${path} <>${strength === 'weak' ? ' (passed)' : ''}`),
    ...[...rest].map((path) => `${path} …`),
  ];
  const order = sort.map(([path, direction]) => `${path} ${direction}`).join(', ');
  return `{ ${fields.join(', ')} }${order && ` sorted by ${order}`}${isLimited ? ', limited' : ''}`;
}

import { trusted } from 'mongoose';
import { allOf } from './all-of.ts';
import { cursorOf, positionOf, type Position } from './cursor.ts';
import { translateWhere, type Fields } from './where.ts';
import { invalid } from '../base/errors.ts';
import type { AnyModel } from './loaders.ts';

export type { Fields } from './where.ts';

type Filter = Record<string, unknown>;

/** One of the names in `sorts`, and which way; ascending when not said. */
interface Sort {
  field: string;
  direction?: 'ASC' | 'DESC' | null;
}

/** The arguments of a list as a client gives them. */
export interface ListArguments {
  first?: number | null;
  after?: string | null;
  last?: number | null;
  before?: string | null;
  where?: unknown;
  sort?: Sort | readonly Sort[] | null;
}

interface ConnectionOptions extends ListArguments {
  /** What the viewer may see at all. From the subgraph, never from a client. */
  filter?: Filter;
  /** What `where` may name. */
  fields?: Fields;
  /** What `sort` may name, and where it lies in the document: `{ CREATED_AT: 'createdAt' }`. */
  sorts?: Readonly<Record<string, string>>;
  /** When the client gives no `sort`; newest first by `_id` when this is missing too. */
  defaultSort?: Sort;
  /** Why the store may read more than it answers, where no index serves the whole of it: goes along as a comment. */
  plan?: string | undefined;
  /** `totalCount` stops counting here; default 10,000. */
  maxCount?: number;
}

export interface Edge<T> {
  node: T;
  readonly cursor: string;
}

export interface Connection<T> {
  edges: Edge<T>[];
  nodes: T[];
  pageInfo: { hasNextPage: boolean; hasPreviousPage: boolean; readonly startCursor: string | null; readonly endCursor: string | null };
  /** Counted when it is asked for; `maxCount` means that many or more. */
  totalCount(): Promise<number>;
}

const DEFAULT_PAGE_SIZE = 20;
const MAX_PAGE_SIZE = 100;
const MAX_COUNT = 10_000;
const MAX_SORTS = 3;

/** The order of a list. `_id` stands last, so that no two entries are equal, in the direction before it, so that one index serves both ways. */
interface Sequence {
  list: string;
  keys: { path: string; direction: 1 | -1 }[];
}

/**
 * One page of a Relay connection, read by keyset: no entry is skipped or repeated when others come and go. Documents are lean. Throws INVALID
 * or INVALID_CURSOR with the argument as path. `first` is 20 when nothing is given, at most 100.
 */
export async function connection<T>(model: AnyModel<T>, options: ConnectionOptions): Promise<Connection<T>> {
  const { size, backward } = pageOf(options);
  const sequence = sequenceOf(model.modelName, options);
  const conditions = [options.filter ?? {}, translateWhere(options.where, options.fields ?? {})];
  const borders = bordersOf(sequence, options);
  const comment = options.plan && { comment: `plan: ${options.plan}` };
  const found = (await model
    .find(trusted(allOf([...conditions, ...borders])), null, { ...comment })
    .sort(sortOf(backward ? reversed(sequence.keys) : sequence.keys))
    .limit(size + 1)
    .lean()) as (T & { _id: unknown })[];
  const more = found.length > size;
  const nodes = found.slice(0, size);
  if (backward) nodes.reverse();
  const edges = nodes.map((node) => edgeOf(sequence, node));
  return {
    edges,
    nodes,
    pageInfo: {
      hasNextPage: backward ? isGiven(options.before) : more,
      hasPreviousPage: backward ? more : isGiven(options.after),
      get startCursor() {
        return edges[0]?.cursor ?? null;
      },
      get endCursor() {
        return edges.at(-1)?.cursor ?? null;
      },
    },
    totalCount: () => model.countDocuments(trusted(allOf(conditions)), { limit: options.maxCount ?? MAX_COUNT, ...comment }).exec(),
  };
}

function pageOf({ first, last }: ListArguments): { size: number; backward: boolean } {
  if (isGiven(first) && isGiven(last)) throw invalid(['last'], 'Give either `first` or `last`.');
  const argument = isGiven(last) ? 'last' : 'first';
  const size = last ?? first ?? DEFAULT_PAGE_SIZE;
  if (!Number.isInteger(size) || size < 0) throw invalid([argument], 'The size of a page is a whole number from 0.');
  if (size > MAX_PAGE_SIZE) throw invalid([argument], `A page has at most ${MAX_PAGE_SIZE} entries.`);
  return { size, backward: argument === 'last' };
}

function sequenceOf(modelName: string, { sort, defaultSort, sorts = {} }: ConnectionOptions): Sequence {
  const given = [sort ?? []].flat();
  const wanted = given.length > 0 ? given : defaultSort ? [defaultSort] : [];
  if (wanted.length > MAX_SORTS) throw invalid(['sort'], `A list is sorted by at most ${MAX_SORTS} fields.`);
  const named = wanted.map((one, index) => {
    const path = Object.hasOwn(sorts, one.field) ? sorts[one.field] : undefined;
    const place = Array.isArray(sort) ? ['sort', index, 'field'] : ['sort', 'field'];
    if (path === undefined) throw invalid(place, 'This list cannot be sorted by this field.');
    return { path, direction: one.direction === 'DESC' ? (-1 as const) : (1 as const) };
  });
  // A field that is named again changes nothing any more.
  const keys = named.filter(({ path }, index) => named.findIndex((key) => key.path === path) === index);
  // Nothing said: newest first, as ids sort by age.
  const last = keys.at(-1)?.direction ?? -1;
  if (!keys.some(({ path }) => path === '_id')) keys.push({ path: '_id', direction: last });
  return { list: `${modelName} ${JSON.stringify(keys)}`, keys };
}

function bordersOf({ list, keys }: Sequence, { after, before }: ListArguments): Filter[] {
  const borders: Filter[] = [];
  if (isGiven(after)) borders.push(beyond(keys, positionOf(list, after, 'after')));
  if (isGiven(before)) borders.push(beyond(reversed(keys), positionOf(list, before, 'before')));
  return borders;
}

/** What comes after a position: beyond it by one key, and equal to it by all keys before. */
function beyond(keys: Sequence['keys'], position: Position): Filter {
  const equal: Filter[] = [];
  const ways: Filter[] = [];
  keys.forEach(({ path, direction }, index) => {
    const value = position[index] ?? null;
    for (const further of furtherThan(path, direction, value)) ways.push({ $and: [...equal, further] });
    equal.push({ [path]: trusted({ $eq: value }) });
  });
  return { $or: ways };
}

/** Null sorts below everything, but `$gt` and `$lt` compare within one type and would never cross over to it. */
function furtherThan(path: string, direction: 1 | -1, value: unknown): Filter[] {
  if (value === null) return direction === 1 ? [{ [path]: trusted({ $ne: null }) }] : [];
  const compared = { [path]: trusted({ [direction === 1 ? '$gt' : '$lt']: value }) };
  return direction === 1 || path === '_id' ? [compared] : [compared, { [path]: trusted({ $eq: null }) }];
}

const reversed = (keys: Sequence['keys']): Sequence['keys'] =>
  keys.map(({ path, direction }) => ({ path, direction: direction === 1 ? -1 : 1 }));

const sortOf = (keys: Sequence['keys']): Record<string, 1 | -1> => Object.fromEntries(keys.map(({ path, direction }) => [path, direction]));

/** The cursor is made when it is asked for: most pages are read for their nodes. */
function edgeOf<T extends object>({ list, keys }: Sequence, node: T): Edge<T> {
  return {
    node,
    get cursor() {
      return cursorOf(
        list,
        keys.map(({ path }) => valueAt(node, path)),
      );
    },
  };
}

const valueAt = (node: object, path: string): unknown =>
  path.split('.').reduce<unknown>((value, name) => (value as Record<string, unknown> | null | undefined)?.[name], node) ?? null;

const isGiven = <V>(value: V | null | undefined): value is V => value !== null && value !== undefined;

import { trusted } from 'mongoose';
import { cursorOf, positionOf, type Position } from './connections/cursor.ts';
import { translateWhere, type Fields } from './connections/where.ts';
import { invalid } from './errors.ts';
import type { AnyModel } from './loaders.ts';

export type { FieldKind, Fields } from './connections/where.ts';

type Filter = Record<string, unknown>;

interface Sort {
  /** One of the names in `sorts`. */
  by: string;
  direction?: 'ASC' | 'DESC' | null;
}

/** The arguments of a list as a client gives them. */
export interface ListArguments {
  first?: number | null;
  after?: string | null;
  last?: number | null;
  before?: string | null;
  where?: unknown;
  sort?: Sort | null;
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

const USUAL_PAGE = 20;
const LARGEST_PAGE = 100;
const LARGEST_COUNT = 10_000;

/** The order of a list: by one field and, within the same value, by `_id`, both in one direction so that one index serves either way. */
interface Order {
  list: string;
  path: string;
  direction: 1 | -1;
}

/**
 * One page of a Relay connection, read by keyset: no entry is skipped or repeated when others come and go. Documents are lean. Throws INVALID
 * or INVALID_CURSOR with the argument as path. `first` is 20 when nothing is given, at most 100.
 */
export async function connection<T>(model: AnyModel<T>, options: ConnectionOptions): Promise<Connection<T>> {
  const { size, backward } = pageOf(options);
  const order = orderOf(model.modelName, options);
  const conditions = [options.filter ?? {}, translateWhere(options.where, options.fields ?? {})];
  const borders = bordersOf(order, options);
  const direction = backward ? -order.direction : order.direction;
  const found = (await model
    .find(trusted({ $and: [...conditions, ...borders] }))
    .sort(sortOf(order.path, direction as 1 | -1))
    .limit(size + 1)
    .lean()) as (T & { _id: unknown })[];
  const more = found.length > size;
  const nodes = found.slice(0, size);
  if (backward) nodes.reverse();
  const edges = nodes.map((node) => edgeOf(order, node));
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
    totalCount: () => model.countDocuments(trusted({ $and: conditions }), { limit: options.maxCount ?? LARGEST_COUNT }).exec(),
  };
}

function pageOf({ first, last }: ListArguments): { size: number; backward: boolean } {
  if (isGiven(first) && isGiven(last)) throw invalid(['last'], 'Give either `first` or `last`.');
  const argument = isGiven(last) ? 'last' : 'first';
  const size = last ?? first ?? USUAL_PAGE;
  if (!Number.isInteger(size) || size < 0) throw invalid([argument], 'The size of a page is a whole number from 0.');
  if (size > LARGEST_PAGE) throw invalid([argument], `A page has at most ${LARGEST_PAGE} entries.`);
  return { size, backward: argument === 'last' };
}

function orderOf(modelName: string, { sort, defaultSort, sorts = {} }: ConnectionOptions): Order {
  const { by, direction } = sort ?? defaultSort ?? { by: '', direction: 'DESC' };
  const path = by === '' && !sort ? '_id' : Object.hasOwn(sorts, by) ? sorts[by] : undefined;
  if (path === undefined) throw invalid(['sort', 'by'], 'This list cannot be sorted by this field.');
  return { list: `${modelName} ${by} ${direction ?? 'ASC'}`, path, direction: direction === 'DESC' ? -1 : 1 };
}

function bordersOf(order: Order, { after, before }: ListArguments): Filter[] {
  const borders: Filter[] = [];
  if (isGiven(after)) borders.push(beyond(order.path, order.direction, positionOf(order.list, after, 'after')));
  if (isGiven(before)) borders.push(beyond(order.path, order.direction === 1 ? -1 : 1, positionOf(order.list, before, 'before')));
  return borders;
}

/** What comes after a position. Null sorts below everything, but `$gt` and `$lt` compare within one type and would never cross over to it. */
function beyond(path: string, direction: 1 | -1, { id, value }: Position): Filter {
  const operator = direction === 1 ? '$gt' : '$lt';
  const next = { _id: trusted({ [operator]: id }) };
  if (path === '_id') return next;
  const ways: Filter[] = [{ [path]: trusted({ $eq: value }), ...next }];
  if (value !== null) ways.push({ [path]: trusted({ [operator]: value }) });
  if (value !== null && direction === -1) ways.push({ [path]: trusted({ $eq: null }) });
  if (value === null && direction === 1) ways.push({ [path]: trusted({ $ne: null }) });
  return { $or: ways };
}

const sortOf = (path: string, direction: 1 | -1): Record<string, 1 | -1> => ({ [path]: direction, _id: direction });

/** The cursor is made when it is asked for: most pages are read for their nodes. */
function edgeOf<T extends { _id: unknown }>({ list, path }: Order, node: T): Edge<T> {
  return {
    node,
    get cursor() {
      return cursorOf(list, { id: String(node._id), value: path === '_id' ? null : valueAt(node, path) });
    },
  };
}

const valueAt = (node: object, path: string): unknown =>
  path.split('.').reduce<unknown>((value, name) => (value as Record<string, unknown> | null | undefined)?.[name], node) ?? null;

const isGiven = <V>(value: V | null | undefined): value is V => value !== null && value !== undefined;

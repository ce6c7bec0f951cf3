import type { Connection, mongo } from 'mongoose';
import { newId } from '#shared/base/ids.ts';
import type { Host } from '#shared/runtime/host.ts';

/* Finished orders by the thousand: copies of all that real ones have left in the store, under ids of their own. */

interface Row {
  _id: string;
  [field: string]: unknown;
}

interface Kept {
  subgraph: string;
  collection: string;
  /** What must be another one in each copy. */
  change?: (row: Row, number: number) => Partial<Row>;
}

const KEPT: Kept[] = [
  { subgraph: 'orders', collection: 'orders' },
  { subgraph: 'orders', collection: 'vendororders' },
  { subgraph: 'orders', collection: 'sagas', change: () => ({ key: newId('key') }) },
  { subgraph: 'orders', collection: 'outbox' },
  { subgraph: 'orders', collection: 'inbox' },
  { subgraph: 'orders', collection: 'idempotency' },
  { subgraph: 'inventory', collection: 'stockmovements', change: (_row, number) => ({ sequence: -Date.now() - number }) },
  {
    subgraph: 'inventory',
    collection: 'reservations',
    change: () => ({ reference: newId('ref') }),
  },
  { subgraph: 'inventory', collection: 'outbox' },
  { subgraph: 'inventory', collection: 'inbox' },
  { subgraph: 'inventory', collection: 'idempotency' },
];
const MAX_MODELS = 200;
const AT_ONCE = 1_000;
const AGE_MS = 7 * 24 * 3_600_000;

const filterOf = (collection: string): object =>
  collection === 'outbox' ? { state: 'DONE' } : collection === 'stockmovements' ? { cause: { $ne: 'RECEIVED' } } : {};

/** How many rows there are of each kind; asked before and after the real orders, it tells what one leaves. */
export const countRows = ({ runtimes }: Host): Promise<number[]> =>
  Promise.all(KEPT.map(({ subgraph, collection }) => rowsOf(runtimes.get(subgraph)!.db, collection).countDocuments(filterOf(collection))));

/** Adds what so many orders leave. Answers how many rows it wrote. */
export async function grow({ runtimes }: Host, rowsPerOrder: readonly number[], orders: number): Promise<number> {
  let written = 0;
  for (const [kind, { subgraph, collection, change }] of KEPT.entries()) {
    const rows = rowsOf(runtimes.get(subgraph)!.db, collection);
    const models = await rows.find(filterOf(collection)).sort({ _id: -1 }).limit(MAX_MODELS).toArray();
    const wanted = models.length === 0 ? 0 : Math.round(rowsPerOrder[kind]! * orders);
    for (let at = 0; at < wanted; at += AT_ONCE) {
      const numbers = Array.from({ length: Math.min(AT_ONCE, wanted - at) }, (_, index) => at + index + 1);
      await rows.insertMany(numbers.map((number) => copyOf(models[number % models.length]!, number, wanted, change)));
    }
    written += wanted;
  }
  return written;
}

function copyOf(row: Row, number: number, of: number, change: Kept['change']): Row {
  const at = new Date(Date.now() - AGE_MS + (number / of) * (AGE_MS - 60_000));
  const prefix = /^([a-z]+)_[0-9A-Z]{26}$/.exec(row._id)?.[1];
  const placed = 'placedAt' in row ? { placedAt: at } : {};
  return { ...row, ...placed, ...change?.(row, number), _id: newId(prefix ?? 'old', at) };
}

const rowsOf = (db: Connection, collection: string): mongo.Collection<Row> => db.collection<Row>(collection);

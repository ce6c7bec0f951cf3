import type { Connection } from 'mongoose';
import { defineSubgraph, type Subgraph } from '../kit/define-subgraph.ts';
import { migration, type Migration } from '../kit/migration.ts';
import { join } from 'node:path';

export interface Item {
  _id: number;
  /** How often it was migrated. */
  times?: number;
}

export const itemsOf = (db: Connection) => db.collection<Item>('items');

/** A subgraph that does nothing but migrate. */
export const migrated = (...migrations: Migration[]): Subgraph =>
  defineSubgraph({
    name: 'items',
    folder: join(import.meta.dirname, 'fixture-subgraph'),
    models: () => ({}),
    loaders: () => ({}),
    resolvers: {},
    permissions: {},
    migrations,
  });

interface Counting {
  name?: string;
  batch?: number;
  /** Called in each batch after its changes, with where it began. */
  meet?: (after: number) => unknown;
}

/** Counts in each item how often it was migrated. */
export const counting = ({ name = '2026-12-01-count-items', batch = 2, meet = () => undefined }: Counting = {}): Migration =>
  migration<unknown, unknown, number>(name, {
    batch,
    async run({ db, session }, { after, batch: size }) {
      const items = await itemsOf(db)
        .find({ _id: { $gt: after ?? -1 } }, { session })
        .sort({ _id: 1 })
        .limit(size)
        .toArray();
      const ids = items.map(({ _id }) => _id);
      await itemsOf(db).updateMany({ _id: { $in: ids } }, { $inc: { times: 1 } }, { session });
      await meet(after ?? -1);
      return { after: items.length < size ? null : ids.at(-1)!, changed: ids.length };
    },
  });

import type { ClientSession, Connection } from 'mongoose';
import type { Logger } from 'pino';

/** What a migration may use. Models join its transaction by themselves; a collection of the driver needs `{ session }`. */
export interface MigrationContext<M = any, P = any> {
  readonly subgraph: string;
  readonly db: Connection;
  readonly models: M;
  readonly providers: P;
  readonly session: ClientSession;
  readonly log: Logger;
  now(): Date;
}

/** Where the last batch ended, as that batch returned it; null before the first. */
export interface BatchStart<A> {
  after: A | null;
  batch: number;
}

export interface DataMigration {
  kind: 'data';
  name: string;
  batch: number;
  run(ctx: MigrationContext, start: BatchStart<any>): Promise<{ after: unknown; changed: number }>;
}

export interface IndexDrop {
  kind: 'dropIndex';
  name: string;
  collection: string;
  index: string;
}

export type Migration = DataMigration | IndexDrop;

interface MigrationOptions<M, P, A> {
  /** Rows of one transaction. */
  batch: number;
  /** Changes the rows after `after`, at most `batch` of them. Returns where it ended, null at the end, and how many rows it changed. */
  run(ctx: MigrationContext<M, P>, start: BatchStart<A>): Promise<{ after: A | null; changed: number }>;
}

/**
 * A change of stored data, once in each database, before the subgraph serves. Each batch is one transaction with its progress. Processes of the
 * last build still read and write meanwhile: add first, move the data, and remove one release later.
 */
export const migration = <M = any, P = any, A = string>(name: string, { batch, run }: MigrationOptions<M, P, A>): DataMigration => ({
  kind: 'data',
  name,
  batch,
  run: run as DataMigration['run'],
});

/** Drops an index that is declared no more, a release after the last build that used it. */
export const dropIndex = (name: string, collection: string, index: string): IndexDrop => ({ kind: 'dropIndex', name, collection, index });

const NAME = /^\d{4}-\d{2}-\d{2}-[a-z0-9-]+$/;

/** Refuses a list that would run in another order than it is written, or one twice. */
export function refuseUnordered(subgraph: string, migrations: readonly Migration[]): void {
  const names = migrations.map(({ name }) => name);
  const wrong = names.find((name) => !NAME.test(name));
  if (wrong !== undefined)
    throw new Error(`${subgraph}: a migration is called ${wrong}; a name is a date and words, such as 2026-12-01-add-titles`);
  const early = names.find((name, index) => index > 0 && name <= names[index - 1]!);
  if (early !== undefined) throw new Error(`${subgraph}: the migration ${early} stands after a later one, or twice; sort them by name`);
}

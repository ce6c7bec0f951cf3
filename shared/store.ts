import type { AsyncLocalStorage } from 'node:async_hooks';
import { Mongoose, type Connection, type mongo } from 'mongoose';

/**
 * The mongoose of the whole process: models take the running transaction's session by themselves (a forgotten `{ session }` is the classic
 * way to lose a write), and a filter on a field that does not exist throws.
 */
export const mongoose = new Mongoose({ transactionAsyncLocalStorage: true, strictQuery: 'throw', autoIndex: false, autoCreate: false });

/** Runs `work` as if no transaction were running around it. */
export const outsideTransactions = <T>(work: () => T): T => storage.exit(work);

/** What every transaction here runs with; weaker settings lose acknowledged writes or show half of somebody else's work. */
export const TRANSACTION = { readConcern: { level: 'snapshot' }, writeConcern: { w: 'majority' }, readPreference: 'primary' } as const;

// mongoose keeps it under this name, without a type of its own.
const storage = (mongoose as unknown as { transactionAsyncLocalStorage: AsyncLocalStorage<unknown> }).transactionAsyncLocalStorage;

const SERVER_SELECTION_MS = 5_000;
const POOL_SIZE = 50;

/** One client for the process; each subgraph gets its own database of it. Reconnects by itself when the store comes back. */
export async function connectMongo(uri: string, { monitorCommands = false } = {}): Promise<Connection> {
  return mongoose
    .createConnection(uri, {
      serverSelectionTimeoutMS: SERVER_SELECTION_MS,
      maxPoolSize: POOL_SIZE,
      writeConcern: { w: 'majority' },
      appName: 'soko',
      monitorCommands,
    })
    .asPromise();
}

const DUPLICATE_KEY = 11_000;

/** True when a write met a unique index (or an `_id`) that is taken. */
export const isDuplicateKey = (error: unknown): boolean => error instanceof Error && (error as { code?: unknown }).code === DUPLICATE_KEY;

/** Creates what is missing; the indexes of the kit's own collections and of the models alike. */
export async function createIndexes(db: Connection, collection: string, indexes: mongo.IndexDescription[]): Promise<void> {
  if (indexes.length > 0) await db.collection(collection).createIndexes(indexes);
}

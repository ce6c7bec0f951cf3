import type { AsyncLocalStorage } from 'node:async_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { mongo, Mongoose, type ClientSession, type Connection } from 'mongoose';
import { z } from 'zod';
import { parseEnv } from '../base/env.ts';
import { isNetworkFailure, isSelectionFailure } from '../base/errors.ts';
import { avoidSlowFindAndModify } from './find-and-modify.ts';

/**
 * The mongoose of the whole process: models take the running transaction's session by themselves (a forgotten `{ session }` is the classic
 * way to lose a write), and a filter on a field that does not exist throws. While the store is away nothing is queued: the driver waits for
 * it as long as it is told to, and says so when it has not come.
 */
export const mongoose = new Mongoose({
  transactionAsyncLocalStorage: true,
  strictQuery: 'throw',
  autoIndex: false,
  autoCreate: false,
  bufferCommands: false,
});

/** Runs `work` as if no transaction were running around it. */
export const outsideTransactions = <T>(work: () => T): T => storage.exit(work);

/** What every transaction here runs with; weaker settings lose acknowledged writes or show half of somebody else's work. */
const TRANSACTION = { readConcern: { level: 'snapshot' }, writeConcern: { w: 'majority' }, readPreference: 'primary' } as const;

// mongoose keeps it under this name, without a type of its own.
const storage = (mongoose as unknown as { transactionAsyncLocalStorage: AsyncLocalStorage<unknown> }).transactionAsyncLocalStorage;

const SERVER_SELECTION_MS = 5_000;
const DEFAULT_POOL_SIZE = 50;

export const StoreSettings = z.object({
  /** Connections of one process to the store. */
  MONGODB_POOL_SIZE: z.coerce.number().int().min(1).max(1_000).default(DEFAULT_POOL_SIZE),
});

/** One client for the process; each subgraph gets its own database of it. Reconnects by itself when the store comes back. */
export async function connectMongo(uri: string, { monitorCommands = false } = {}): Promise<Connection> {
  const { MONGODB_POOL_SIZE: maxPoolSize } = parseEnv(StoreSettings, process.env);
  const connection = await mongoose
    .createConnection(uri, {
      serverSelectionTimeoutMS: SERVER_SELECTION_MS,
      maxPoolSize,
      writeConcern: { w: 'majority' },
      appName: 'soko',
      monitorCommands,
    })
    .asPromise();
  await avoidSlowFindAndModify(connection.getClient());
  return connection;
}

const FIRST_PAUSE_MS = 5;
const MAX_PAUSE_MS = 500;

/**
 * Runs `work` in one transaction; again when it has lost against another one or its connection broke, but not after `until`, and not when the
 * store did not come back while the driver waited for it: the driver's own helper would go on for two minutes, whoever waits.
 */
export async function inTransaction<T>(db: Connection, work: (session: ClientSession) => Promise<T>, until: number): Promise<T> {
  const session = await db.startSession();
  try {
    for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 1.5, MAX_PAUSE_MS)) {
      try {
        session.startTransaction(TRANSACTION);
        const result = await storage.run({ session }, () => work(session));
        await commit(session, until);
        return result;
      } catch (error) {
        // Without the store there is nobody to tell; ending the session says it as soon as there is.
        if (session.inTransaction() && !isAway(error)) await session.abortTransaction();
        if (!mayRepeat(error, 'TransientTransactionError', until)) throw error;
        await delay(Math.random() * pause);
      }
    }
  } finally {
    void session.endSession().catch(() => undefined);
  }
}

async function commit(session: ClientSession, until: number): Promise<void> {
  for (;;) {
    try {
      return await session.commitTransaction();
    } catch (error) {
      if (!mayRepeat(error, 'UnknownTransactionCommitResult', until)) throw error;
    }
  }
}

/** True when the store did not come back while the driver waited for it. */
export const isAway: (error: unknown) => boolean = isSelectionFailure;

/**
 * The driver leaves the label away when another command has found the same connection broken first. A broken connection leaves an open
 * transaction undone, and a commit can be sent twice.
 */
const mayRepeat = (error: unknown, label: string, until: number): boolean =>
  error instanceof mongo.MongoError && (error.hasErrorLabel(label) || isNetworkFailure(error)) && !isAway(error) && Date.now() < until;

const DUPLICATE_KEY = 11_000;

/** True when a write met a unique index (or an `_id`) that is taken. */
export const isDuplicateKey = (error: unknown): boolean => error instanceof Error && (error as { code?: unknown }).code === DUPLICATE_KEY;

import type { mongo } from 'mongoose';
import { mongoose } from '../shared/store.ts';

/*
 * What a piece of work asks of the store, command by command, and the same asked again by the bare driver. The replay keeps the order inside
 * each session and between commands without one; ids that the work made are made anew, so that every insert succeeds and every filter finds.
 */

type Command = Record<string, any>;

export interface Recorded {
  db: string;
  name: string;
  command: Command;
  /** Session and transaction number, where it ran in a transaction. */
  transaction: string | undefined;
}

const READS_AND_WRITES = new Set([
  'find',
  'aggregate',
  'insert',
  'update',
  'delete',
  'findAndModify',
  'count',
  'distinct',
  'commitTransaction',
  'abortTransaction',
]);

/** Records every read and write of this client's databases until it is stopped. The client must monitor commands. */
export function record(client: mongo.MongoClient): { stop(): Recorded[] } {
  const recorded: Recorded[] = [];
  const listen = ({ commandName, command, databaseName }: mongo.CommandStartedEvent): void => {
    if (!READS_AND_WRITES.has(commandName)) return;
    const { lsid, txnNumber, autocommit } = command as Command;
    const transaction = autocommit === false ? `${lsid.id.toString('hex')}:${txnNumber}` : undefined;
    recorded.push({ db: databaseName, name: commandName, command: command as Command, transaction });
  };
  client.on('commandStarted', listen);
  return {
    stop() {
      client.off('commandStarted', listen);
      return recorded;
    },
  };
}

/** Ids of the domain, and the UUIDs and hashes the kit makes. */
const MADE_ID = /\b[a-z]+_[0-7][0-9A-HJKMNP-TV-Z]{25}\b/g;

/** New ids for those that the recording made; what existed before stays. */
export function createRenaming(isOld: (id: string) => boolean, suffix: number): (value: unknown) => unknown {
  const end = suffix
    .toString(32)
    .toUpperCase()
    .replaceAll(/[ILOU]/g, 'Z')
    .padStart(6, '0')
    .slice(-6);
  const rename = (value: unknown): unknown => {
    if (typeof value === 'string') return value.replace(MADE_ID, (id) => (isOld(id) ? id : id.slice(0, -6) + end));
    if (Array.isArray(value)) return value.map(rename);
    if (value !== null && typeof value === 'object' && Object.getPrototypeOf(value) === Object.prototype) {
      return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, rename(entry)]));
    }
    return value;
  };
  return rename;
}

/** Asks the same of the store through the driver's own methods. */
export async function replay(client: mongo.MongoClient, commands: Recorded[], rename: (value: unknown) => unknown): Promise<void> {
  const sessions = new Map<string, mongo.ClientSession>();
  for (const { db, name, command, transaction } of commands) {
    const session = transaction === undefined ? undefined : sessionOf(client, sessions, transaction);
    if (name === 'commitTransaction' || name === 'abortTransaction') {
      if (name === 'commitTransaction') await session?.commitTransaction();
      else await session?.abortTransaction();
      await session?.endSession();
      sessions.delete(transaction!);
      continue;
    }
    await ask(client.db(db), name, rename(withoutEnvelope(command)) as Command, session ? { session } : {}).catch(ignoreConflict);
  }
  for (const session of sessions.values()) await session.endSession();
}

function sessionOf(client: mongo.MongoClient, sessions: Map<string, mongo.ClientSession>, key: string): mongo.ClientSession {
  let session = sessions.get(key);
  if (!session) {
    session = client.startSession();
    session.startTransaction({ readConcern: { level: 'snapshot' }, writeConcern: { w: 'majority' } });
    sessions.set(key, session);
  }
  return session;
}

const ENVELOPE = new Set([
  'lsid',
  'txnNumber',
  'autocommit',
  'startTransaction',
  '$clusterTime',
  '$db',
  '$readPreference',
  'writeConcern',
  'readConcern',
  'apiVersion',
]);

const withoutEnvelope = (command: Command): Command => Object.fromEntries(Object.entries(command).filter(([key]) => !ENVELOPE.has(key)));

async function ask(db: mongo.Db, name: string, command: Command, options: { session?: mongo.ClientSession }): Promise<unknown> {
  const collection = db.collection<any>(command[name] as string);
  switch (name) {
    case 'find': {
      const { filter = {}, sort, limit, projection } = command;
      return collection.find(filter, { ...options, sort, limit: Math.abs(limit ?? 0), projection }).toArray();
    }
    case 'aggregate':
      return collection.aggregate(command['pipeline'], options).toArray();
    case 'count':
      return collection.countDocuments(command['query'] ?? {}, options);
    case 'distinct':
      return collection.distinct(command['key'], command['query'] ?? {}, options);
    case 'insert':
      return command['documents'].length === 1
        ? collection.insertOne(command['documents'][0], options)
        : collection.insertMany(command['documents'], options);
    case 'update':
      return Promise.all(
        command['updates'].map(({ q, u, multi, upsert }: Command) =>
          multi ? collection.updateMany(q, u, { ...options, upsert }) : collection.updateOne(q, u, { ...options, upsert }),
        ),
      );
    case 'delete':
      return Promise.all(
        command['deletes'].map(({ q, limit }: Command) =>
          limit === 1 ? collection.deleteOne(q, options) : collection.deleteMany(q, options),
        ),
      );
    case 'findAndModify': {
      const { query, update, remove, new: isNew, upsert, sort, fields } = command;
      const rest = { ...options, sort, projection: fields };
      return remove
        ? collection.findOneAndDelete(query, rest)
        : collection.findOneAndUpdate(query, update, { ...rest, upsert, returnDocument: isNew ? 'after' : 'before' });
    }
    default:
      throw new Error(`${name} is not replayed`);
  }
}

/** Two replays may meet where two orders did; the attempt is what was to be measured. */
function ignoreConflict(error: unknown): void {
  const code = (error as { code?: number }).code;
  if (code !== 112 && code !== 11_000 && code !== 251) throw error;
}

/** A client of the kit's own kind, with its commands visible. */
export const connectMonitored = (uri: string) =>
  mongoose.createConnection(uri, { monitorCommands: true, maxPoolSize: 50, writeConcern: { w: 'majority' } }).asPromise();

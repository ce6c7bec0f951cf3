import type { mongo } from 'mongoose';
import { mongoose } from '#shared/store/mongo.ts';

/*
 * What a piece of work asks of the store, command by command, and what each command came to. Glossary. Shape: a command without its values.
 * Outcome: how many documents it found or wrote; a replay must come to the same.
 */

const { serialize, deserialize } = mongoose.mongo.BSON;

// oxlint-disable-next-line typescript/no-explicit-any -- commands of every kind
export type Command = Record<string, any>;

export interface Recorded {
  db: string;
  name: string;
  /** As it was sent, without what the driver adds. */
  command: Command;
  outcome: string;
  /** Session and transaction number, where it ran in a transaction. */
  transaction: string | null;
}

const RECORDED = new Set(['find', 'aggregate', 'insert', 'update', 'delete', 'findAndModify', 'commitTransaction', 'abortTransaction']);
/** Neither reads nor writes: connections, sessions and cursors. */
const IGNORED = new Set(['hello', 'ping', 'endSessions', 'killCursors', 'getMore']);

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
]);

/** Records every read and write of this client until it is stopped. The client must monitor commands. */
export function record(client: mongo.MongoClient): { stop(): Recorded[] } {
  const recorded: Recorded[] = [];
  const open = new Map<number, Recorded>();
  let problem: Error | undefined;

  const onStart = ({ requestId, commandName: name, command, databaseName: db }: mongo.CommandStartedEvent): void => {
    if (IGNORED.has(name)) return;
    if (!RECORDED.has(name)) problem ??= new Error(`${name} cannot be replayed`);
    const { lsid, txnNumber, autocommit } = command as Command;
    const transaction = autocommit === false ? `${lsid.id.toString('hex')}:${txnNumber}` : null;
    const entry = { db, name, command: withoutEnvelope(command), outcome: '', transaction };
    recorded.push(entry);
    open.set(requestId, entry);
  };
  const onSuccess = ({ requestId, reply }: mongo.CommandSucceededEvent): void => {
    const entry = open.get(requestId);
    if (entry) entry.outcome = outcomeOf(reply as Command);
    open.delete(requestId);
  };
  const onFailure = ({ commandName, failure }: mongo.CommandFailedEvent): void => {
    problem ??= new Error(`${commandName} failed while it was recorded`, { cause: failure });
  };
  client.on('commandStarted', onStart).on('commandSucceeded', onSuccess).on('commandFailed', onFailure);
  return {
    stop() {
      client.off('commandStarted', onStart).off('commandSucceeded', onSuccess).off('commandFailed', onFailure);
      if (problem) throw problem;
      return recorded.filter((entry) => ![...open.values()].includes(entry));
    },
  };
}

// A copy: the driver and its callers go on working with the object.
const withoutEnvelope = (command: Command): Command =>
  deserialize(serialize(Object.fromEntries(Object.entries(command).filter(([key]) => !ENVELOPE.has(key)))));

function outcomeOf({ cursor, n, nModified, value }: Command): string {
  if (cursor) return `found ${cursor.firstBatch.length}`;
  if (value !== undefined) return value ? 'found 1' : 'found 0';
  if (nModified !== undefined) return `matched ${n}, modified ${nModified}`;
  return n === undefined ? '' : `wrote ${n}`;
}

/** The prefixed ids of the house, which may stand inside other texts and in keys. */
export const ID = /\b[a-z]+_[0-7][0-9A-HJKMNP-TV-Z]{25}\b/g;

/** Two commands of one shape differ only in values. */
export const shapeOf = ({ db, name, command }: Recorded): string =>
  `${db} ${name} ${command[name]} ${JSON.stringify(command, (_key, value: unknown) => (typeof value === 'object' ? value : 0))}`.replaceAll(
    ID,
    'id',
  );

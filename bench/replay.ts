import type { mongo } from 'mongoose';
import { newId } from '#shared/base/ids.ts';
import { mongoose } from '#shared/store/mongo.ts';
import { ID, type Command, type Recorded } from './recording.ts';

/*
 * The recorded commands asked again by the bare driver. Each replay works on a copy of its own: what the recording made gets new ids, and
 * of each older document that it changed there is a copy in the state before. So every insert succeeds, every filter finds, and each
 * command must come to what it came to when it was recorded.
 */

const { EJSON } = mongoose.mongo.BSON;

/** A document that was there before and that the recorded work changes. */
export interface Target {
  db: string;
  collection: string;
  _id: string;
}

export interface Sample {
  commands: Recorded[];
  /** What the recorded work made or changed: ids, and the keys of inserted documents. */
  own: string[];
  /** The older documents it changes, as they were. */
  before: { target: Target; document: mongo.Document }[];
}

/** What `commands` do to documents that are older than `since`. */
export function targetsOf(commands: Recorded[], since: number): Target[] {
  const made = new Set(madeBy(commands, since));
  const targets = commands.flatMap(({ db, name, command }) =>
    filtersOf(name, command)
      .filter(({ _id }) => typeof _id === 'string' && !made.has(_id))
      .map(({ _id }): Target => ({ db, collection: command[name] as string, _id: _id as string })),
  );
  return [...new Map(targets.map((target) => [JSON.stringify(target), target])).values()];
}

export const sampleOf = (commands: Recorded[], since: number, before: Sample['before']): Sample => ({
  commands: commands.map(withLimit),
  own: [...madeBy(commands, since), ...before.map(({ target }) => target._id)],
  before,
});

/** A question without ids (what has not left the outbox yet?) must not find what other replays, side by side with this one, have written. */
function withLimit(entry: Recorded): Recorded {
  const found = entry.name === 'find' ? Number(/^found (\d+)$/.exec(entry.outcome)?.[1]) : 0;
  return found > 0 ? { ...entry, command: { ...entry.command, limit: found } } : entry;
}

function madeBy(commands: Recorded[], since: number): string[] {
  const text = EJSON.stringify(commands);
  const ids = [...new Set(text.match(ID))].filter((id) => timeOf(id) >= since);
  const keys = commands
    .flatMap(({ name, command }) => (name === 'insert' ? (command['documents'] as Command[]) : []))
    .map(({ _id }): unknown => _id)
    .filter((key): key is string => typeof key === 'string' && !key.match(ID));
  return [...ids, ...keys];
}

const filtersOf = (name: string, command: Command): Command[] => {
  if (name === 'update') return (command['updates'] as Command[]).map(({ q }) => q as Command);
  if (name === 'delete') return (command['deletes'] as Command[]).map(({ q }) => q as Command);
  return name === 'findAndModify' ? [command['query'] as Command] : [];
};

/** The moment an id was made: its first ten characters after the prefix, in Crockford's base32. */
function timeOf(id: string): number {
  const letters = id.slice(id.indexOf('_') + 1).slice(0, 10);
  return letters.split('').reduce((time, letter) => time * 32 + '0123456789ABCDEFGHJKMNPQRSTVWXYZ'.indexOf(letter), 0);
}

/** `count` copies of the recorded commands, ready to be asked; the documents they change are in the store afterwards. */
export async function prepareCopies(client: mongo.MongoClient, sample: Sample, count: number): Promise<Recorded[][]> {
  const text = EJSON.stringify(sample.commands);
  const own = new RegExp(sample.own.map((each) => RegExp.escape(each)).join('|'), 'g');
  const copies: Recorded[][] = [];
  for (let index = 0; index < count; index += 1) {
    const names = new Map(sample.own.map((each) => [each, another(each)]));
    const rename = (each: string): string => names.get(each)!;
    copies.push(EJSON.parse(text.replaceAll(own, rename)) as Recorded[]);
    for (const { target, document } of sample.before) {
      // Every other id in it is made anew as well, so that it is not found in place of the real one.
      const copy = EJSON.parse(EJSON.stringify(document).replaceAll(ID, (id) => names.get(id) ?? another(id))) as mongo.Document;
      await client.db(target.db).collection(target.collection).insertOne(copy);
    }
  }
  return copies;
}

const another = (each: string): string => {
  const isId = each.match(ID)?.[0] === each;
  return isId ? newId(each.slice(0, each.indexOf('_'))) : `${newId('key')}${each.slice(30)}`;
};

/** Asks the same of the store through the driver's own methods. Throws when a command comes to something else. */
export async function replay(client: mongo.MongoClient, commands: Recorded[]): Promise<void> {
  const sessions = new Map<string, mongo.ClientSession>();
  try {
    for (const { db, name, command, transaction, outcome } of commands) {
      const session = transaction === null ? undefined : sessionOf(client, sessions, transaction);
      if (name === 'commitTransaction') {
        await session!.commitTransaction();
        continue;
      }
      const came = await ask(client.db(db), name, command, session ? { session } : {});
      if (came !== outcome) throw new Error(`${outcome} when recorded, ${came} now: ${db} ${JSON.stringify(command)}`);
    }
  } finally {
    for (const session of sessions.values()) await session.endSession();
  }
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

interface Options {
  session?: mongo.ClientSession;
}

async function ask(db: mongo.Db, name: string, command: Command, options: Options): Promise<string> {
  const collection = db.collection(command[name] as string);
  switch (name) {
    case 'find': {
      const { filter, sort, limit = 0, projection, singleBatch = false } = command;
      const found = await collection.find(filter, { ...options, sort, limit, projection, singleBatch }).toArray();
      return `found ${found.length}`;
    }
    case 'aggregate':
      return `found ${(await collection.aggregate(command['pipeline'] as Command[], options).toArray()).length}`;
    case 'insert':
      return insert(collection, command['documents'] as Command[], options);
    case 'update':
      return update(collection, command['updates'] as Command[], options);
    case 'delete': {
      const { deletedCount } = await collection.bulkWrite(
        (command['deletes'] as Command[]).map(({ q: filter, limit }) =>
          limit === 1 ? { deleteOne: { filter } } : { deleteMany: { filter } },
        ),
        options,
      );
      return `wrote ${deletedCount}`;
    }
    case 'findAndModify':
      return findAndModify(collection, command, options);
    default:
      throw new Error(`${name} is not replayed`);
  }
}

async function insert(collection: mongo.Collection, documents: Command[], options: Options): Promise<string> {
  if (documents.length > 1) return `wrote ${(await collection.insertMany(documents, options)).insertedCount}`;
  await collection.insertOne(documents[0]!, options);
  return 'wrote 1';
}

async function update(collection: mongo.Collection, updates: Command[], options: Options): Promise<string> {
  if (updates.length > 1) {
    const { matchedCount, upsertedCount, modifiedCount } = await collection.bulkWrite(
      updates.map(({ q: filter, u, multi, upsert = false }) => {
        const change = { filter, update: u as Command, upsert };
        return multi ? { updateMany: change } : { updateOne: change };
      }),
      options,
    );
    return `matched ${matchedCount + upsertedCount}, modified ${modifiedCount}`;
  }
  const { q, u, multi, upsert = false } = updates[0]!;
  const { matchedCount, upsertedCount, modifiedCount } = multi
    ? await collection.updateMany(q, u, { ...options, upsert })
    : await collection.updateOne(q, u, { ...options, upsert });
  return `matched ${matchedCount + upsertedCount}, modified ${modifiedCount}`;
}

async function findAndModify(collection: mongo.Collection, command: Command, options: Options): Promise<string> {
  const { query, update: change, remove, new: isNew, upsert = false, sort, fields: projection } = command;
  const found = remove
    ? await collection.findOneAndDelete(query, { ...options, sort, projection })
    : await collection.findOneAndUpdate(query, change, {
        ...options,
        sort,
        projection,
        upsert,
        returnDocument: isNew ? 'after' : 'before',
      });
  return found ? 'found 1' : 'found 0';
}

import { randomBytes } from 'node:crypto';
import { mongo, type Connection } from 'mongoose';
import { StartError } from '../base/start-error.ts';
import { isDuplicateKey } from './mongo.ts';

/** Grows when the probe asks for more: stores that passed an older one are probed again. */
const PROBE_VERSION = 1;
const PROBE_DATABASE = 'soko-probe';
const TRANSACTION = { readConcern: { level: 'snapshot' }, writeConcern: { w: 'majority' } } as const;

interface ProbeRow {
  _id: string;
  key?: string;
  group?: string;
  rank?: number;
}

interface PassedProbe {
  _id: 'passed';
  server: string;
  probe: number;
  at: Date;
}

/** A store that does not hold what every write here relies on. The message names the property. */
export class UnsuitableStore extends StartError {
  constructor(property: string) {
    super(`This store cannot be used: ${property}. Use MongoDB 5 or newer as a replica set, or the store that npm start brings.`);
    this.name = 'UnsuitableStore';
  }
}

/**
 * Tries once for each version of a store what Soko relies on: unique keys and partial unique keys before and after updates, snapshots,
 * conflicts, aborts and majority writes of transactions, and lists in the order of an index. Takes well under a second; a store that has
 * passed costs two reads. Throws UnsuitableStore otherwise. `prefix` goes before the name of the probe's database.
 */
export async function probeStore(client: Connection, prefix = ''): Promise<void> {
  const db = client.useDb(prefix + PROBE_DATABASE, { useCache: false }).db!;
  const passed = db.collection<PassedProbe>('passed');
  const server = await versionOf(db);
  const before = await passed.findOne({ _id: 'passed' });
  if (before?.server === server && before.probe === PROBE_VERSION) return;

  const rows = db.collection<ProbeRow>(`try-${randomBytes(6).toString('hex')}`);
  try {
    await rows.createIndexes([
      // The form of every unique key that a row does not always have.
      { key: { key: 1 }, unique: true, partialFilterExpression: { key: { $type: 'string' } } },
      { key: { group: 1, rank: -1, _id: -1 } },
    ]);
    for (const [property, holds] of Object.entries(PROPERTIES)) if (!(await holds(rows, db.client))) throw new UnsuitableStore(property);
  } catch (error) {
    if (error instanceof UnsuitableStore || !(error instanceof mongo.MongoServerError)) throw error;
    throw new UnsuitableStore(`it refused the probe (${error.codeName ?? error.code}: ${error.message})`);
  } finally {
    await rows.drop().catch(() => undefined);
  }
  await passed.updateOne({ _id: 'passed' }, { $set: { server, probe: PROBE_VERSION, at: new Date() } }, { upsert: true });
}

async function versionOf(db: mongo.Db): Promise<string> {
  const { version, gitVersion } = await db.command({ buildInfo: 1 });
  return [version, gitVersion].filter(Boolean).join(' ');
}

type Rows = mongo.Collection<ProbeRow>;
type Check = (rows: Rows, client: mongo.MongoClient) => Promise<boolean>;

/** What is missing, in words, and how it shows. Each check uses ids of its own. */
const PROPERTIES: Readonly<Record<string, Check>> = {
  'it takes two rows with one _id': async (rows) => {
    await rows.insertOne({ _id: 'id' });
    return isRefused(rows.insertOne({ _id: 'id' }));
  },
  'a unique key is not held when rows are inserted': async (rows) => {
    await rows.insertMany([{ _id: 'a1', key: 'a' }, { _id: 'a2' }, { _id: 'a3' }]);
    return isRefused(rows.insertOne({ _id: 'a4', key: 'a' }));
  },
  'a unique key is not held when a row is updated': async (rows) => {
    await rows.insertMany([{ _id: 'b1', key: 'b' }, { _id: 'b2' }]);
    return isRefused(rows.updateOne({ _id: 'b2' }, { $set: { key: 'b' } }));
  },
  'a unique key that was given up is not free': async (rows) => {
    await rows.insertMany([{ _id: 'c1', key: 'c' }, { _id: 'c2' }]);
    await rows.updateOne({ _id: 'c1' }, { $unset: { key: 1 } });
    if (await isRejected(rows.updateOne({ _id: 'c2' }, { $set: { key: 'c' } }))) return false;
    return isRefused(rows.updateOne({ _id: 'c1' }, { $set: { key: 'c' } }));
  },
  'two transactions can give one unique key to two rows': async (rows, client) => {
    await rows.insertMany([{ _id: 'i1' }, { _id: 'i2' }]);
    return inSession(client, (one) =>
      inSession(client, async (other) => {
        await rows.updateOne({ _id: 'i1' }, { $set: { key: 'i' } }, { session: one });
        const second = rows.updateOne({ _id: 'i2' }, { $set: { key: 'i' } }, { session: other });
        const isRefusedAtOnce = await isRejected(second);
        await one.commitTransaction();
        return isRefusedAtOnce || isRejected(other.commitTransaction());
      }),
    );
  },
  'an aborted transaction leaves something behind': async (rows, client) => {
    await inSession(client, async (session) => {
      await rows.insertOne({ _id: 'd1', key: 'd' }, { session });
      await session.abortTransaction();
    });
    await rows.insertOne({ _id: 'd2', key: 'd' });
    return (await rows.findOne({ _id: 'd1' })) === null;
  },
  'a transaction is seen before it is committed, or does not see one moment': async (rows, client) => {
    await rows.insertOne({ _id: 'e1', rank: 1 });
    return inSession(client, async (session) => {
      const first = await rows.findOne({ _id: 'e1' }, { session });
      await rows.insertOne({ _id: 'e2' }, { session });
      const outside = await rows.findOne({ _id: 'e2' });
      await rows.updateOne({ _id: 'e1' }, { $set: { rank: 2 } });
      const second = await rows.findOne({ _id: 'e1' }, { session });
      await session.abortTransaction();
      return outside === null && first?.rank === 1 && second?.rank === 1;
    });
  },
  'two transactions can change one row at once': async (rows, client) => {
    await rows.insertOne({ _id: 'f1', rank: 0 });
    return inSession(client, (one) =>
      inSession(client, async (other) => {
        await rows.updateOne({ _id: 'f1' }, { $inc: { rank: 1 } }, { session: one });
        const refusal = await rows.updateOne({ _id: 'f1' }, { $inc: { rank: 1 } }, { session: other }).catch((error: unknown) => error);
        await one.commitTransaction();
        const row = await rows.findOne({ _id: 'f1' });
        return refusal instanceof mongo.MongoError && refusal.hasErrorLabel('TransientTransactionError') && row?.rank === 1;
      }),
    );
  },
  'a committed majority write is not there': async (rows, client) => {
    await inSession(client, async (session) => {
      await rows.insertOne({ _id: 'g1' }, { session });
      await session.commitTransaction();
    });
    return (await rows.findOne({ _id: 'g1' }, { readConcern: { level: 'majority' } })) !== null;
  },
  'lists do not come in the order of their index': async (rows) => {
    await rows.insertMany([1, 3, 2, 3].map((rank, index) => ({ _id: `h${index}`, group: 'h', rank })));
    const page = await rows
      .find({ group: 'h', rank: { $lte: 3 } })
      .sort({ rank: -1, _id: -1 })
      .limit(3)
      .toArray();
    return page.map(({ _id }) => _id).join(' ') === 'h3 h1 h2';
  },
};

const isRejected = (work: Promise<unknown>): Promise<boolean> =>
  work.then(
    () => false,
    () => true,
  );

const isRefused = (write: Promise<unknown>): Promise<boolean> => write.then(() => false, isDuplicateKey);

/** One open transaction; aborted when the check has not ended it. */
async function inSession<T>(client: mongo.MongoClient, check: (session: mongo.ClientSession) => Promise<T>): Promise<T> {
  const session = client.startSession();
  try {
    session.startTransaction(TRANSACTION);
    return await check(session);
  } finally {
    await session.endSession();
  }
}

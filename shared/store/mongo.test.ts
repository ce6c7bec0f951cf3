import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { mongo, type Connection } from 'mongoose';
import { connectMongo, inTransaction } from './mongo.ts';

interface Counter {
  _id: string;
  count: number;
}

let client: Connection;
let db: Connection;
beforeAll(async () => {
  client = await connectMongo(process.env['MONGODB_URI']!);
  db = client.useDb(`s${randomBytes(6).toString('hex')}`);
});
beforeEach(() => counters().updateOne({ _id: 'c' }, { $set: { count: 0 } }, { upsert: true }));
afterAll(async () => {
  await db.dropDatabase();
  await client.close();
});

const counters = () => db.collection<Counter>('counters');
const soon = (ms: number): number => Date.now() + ms;
const countNow = async (): Promise<number> => (await counters().findOne({ _id: 'c' }))!.count;

test('transactions that want the same row all come through, each once', async () => {
  let attempts = 0;
  const add = () =>
    inTransaction(
      db,
      async (session) => {
        attempts += 1;
        const { count } = (await counters().findOne({ _id: 'c' }, { session }))!;
        await counters().updateOne({ _id: 'c' }, { $set: { count: count + 1 } }, { session });
        return count + 1;
      },
      soon(20_000),
    );

  const seen = await Promise.all(Array.from({ length: 10 }, add));

  expect(seen.toSorted((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  expect(await countNow()).toBe(10);
  expect(attempts).toBeGreaterThan(10);
});

test('what fails leaves nothing behind, and its error is the caller’s', async () => {
  const work = inTransaction(
    db,
    async (session) => {
      await counters().updateOne({ _id: 'c' }, { $inc: { count: 1 } }, { session });
      throw new RangeError('half way');
    },
    soon(5_000),
  );

  await expect(work).rejects.toThrow(new RangeError('half way'));
  expect(await countNow()).toBe(0);
});

test.each([
  ['a command', (error: Error) => error],
  ['a bulk write', (error: Error) => new mongo.MongoBulkWriteError(error, {} as mongo.BulkWriteResult)],
])('a connection that breaks under %s costs the transaction another attempt, also without a label', async (_case, asThrown) => {
  let attempts = 0;
  const work = inTransaction(
    db,
    async (session) => {
      attempts += 1;
      await counters().updateOne({ _id: 'c' }, { $inc: { count: 1 } }, { session });
      if (attempts === 1) throw asThrown(new mongo.MongoNetworkError('read ECONNRESET'));
    },
    soon(20_000),
  );

  await work;

  expect([attempts, await countNow()]).toEqual([2, 1]);
});

test('whoever cannot win in time is told of the conflict, and does not try for ever', async () => {
  const holder = await db.startSession();
  holder.startTransaction();
  await counters().updateOne({ _id: 'c' }, { $inc: { count: 1 } }, { session: holder });
  const since = performance.now();

  const work = inTransaction(db, (session) => counters().updateOne({ _id: 'c' }, { $inc: { count: 1 } }, { session }), soon(500));

  await expect(work).rejects.toThrow(/conflict/i);
  expect(performance.now() - since).toBeLessThan(5_000);
  await holder.abortTransaction();
  await holder.endSession();
});

test('the number of connections is set by MONGODB_POOL_SIZE, which must be one', async () => {
  const sizeWith = async (size: string): Promise<number> => {
    process.env['MONGODB_POOL_SIZE'] = size;
    try {
      const connection = await connectMongo(process.env['MONGODB_URI']!);
      const { maxPoolSize } = connection.getClient().options;
      await connection.close();
      return maxPoolSize;
    } finally {
      delete process.env['MONGODB_POOL_SIZE'];
    }
  };

  expect([await sizeWith(''), await sizeWith('7')]).toEqual([50, 7]);
  await expect(sizeWith('0')).rejects.toThrow('MONGODB_POOL_SIZE');
});

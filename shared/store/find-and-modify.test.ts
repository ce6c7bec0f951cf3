import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import type { mongo } from 'mongoose';
import { connectMongo, inTransaction } from './mongo.ts';

/* On each store the same answers; on SecantusDB in Python they come without findAndModify, which reads all rows there. */

interface Row {
  _id: string;
  group: string;
  count: number;
}

let client: Awaited<ReturnType<typeof connectMongo>>;
let rows: mongo.Collection<Row>;
const names: string[] = [];

beforeAll(async () => {
  client = await connectMongo(process.env['MONGODB_URI']!, { monitorCommands: true });
  rows = client
    .getClient()
    .db(`t${randomBytes(6).toString('hex')}`)
    .collection<Row>('rows');
  await rows.createIndex({ group: 1, count: 1 });
  await rows.insertMany(['a', 'b', 'c'].map((_id, count) => ({ _id, group: 'g', count })));
  client.getClient().on('commandStarted', ({ commandName }: mongo.CommandStartedEvent) => void names.push(commandName));
});

afterAll(async () => {
  await client.getClient().db(rows.dbName).dropDatabase();
  await client.close();
});

const transaction = <T>(work: (session: mongo.ClientSession) => Promise<T>): Promise<T> => inTransaction(client, work, Date.now() + 20_000);

test('a row is changed and returned, as it was or as it is', async () => {
  const [before, after, none] = await transaction(async (session) => [
    await rows.findOneAndUpdate({ _id: 'a' }, { $inc: { count: 10 } }, { session }),
    await rows.findOneAndUpdate({ group: 'g' }, { $inc: { count: 1 } }, { session, sort: { count: -1 }, returnDocument: 'after' }),
    await rows.findOneAndUpdate({ _id: 'x' }, { $inc: { count: 1 } }, { session }),
  ]);

  expect([before, after, none]).toEqual([{ _id: 'a', group: 'g', count: 0 }, { _id: 'a', group: 'g', count: 11 }, null]);
});

test('a row that is not there is made, once', async () => {
  const make = () =>
    transaction((session) =>
      rows.findOneAndUpdate(
        { _id: 'd' },
        { $inc: { count: 1 }, $setOnInsert: { group: 'h' } },
        { session, upsert: true, returnDocument: 'after', projection: { group: 0 } },
      ),
    );

  expect([await make(), await make()]).toEqual([
    { _id: 'd', count: 1 },
    { _id: 'd', count: 2 },
  ]);
});

test('a row is removed and returned', async () => {
  const removed = await transaction((session) => rows.findOneAndDelete({ _id: 'c' }, { session }));

  expect([removed?._id, await rows.findOne({ _id: 'c' })]).toEqual(['c', null]);
});

test('of many who change one row at once each change counts', async () => {
  const add = () =>
    transaction((session) => rows.findOneAndUpdate({ _id: 'b' }, { $inc: { count: 1 } }, { session, returnDocument: 'after' }));

  const counts = (await Promise.all(Array.from({ length: 8 }, add))).map((row) => row?.count);

  expect(counts.toSorted((a, b) => a! - b!)).toEqual([2, 3, 4, 5, 6, 7, 8, 9]);
});

test('is not asked as findAndModify where that reads all rows', async () => {
  const build = await client.getClient().db('admin').command({ buildInfo: 1 });
  const isSlow = 'secantusVersion' in build && !('buildEnvironment' in build);
  names.length = 0;

  await transaction((session) => rows.findOneAndUpdate({ _id: 'b' }, { $inc: { count: 1 } }, { session }));

  expect(names.includes('findAndModify')).toBe(!isSlow);
});

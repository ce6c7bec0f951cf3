import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Schema, type Connection, type Model } from 'mongoose';
import type { Money } from '../base/money.ts';
import { newId } from '../base/ids.ts';
import { moneySchema } from './money-schema.ts';
import { connectMongo, inTransaction } from './mongo.ts';
import { sumMoney } from './sum-money.ts';

interface Entry {
  _id: string;
  holder: string;
  total: Money;
  at: Date;
}

let db: Connection;
let Entries: Model<Entry>;
beforeAll(async () => {
  db = (await connectMongo(process.env['MONGODB_URI']!)).useDb(`t${newId('run').slice(-12)}`);
  const schema = new Schema<Entry>({ _id: String, holder: String, total: moneySchema, at: Date });
  Entries = db.model<Entry>('Entry', schema);
});
afterAll(async () => {
  await db.dropDatabase();
  await db.getClient().close();
});

const add = async (holder: string, ...totals: Money[]): Promise<void> => {
  await Entries.insertMany(totals.map((total) => ({ _id: newId('ent'), holder, total, at: new Date() })));
};
const kwacha = (amount: number): Money => ({ amount, currency: 'ZMW' });
const MOST = Number.MAX_SAFE_INTEGER;

test('adds up exactly past 2^53, where numbers do not', async () => {
  await add('rich', ...Array.from({ length: 1_000 }, () => kwacha(MOST)), kwacha(-1), kwacha(2));

  const sums = await sumMoney({}, Entries, { filter: { holder: 'rich' }, at: 'total' });

  expect(sums).toEqual([{ amount: BigInt(MOST) * 1_000n + 1n, currency: 'ZMW' }]);
});

test.each<[string, number[], bigint]>([
  ['small amounts', [1, 2, 3], 6n],
  ['amounts that cancel', [MOST, -MOST], 0n],
  ['debts', [-5, -MOST], -5n - BigInt(MOST)],
  ['round sums', [5_000_000, 5_000_000_000_000], 5_000_005_000_000n],
])('adds %s', async (name, amounts, amount) => {
  await add(name, ...amounts.map(kwacha));

  expect(await sumMoney({}, Entries, { filter: { holder: name }, at: 'total' })).toEqual([{ amount, currency: 'ZMW' }]);
});

test('keeps currencies apart, and has no sum where there is no row', async () => {
  await add('mixed', kwacha(5), { amount: 7, currency: 'USD' }, kwacha(1));

  expect(await sumMoney({}, Entries, { filter: { holder: 'mixed' }, at: 'total' })).toEqual([
    { amount: 7n, currency: 'USD' },
    { amount: 6n, currency: 'ZMW' },
  ]);
  expect(await sumMoney({}, Entries, { filter: { holder: 'nobody' }, at: 'total' })).toEqual([]);
});

test('reads in the transaction of its context, and refuses a filter on a field that does not exist', async () => {
  const sums = await inTransaction(
    db,
    async (session) => {
      await Entries.insertMany([{ _id: newId('ent'), holder: 'inside', total: kwacha(3), at: new Date() }], { session });
      return sumMoney({ session }, Entries, { filter: { holder: 'inside' }, at: 'total' });
    },
    Date.now() + 10_000,
  );

  expect(sums).toEqual([{ amount: 3n, currency: 'ZMW' }]);
  await expect(sumMoney({}, Entries, { filter: { acount: 'rich' }, at: 'total' })).rejects.toThrow('acount');
});

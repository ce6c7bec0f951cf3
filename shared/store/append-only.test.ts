import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Schema, type Connection, type Model } from 'mongoose';
import { newId } from '../base/ids.ts';
import { appendOnly } from './append-only.ts';
import { connectMongo } from './mongo.ts';

interface Line {
  _id: string;
  amount: number;
}

let db: Connection;
let Lines: Model<Line>;
beforeAll(async () => {
  db = (await connectMongo(process.env['MONGODB_URI']!)).useDb(newId('run').slice(0, 30));
  const schema = new Schema<Line>({ _id: { type: String, required: true }, amount: { type: Number, required: true } });
  schema.plugin(appendOnly);
  Lines = db.model<Line>('Line', schema);
  await Lines.createCollection();
  await Lines.create({ _id: 'first', amount: 5 });
});
afterAll(async () => {
  await db.dropDatabase();
  await db.getClient().close();
});

test.each<[string, () => Promise<unknown>]>([
  ['updateOne', () => Lines.updateOne({ _id: 'first' }, { amount: 6 }).exec()],
  ['updateMany', () => Lines.updateMany({}, { amount: 6 }).exec()],
  ['an upsert', () => Lines.updateOne({ _id: 'other' }, { amount: 6 }, { upsert: true }).exec()],
  ['replaceOne', () => Lines.replaceOne({ _id: 'first' }, { _id: 'first', amount: 6 }).exec()],
  ['deleteOne', () => Lines.deleteOne({ _id: 'first' }).exec()],
  ['deleteMany', () => Lines.deleteMany({}).exec()],
  ['findOneAndUpdate', () => Lines.findOneAndUpdate({ _id: 'first' }, { amount: 6 }).exec()],
  ['findByIdAndUpdate', () => Lines.findByIdAndUpdate('first', { amount: 6 }).exec()],
  ['findOneAndReplace', () => Lines.findOneAndReplace({ _id: 'first' }, { amount: 6 }).exec()],
  ['findByIdAndDelete', () => Lines.findByIdAndDelete('first').exec()],
  ['save of a row that was read', async () => (await Lines.findById('first'))!.set('amount', 6).save()],
  ['deleteOne of a row that was read', async () => (await Lines.findById('first'))!.deleteOne()],
  ['updateOne of a row that was read', async () => (await Lines.findById('first'))!.updateOne({ amount: 6 })],
  ['replaceOne of a row that was read', async () => (await Lines.findById('first'))!.replaceOne({ amount: 6 }).exec()],
  ['an update of a query', () => Lines.find().updateMany({}, { amount: 6 }).exec()],
  ['an update with operators at save', async () => (await Lines.findById('first'))!.$inc('amount', 1).save()],
  ['a bulk write with a removal', () => Lines.bulkWrite([{ deleteMany: { filter: {} } }])],
  ['a bulk write with a replacement', () => Lines.bulkWrite([{ replaceOne: { filter: { _id: 'first' }, replacement: { amount: 6 } } }])],
  ['a bulk write with an update in it', () => Lines.bulkWrite([insert(), { updateOne: { filter: {}, update: { amount: 6 } } }])],
  ['bulkSave of a row that was read', async () => Lines.bulkSave([(await Lines.findById('first'))!.set('amount', 6)])],
])('%s is refused, and changes nothing', async (_case, change) => {
  const before = await Lines.countDocuments();

  await expect(change()).rejects.toMatchObject({ name: 'AppendOnlyError' });

  expect(await Lines.countDocuments()).toBe(before);
  expect(await Lines.findById('first').lean()).toMatchObject({ amount: 5 });
});

const insert = () => ({ insertOne: { document: { _id: newId('lin'), amount: 1 } } });

test.each<[string, () => Promise<unknown>]>([
  ['create', () => Lines.create({ _id: newId('lin'), amount: 1 })],
  ['save of a new row', () => new Lines({ _id: newId('lin'), amount: 1 }).save()],
  ['insertMany', () => Lines.insertMany([{ _id: newId('lin'), amount: 1 }])],
  ['a bulk write of inserts', () => Lines.bulkWrite([insert()])],
])('%s adds a row', async (_case, add) => {
  const before = await Lines.countDocuments();

  await add();

  expect(await Lines.countDocuments()).toBe(before + 1);
});

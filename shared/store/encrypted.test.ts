import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Schema, type Connection } from 'mongoose';
import { newId } from '../base/ids.ts';
import { ciphertextFields, decryptField, encrypted, whereEncrypted } from './encrypted.ts';
import { connectMongo } from './mongo.ts';

const payeeSchema = new Schema(
  {
    _id: { type: String, default: () => newId('pay') },
    note: encrypted(),
    number: encrypted({ searchable: true }),
    bank: { type: new Schema({ code: encrypted(), name: String }, { _id: false }), default: null },
  },
  { versionKey: false },
);
payeeSchema.index({ 'number.hash': 1 }); // whereEncrypted

let client: Connection;
let db: Connection;
let Payee: any;
beforeAll(async () => {
  client = await connectMongo(process.env['MONGODB_URI']!);
  db = client.useDb(newId('enc').toLowerCase(), { useCache: false });
  Payee = db.model('Payee', payeeSchema);
});
afterAll(async () => {
  await db.dropDatabase();
  await client.getClient().close();
});

const secrets = { note: 'first secret', number: '+260971234567', bank: { code: 'second secret', name: 'Zed' } };
const changed = { note: 'third secret', number: '+260977777777', bank: { code: 'fourth secret', name: 'Zed' } };

test.each<[string, (id: string) => Promise<unknown>, typeof secrets]>([
  ['create', (_id) => Payee.create({ _id, ...secrets }), secrets],
  ['insertMany', (_id) => Payee.insertMany([{ _id, ...secrets }]), secrets],
  ['save after a change', async (_id) => (await Payee.create({ _id, ...secrets })).set(changed).save(), changed],
  ['updateOne', async (_id) => (await Payee.create({ _id, ...secrets }), Payee.updateOne({ _id }, changed)), changed],
  [
    'updateOne of a nested path',
    async (_id) => (
      await Payee.create({ _id, ...changed, bank: secrets.bank }),
      Payee.updateOne({ _id }, { $set: { 'bank.code': 'fourth secret' } })
    ),
    changed,
  ],
  ['upsert', (_id) => Payee.updateOne({ _id }, { $setOnInsert: secrets }, { upsert: true }), secrets],
  ['findOneAndUpdate', async (_id) => (await Payee.create({ _id, ...secrets }), Payee.findOneAndUpdate({ _id }, changed)), changed],
  ['replaceOne', async (_id) => (await Payee.create({ _id, ...secrets }), Payee.replaceOne({ _id }, changed)), changed],
  [
    'bulkWrite',
    async (_id) =>
      Payee.bulkWrite([{ insertOne: { document: { _id, ...secrets } } }, { updateOne: { filter: { _id }, update: { $set: changed } } }]),
    changed,
  ],
])('%s stores no secret in plain text, and it can be decrypted once', async (_case, write, expected) => {
  const _id = newId('pay');
  await write(_id);

  const stored = await db.collection<{ _id: string }>('payees').findOne({ _id });
  const lean = await Payee.findById(_id).lean();
  const document = await Payee.findById(_id);

  for (const read of [stored, lean, document]) {
    expect(JSON.stringify(read)).not.toMatch(/secret|26097/);
    const row = read as unknown as typeof secrets;
    expect([
      decryptField(Payee, 'note', row.note),
      decryptField(Payee, 'number', row.number),
      decryptField(Payee, 'bank.code', row.bank.code),
    ]).toEqual([expected.note, expected.number, expected.bank.code]);
  }
});

test('saving a document that was read does not encrypt its secrets again', async () => {
  const { _id } = await Payee.create(secrets);
  const document = await Payee.findById(_id);
  await document!.set('bank.name', 'Other').save();

  const row = await Payee.findById(_id).lean();

  expect([row.bank.name, decryptField(Payee, 'note', row.note)]).toEqual(['Other', secrets.note]);
});

test('a searchable field is found by its value, and one without a value stays null', async () => {
  const { _id } = await Payee.create({ number: '+260955555555' });
  const empty = await Payee.create({});

  expect((await Payee.findOne(whereEncrypted(Payee, 'number', '+260955555555')).lean())?._id).toBe(_id);
  expect(await Payee.findOne(whereEncrypted(Payee, 'number', '+260955555556')).lean()).toBeNull();
  expect(await Payee.findOne({ _id: empty._id, number: null }).lean()).toMatchObject({ note: null, number: null });
});

test.each<[string, () => unknown, string]>([
  ['a filter by the value', () => Payee.findOne({ note: 'first secret' }), 'note cannot be filtered by value: use whereEncrypted'],
  ['a filter by several values', () => Payee.find({ number: { $in: ['+260971234567'] } }), 'number cannot be filtered by value'],
  ['a search in a field that is not searchable', async () => whereEncrypted(Payee, 'note', 'x'), 'note is not searchable'],
  ['a search in a field that is not encrypted', async () => whereEncrypted(Payee, '_id', 'x'), '_id is no encrypted field'],
  ['a value that is no text', () => Payee.create({ note: { $ne: null } }), 'note'],
])('refuses %s', async (_case, work, message) => {
  await expect((async () => work())()).rejects.toThrow(message);
});

test('a rotation is told of every field, and refuses one within an array', () => {
  expect([...ciphertextFields(payeeSchema).keys()]).toEqual(['note', 'number', 'bank.code']);
  const list = new Schema({ banks: [new Schema({ code: encrypted() })] });

  expect(() => ciphertextFields(list)).toThrow('banks.code: an encrypted field may not stand in an array');
});

import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { Schema, type Connection } from 'mongoose';
import { z } from 'zod';
import { newId } from '../base/ids.ts';
import { defineJob, handleJob } from '../kit/define-job.ts';
import { defineSubgraph } from '../kit/define-subgraph.ts';
import { decryptFields, encryptFields } from '../kit/encrypted-fields.ts';
import { decryptField, encrypted, whereEncrypted } from '../store/encrypted.ts';
import { connectMongo } from '../store/mongo.ts';
import { ciphertextPlaces, rotatePlace, type RotationCounts } from './rotate-keys.ts';
import { join } from 'node:path';

const K1 = 'b'.repeat(32);
const K2 = 'c'.repeat(32);
const useKeys = (keys: Record<string, string>, id: string | undefined): void =>
  void Object.assign(process.env, { DATA_KEYS: JSON.stringify(keys), DATA_KEY_ID: id ?? '' });

const payeeSchema = new Schema(
  { _id: String, note: encrypted(), number: encrypted({ searchable: true }), plain: String },
  { versionKey: false },
);
const letter = defineJob('letters', { payload: z.object({ to: z.string(), token: z.string() }), encrypted: ['token'] });
const payees = defineSubgraph({
  name: 'payees',
  folder: join(import.meta.dirname, '../testing/fixture-subgraph'),
  models: (db) => ({ Payee: db.models['Payee'] ?? db.model('Payee', payeeSchema) }),
  loaders: () => ({}),
  resolvers: {},
  permissions: {},
  handlers: [handleJob(letter, async () => undefined)],
});

let client: Connection;
let db: Connection;
let Payee: any;
const kept = { ...process.env };
beforeAll(async () => {
  client = await connectMongo(process.env['MONGODB_URI']!);
});
afterAll(() => client.getClient().close());
beforeEach(() => {
  db = client.useDb(newId('rot').toLowerCase(), { useCache: false });
  ({ Payee } = payees.models(db) as { Payee: unknown });
  useKeys({}, undefined);
});
afterEach(async () => {
  await db.dropDatabase();
  Object.assign(process.env, { DATA_KEYS: kept['DATA_KEYS'] ?? '', DATA_KEY_ID: kept['DATA_KEY_ID'] ?? '' });
});

const numbered = (count: number) => Array.from({ length: count }, (_, index) => String(index).padStart(3, '0'));
const place = (path: string) => ciphertextPlaces(payees, [payees], db).find((each) => each.path === path)!;
async function rotateAll(): Promise<Record<string, RotationCounts>> {
  const found: Record<string, RotationCounts> = {};
  for (const each of ciphertextPlaces(payees, [payees], db))
    found[`${each.collection} ${each.path}`] = await rotatePlace(db, each, { batch: 2 });
  return found;
}

test('everything is readable and found before, while and after keys change, and an old key can then be removed', async () => {
  const data = { to: 'ann', token: 'what opens the door' };
  const add = async (id: string) => {
    await Payee.create({ _id: id, note: `note ${id}`, number: `number ${id}` });
    await db.collection<any>('jobRuns').insertOne({ _id: id, job: 'letters', input: encryptFields(letter, data) });
    await db.collection<any>('outbox').insertOne({ _id: id, type: 'letters', isJob: true, data: encryptFields(letter, data) });
    await db.collection<any>('deadLetters').insertOne({ _id: id, envelope: { type: 'letters', data: encryptFields(letter, data) } });
  };
  const readAll = async () => {
    for (const row of await Payee.find().lean()) {
      expect(decryptField(Payee, 'note', row.note)).toBe(`note ${row._id}`);
      expect((await Payee.findOne(whereEncrypted(Payee, 'number', `number ${row._id}`)).lean())?._id).toBe(row._id);
    }
    for (const { input } of await db.collection('jobRuns').find().toArray()) expect(decryptFields(letter, input)).toEqual(data);
    for (const row of await db.collection('outbox').find().toArray()) expect(decryptFields(letter, row['data'])).toEqual(data);
    for (const { envelope } of await db.collection('deadLetters').find().toArray())
      expect(decryptFields(letter, envelope.data)).toEqual(data);
  };
  await add('without-id');
  useKeys({ k1: K1 }, 'k1');
  await add('k1');
  useKeys({ k1: K1, k2: K2 }, 'k2');
  await add('k2');
  await readAll();

  const counts = await rotateAll();

  const all = { rotated: 2, current: 1, overtaken: 0, unreadable: 0 };
  expect(counts).toEqual({
    'payees note': all,
    'payees number': all,
    'jobRuns input.token': all,
    'outbox data.token': all,
    'deadLetters envelope.data.token': all,
  });
  useKeys({ k2: K2 }, 'k2');
  await readAll();
  expect((await rotateAll())['payees note']).toEqual({ ...all, rotated: 0, current: 3 });
});

test('a dry run counts and changes nothing', async () => {
  await Payee.insertMany(numbered(3).map((_id) => ({ _id, note: 'note' })));
  const before = await Payee.find().lean();
  useKeys({ k1: K1 }, 'k1');

  expect(await rotatePlace(db, place('note'), { dryRun: true, batch: 2 })).toMatchObject({ rotated: 3, current: 0 });

  expect(await Payee.find().lean()).toEqual(before);
});

test('a rotation that was killed goes on with the rest', async () => {
  await Payee.insertMany(numbered(5).map((_id) => ({ _id, note: `note ${_id}` })));
  useKeys({ k1: K1 }, 'k1');
  const killed = rotatePlace(db, place('note'), { batch: 2, onBatch: () => Promise.reject(new Error('killed')) });
  await expect(killed).rejects.toThrow('killed');

  expect(await rotatePlace(db, place('note'), { batch: 2 })).toMatchObject({ rotated: 3, current: 2 });
});

test('a change beside a rotation stays', async () => {
  const ids = numbered(60);
  await Payee.insertMany(ids.map((_id) => ({ _id, note: 'first', number: 'first' })));
  useKeys({ k1: K1 }, 'k1');
  const latest = new Map(ids.map((id) => [id, 'first']));
  let isOver = false;
  // It writes while batches are read and written, from the last row to the first.
  const changes = (async () => {
    for (let round = 0; !isOver; round += 1)
      for (const id of ids.toReversed()) {
        if (isOver) return;
        latest.set(id, `round ${round}`);
        await Payee.updateOne({ _id: id }, { note: `round ${round}`, number: `round ${round}`, plain: 'changed' });
      }
  })();

  for (const path of ['note', 'number'])
    expect(await rotatePlace(db, place(path), { batch: 20 })).toMatchObject({ overtaken: 0, unreadable: 0 });
  isOver = true;
  await changes;

  for (const row of await Payee.find().lean()) {
    expect([row._id, decryptField(Payee, 'note', row.note)]).toEqual([row._id, latest.get(row._id)]);
    expect(decryptField(Payee, 'number', row.number)).toBe(latest.get(row._id));
  }
});

test('what changes between reading and writing is left to the next pass', async () => {
  await Payee.create({ _id: 'a', note: 'first' });
  useKeys({ k1: K1, k2: K2 }, 'k2');
  const where = place('note');
  const cipher = where.field.cipher();
  let passes = 0;
  // The moment between: the row is changed by a process that still encrypts with the key before.
  const decrypt = (text: string): string => {
    passes += 1;
    return cipher.decrypt(text);
  };
  const rows = db.collection<{ _id: string }>('payees');
  const bulkWrite = rows.bulkWrite.bind(rows);
  const between = {
    collection: () =>
      Object.assign(Object.create(rows) as typeof rows, {
        async bulkWrite(...args: Parameters<typeof bulkWrite>) {
          if (passes === 1) {
            useKeys({ k1: K1, k2: K2 }, 'k1');
            await Payee.updateOne({ _id: 'a' }, { note: 'second' });
            useKeys({ k1: K1, k2: K2 }, 'k2');
          }
          return bulkWrite(...args);
        },
      }),
  } as unknown as Connection;

  const counts = await rotatePlace(between, { ...where, field: { ...where.field, cipher: () => ({ ...cipher, decrypt }) } });

  expect(counts).toMatchObject({ rotated: 1, overtaken: 0 });
  const row = await Payee.findById('a').lean();
  expect([row.note.slice(0, 3), decryptField(Payee, 'note', row.note)]).toEqual(['k2.', 'second']);
});

test('what cannot be decrypted is counted, named and left as it is', async () => {
  useKeys({ k1: K1 }, 'k1');
  await Payee.create({ _id: 'a', note: 'lost' });
  const before = await Payee.findById('a').lean();
  useKeys({ k2: K2 }, 'k2');

  expect(await rotatePlace(db, place('note'))).toEqual({
    rotated: 0,
    current: 0,
    overtaken: 0,
    unreadable: 1,
    fault: 'a: A text is encrypted with the key k1, which DATA_KEYS does not hold. Add the key again.',
  });
  expect(await Payee.findById('a').lean()).toEqual(before);
});

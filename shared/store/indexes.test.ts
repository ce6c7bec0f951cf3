import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { Schema, type Connection } from 'mongoose';
import { newId } from '../base/ids.ts';
import { createIndexes, declaredIndexes, dropIndexIfThere, plannedIndexes } from './indexes.ts';
import { connectMongo, isDuplicateKey } from './mongo.ts';

let db: Connection;
let collection: string;
const changes: { name: string; index: string }[] = [];
beforeAll(async () => {
  const client = await connectMongo(process.env['MONGODB_URI']!, { monitorCommands: true });
  db = client.useDb(`t${newId('run').slice(-12)}`);
  client.getClient().on('commandStarted', ({ commandName: name, command }) => {
    if (name === 'createIndexes')
      changes.push(...command['indexes'].map((index: { name: string }) => ({ name: 'create', index: index.name })));
    if (name === 'dropIndexes') changes.push({ name: 'drop', index: command['index'] as string });
  });
});
beforeEach(() => {
  collection = newId('col');
});
afterAll(async () => {
  await db.dropDatabase();
  await db.getClient().close();
});

const rows = () => db.collection<{ _id: number; email?: string; at?: Date }>(collection);
const found = async () =>
  Object.fromEntries((await rows().indexes()).filter(({ name }) => name !== '_id_').map(({ name, ...index }) => [name, index]));

test('what is declared is there, and is left alone by the next start', async () => {
  const declared = [
    { key: { email: 1 }, name: 'email', unique: true, partialFilterExpression: { email: { $type: 'string' } } },
    { key: { at: 1 }, name: 'at', expireAfterSeconds: 60 },
    { key: { email: 1, at: -1 } },
  ] as const;
  await createIndexes(db, collection, declared);
  changes.length = 0;

  expect(await plannedIndexes(db, collection, declared)).toEqual([]);
  await createIndexes(db, collection, declared);

  expect(changes).toEqual([]);
  expect(Object.keys(await found()).sort()).toEqual(['at', 'email', 'email_1_at_-1']);
});

test.each([
  ['other fields', { key: { email: 1, at: 1 }, name: 'email' }],
  ['a unique key', { key: { email: 1 }, name: 'email', unique: true }],
  ['another filter', { key: { email: 1 }, name: 'email', partialFilterExpression: { email: { $type: 'string' } } }],
])('an index that is given %s is built beside the old one, which goes afterwards', async (_case, changed) => {
  await createIndexes(db, collection, [{ key: { email: 1 }, name: 'email' }]);
  await rows().insertMany([
    { _id: 1, email: 'a' },
    { _id: 2, email: 'b' },
  ]);
  changes.length = 0;

  expect(await plannedIndexes(db, collection, [changed])).toEqual([`rebuilds the index email of ${collection}`]);
  await createIndexes(db, collection, [changed]);
  await createIndexes(db, collection, [changed]);

  expect(changes).toEqual([
    { name: 'create', index: expect.stringMatching(/^email_[0-9a-f]{6}$/) },
    { name: 'drop', index: 'email' },
  ]);
  const { name: _name, ...definition } = changed;
  expect(Object.values(await found())).toMatchObject([definition]);
});

test('a unique index that the data do not allow leaves the old one where it is, and says why', async () => {
  await createIndexes(db, collection, [{ key: { email: 1 }, name: 'email' }]);
  await rows().insertMany([
    { _id: 1, email: 'a' },
    { _id: 2, email: 'a' },
  ]);

  const refused = createIndexes(db, collection, [{ key: { email: 1 }, name: 'email', unique: true }]);

  expect(isDuplicateKey(await refused.catch((error: unknown) => error))).toBe(true);
  expect(Object.keys(await found())).toEqual(['email']);
});

test('the time after which rows end is changed in the index itself', async () => {
  await createIndexes(db, collection, [{ key: { at: 1 }, name: 'at', expireAfterSeconds: 60 }]);

  await createIndexes(db, collection, [{ key: { at: 1 }, name: 'at', expireAfterSeconds: 3_600 }]);

  expect(Object.values(await found())).toMatchObject([{ key: { at: 1 }, expireAfterSeconds: 3_600 }]);
});

test('an older build that starts again beside a newer one takes nothing from it', async () => {
  const [older, newer] = [{ key: { email: 1 }, name: 'email' } as const, { key: { email: 1 }, name: 'email', unique: true } as const];
  for (const declared of [older, newer, older]) await createIndexes(db, collection, [declared]);
  expect(Object.values(await found()).filter((index) => 'unique' in (index as object))).toHaveLength(1);

  await createIndexes(db, collection, [newer]);

  expect(Object.values(await found())).toMatchObject([{ unique: true }]);
});

test('one that is declared no more stays until it is dropped by name', async () => {
  await createIndexes(db, collection, [{ key: { email: 1 }, name: 'email' }]);
  await createIndexes(db, collection, []);
  expect(Object.keys(await found())).toEqual(['email']);

  expect(await dropIndexIfThere(db, collection, 'email')).toBe(true);
  expect(await dropIndexIfThere(db, collection, 'email')).toBe(false);
  expect(await found()).toEqual({});
});

test('the indexes of a schema are those that its model would create', async () => {
  const schema = new Schema({ email: { type: String, unique: true }, at: Date }, { autoIndex: false });
  schema.index({ at: 1 }, { expireAfterSeconds: 60 });
  const model = db.model('Mail', schema, collection);
  await createIndexes(db, collection, declaredIndexes([model]).get(collection)!);
  changes.length = 0;

  await model.createIndexes();
  await createIndexes(db, collection, declaredIndexes([model]).get(collection)!);

  expect(Object.keys(await found()).sort()).toEqual(['at_1', 'email_1']);
  expect(changes.filter(({ name }) => name === 'drop')).toEqual([]);
});

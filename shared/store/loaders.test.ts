import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { Schema, type Connection, type InferSchemaType } from 'mongoose';
import { byId, manyBy, type AnyModel } from './loaders.ts';
import { mongoose } from './mongo.ts';

const MONGODB_URI = process.env['MONGODB_URI'] ?? 'mongodb://127.0.0.1:27017/?directConnection=true';

const noteSchema = new Schema({
  _id: { type: String, required: true },
  boardId: { type: String, required: true },
  rank: { type: Number, required: true },
});
type Note = InferSchemaType<typeof noteSchema>;

let db: Connection;
let Note: AnyModel<Note>;
let queries = 0;

beforeAll(async () => {
  db = await mongoose.createConnection(MONGODB_URI, { dbName: `loaders-${randomUUID().slice(0, 8)}`, monitorCommands: true }).asPromise();
  db.getClient().on('commandStarted', ({ commandName }) => void (queries += Number(/^(find|aggregate|getMore)$/.test(commandName))));
  Note = db.model('Note', noteSchema);
  const note = (_id: string, boardId: string, rank: number) => ({ _id, boardId, rank });
  await Note.insertMany([note('n1', 'b1', 3), note('n2', 'b1', 1), note('n3', 'b2', 2), note('n4', 'b1', 2)]);
});

beforeEach(() => {
  queries = 0;
});

afterAll(async () => {
  await db.dropDatabase();
  await db.close();
});

const names = (notes: Note[]) => notes.map(({ _id }) => _id);

test('the documents are typed by their model', async () => {
  const models = { Memo: db.model('Memo', noteSchema, 'notes') };

  const note: Note | null = await byId<Note>(models.Memo).load('n1');
  const notes: Note[] = await manyBy<Note>(models.Memo, 'boardId').load('b2');

  expect([note?.rank, notes[0]?.rank]).toEqual([3, 2]);
});

describe('byId', () => {
  test('keeps the order of keys, gives null for what is not there, and asks once', async () => {
    const notes = byId(Note);

    const found = await Promise.all(['n3', 'nope', 'n1', 'n3'].map((id) => notes.load(id)));

    expect(found.map((note) => note?._id ?? null)).toEqual(['n3', null, 'n1', 'n3']);
    expect(queries).toBe(1);
  });

  test('gives plain documents, not models', async () => {
    const note = await byId(Note).load('n1');

    expect(Object.getPrototypeOf(note)).toBe(Object.prototype);
    expect(note).toEqual({ _id: 'n1', boardId: 'b1', rank: 3, __v: 0 });
  });

  test.each([[{ $ne: null }], [7], [['n1']], [{ toString: () => 'n1' }]])('finds nothing for %j in place of an id', async (key) => {
    expect(await byId(Note).load(key as string)).toBeNull();
  });

  test('splits more than a thousand keys', async () => {
    const notes = byId(Note);

    const found = await notes.loadMany([...Array(1_500).keys()].map((index) => `n${index}`));

    expect(found.filter((note) => note !== null)).toHaveLength(4);
    expect(queries).toBe(2);
  });
});

describe('manyBy', () => {
  test('gives the documents of each key, an empty list where there are none, and asks once', async () => {
    const notes = manyBy(Note, 'boardId');

    const found = await Promise.all(['b2', 'nope', 'b1'].map((id) => notes.load(id)));

    expect(found.map(names)).toEqual([['n3'], [], ['n1', 'n2', 'n4']]);
    expect(queries).toBe(1);
  });

  test('sorts within each key', async () => {
    expect(names(await manyBy(Note, 'boardId', { sort: { rank: -1 } }).load('b1'))).toEqual(['n1', 'n4', 'n2']);
  });

  test('cuts each key, not the whole', async () => {
    const notes = manyBy(Note, 'boardId', { sort: { rank: 1 }, limit: 2 });

    const found = await Promise.all(['b1', 'b2', 'nope'].map((id) => notes.load(id)));

    expect(found.map(names)).toEqual([['n2', 'n4'], ['n3'], []]);
    expect(queries).toBe(1);
  });

  test.each([[{}], [{ limit: 5 }]])('finds nothing for an operator in place of a key, with %j', async (options) => {
    expect(await manyBy(Note, 'boardId', options).load({ $ne: null } as unknown as string)).toEqual([]);
  });
});

import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { Schema, type Connection, type Model } from 'mongoose';
import { newId } from '../base/ids.ts';
import { Problem } from '../base/errors.ts';
import { connectMongo } from './mongo.ts';
import { updateVersioned } from './versioned-update.ts';

interface Note {
  _id: string;
  version: number;
  text: string;
  isOpen: boolean;
}

let db: Connection;
let Notes: Model<Note>;
beforeAll(async () => {
  db = (await connectMongo(process.env['MONGODB_URI']!)).useDb(newId('run').slice(0, 30));
  Notes = db.model<Note>('Note', new Schema<Note>({ _id: String, version: Number, text: String, isOpen: Boolean }));
});
beforeEach(async () => {
  await Notes.deleteMany({});
  await Notes.create({ _id: 'n', version: 3, text: 'one', isOpen: true });
});
afterAll(async () => {
  await db.dropDatabase();
  await db.getClient().close();
});

const change = (expectedVersion: number, text = 'two', more: object = {}) =>
  updateVersioned<Note>(Notes, { id: 'n', expectedVersion, set: { text }, noun: 'note', ...more });

test('a row is changed at the version that was seen, and counts on', async () => {
  expect(await change(3)).toMatchObject({ _id: 'n', version: 4, text: 'two' });
});

test.each([2, 4])('at another version (%i) nothing is written, and the caller is told which there is', async (seen) => {
  await expect(change(seen)).rejects.toMatchObject({
    code: 'STALE_VERSION',
    message: 'Somebody changed this note meanwhile.',
    inputPath: ['input', 'expectedVersion'],
    facts: { currentVersion: 3 },
  });
  expect(await Notes.findById('n').lean()).toMatchObject({ version: 3, text: 'one' });
});

test('of ten at the same time one wins', async () => {
  const outcomes = await Promise.allSettled(Array.from({ length: 10 }, (_each, index) => change(3, `by ${index}`)));

  const won = outcomes.filter(({ status }) => status === 'fulfilled');
  expect(won).toHaveLength(1);
  expect(await Notes.findById('n').lean()).toEqual(expect.objectContaining((won[0] as PromiseFulfilledResult<Note>).value));
});

test('a row that is not there is told as such', async () => {
  await Notes.deleteMany({});

  await expect(change(3)).rejects.toMatchObject({ code: 'NOT_FOUND', inputPath: ['input', 'id'] });
});

test('what else must hold is refused by its own reason, before anything about versions', async () => {
  const refusal = async (): Promise<void> => {
    throw new Problem('NOTE_CLOSED', 'This note is closed.');
  };

  await expect(change(3, 'two', { where: { isOpen: false }, refusal })).rejects.toMatchObject({ code: 'NOTE_CLOSED' });
  expect(await change(3, 'two', { where: { isOpen: true }, refusal })).toMatchObject({ version: 4 });
});

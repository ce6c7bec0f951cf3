import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import type { Connection } from 'mongoose';
import { newId } from '#shared/base/ids.ts';
import { connectMongo, inTransaction } from '#shared/store/mongo.ts';
import { record } from './recording.ts';
import { prepareCopies, replay, sampleOf, targetsOf, type Sample } from './replay.ts';

interface Board {
  _id: string;
  notes: number;
}

interface Note {
  _id: string;
  boardId: string;
  state: string;
}

/** From the year 2016: older than anything that is recorded. */
const BOARD = 'brd_01ARZ3NDEKTSV4RRFFQ69G5FAV';

let client: Connection;
let db: Connection;
beforeAll(async () => {
  client = await connectMongo(process.env['MONGODB_URI']!, { monitorCommands: true });
  db = client.useDb(`s${randomBytes(6).toString('hex')}`);
});
beforeEach(async () => {
  await boards().deleteMany({});
  await notes().deleteMany({});
  await boards().insertOne({ _id: BOARD, notes: 0 });
});
afterAll(async () => {
  await db.dropDatabase();
  await client.close();
});

const boards = () => db.collection<Board>('boards');
const notes = () => db.collection<Note>('notes');

async function addNote(): Promise<void> {
  const write = async (session: Parameters<Parameters<typeof inTransaction>[1]>[0]) => {
    await notes().insertOne({ _id: newId('not'), boardId: BOARD, state: 'NEW' }, { session });
    await boards().updateOne({ _id: BOARD }, { $inc: { notes: 1 } }, { session });
  };
  await inTransaction(db, write, Date.now() + 20_000);
  await notes().find({ state: 'NEW' }).sort({ _id: 1 }).limit(10).toArray();
}

async function sampleOfOneNote(): Promise<Sample> {
  const since = Date.now();
  const recording = record(client.getClient());
  await addNote();
  const commands = recording.stop();
  const [target] = targetsOf(commands, since);
  return sampleOf(commands, since, [{ target: target!, document: { _id: BOARD, notes: 0 } }]);
}

test('replays that run side by side each come to what was recorded, on documents of their own', async () => {
  const sample = await sampleOfOneNote();

  const copies = await prepareCopies(client.getClient(), sample, 4);
  await Promise.all(copies.map((commands) => replay(client.getClient(), commands)));

  const changed = await boards().find().toArray();
  expect(changed.map(({ notes: count }) => count)).toEqual([1, 1, 1, 1, 1]);
  const written = await notes().find().toArray();
  expect(written.map(({ boardId }) => boardId).sort()).toEqual(changed.map(({ _id }) => _id).sort());
});

test('a replay that comes to something else says which command it was, and leaves nothing behind', async () => {
  const sample = await sampleOfOneNote();
  const [commands] = await prepareCopies(client.getClient(), sample, 1);
  await boards().deleteMany({});

  await expect(replay(client.getClient(), commands!)).rejects.toThrow(
    /matched 1, modified 1 when recorded, matched 0, modified 0 now.*boards/,
  );

  expect(await notes().countDocuments()).toBe(1);
});

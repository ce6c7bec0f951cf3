import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { mongo, Schema } from 'mongoose';
import { openHost, type Host } from '#shared/runtime/host.ts';
import { createIndexes } from '#shared/store/indexes.ts';
import { freePort } from './ports.ts';
import { loadDemo, refuseForeignData } from './load.ts';
import { loadingError, openingError, placeOf } from './startup-errors.ts';

/* What goes wrong goes really wrong here: the errors are those of the store and of its driver. */

const run = `t${randomBytes(6).toString('hex')}_`;
const ours = placeOf('.data', { provided: false });
const theirs = placeOf('.data', { provided: true });

let host: Host;
beforeAll(async () => {
  host = await openHost([], { mongodbUri: process.env['MONGODB_URI']!, redisUrl: process.env['REDIS_URL']!, background: false });
});
afterAll(async () => {
  await host.client.useDb(`${run}demo`).dropDatabase();
  await host.close();
});

const failureOf = (work: Promise<unknown>): Promise<Error> =>
  work.then(
    () => {
      throw new Error('nothing went wrong');
    },
    (error: Error) => error,
  );

const db = () => host.client.useDb(`${run}demo`, { useCache: false });

describe('a start whose data are of another version', () => {
  test('says so when an index is there with other properties', async () => {
    await createIndexes(db(), 'notes', [{ key: { title: 1 } }]);
    const schema = new Schema({ title: String }, { collection: 'notes', autoIndex: false, autoCreate: false });
    schema.index({ title: 1 }, { unique: true });

    const failure = await failureOf(db().model('Note', schema).createIndexes());

    expectMisfit(openingError(failure, ours));
  });

  test('says so when the data are not as unique as they should be', async () => {
    await db()
      .collection('boards')
      .insertMany([{ title: 'same' }, { title: 'same' }]);

    const failure = await failureOf(createIndexes(db(), 'boards', [{ key: { title: 1 }, unique: true }]));

    expectMisfit(openingError(failure, ours));
  });

  function expectMisfit({ message }: Error): void {
    expect(message).toMatch(/^The data in \.data do not fit this version of Soko \(.+\)\. To begin anew .*: npm start -- --fresh$/);
  }
});

describe('a start whose store', () => {
  test('is away says so', async () => {
    const client = new mongo.MongoClient(`mongodb://127.0.0.1:${await freePort()}`, { serverSelectionTimeoutMS: 100 });

    const failure = await failureOf(client.connect());

    expect(openingError(failure, ours).message).toMatch(
      /^A store went away during the start \(.+\)\. Start again: the data stay in \.data\.$/,
    );
  });

  test('refuses says what it refused, and does not offer to empty what is not ours', async () => {
    const failure = await failureOf(db().db!.command({ createIndexes: 'notes', indexes: [{ key: { title: 'upwards' }, name: 'title' }] }));

    expect(openingError(failure, theirs).message).toMatch(/^The store refused .* the MongoDB that MONGODB_URI names \(.+\)\. Empty it/);
  });
});

test('whatever else goes wrong in a start keeps its stack', () => {
  const bug = new TypeError('x is not a function');

  expect(() => openingError(bug, ours)).toThrow(bug);
});

describe('a load of the demo', () => {
  test('that was interrupted is not taken for a marketplace', async () => {
    await host.client
      .useDb(`${run}demo`, { useCache: false })
      .collection<{ _id: string; state: string }>('marks')
      .insertOne({ _id: 'marketplace', state: 'BEGUN' });

    const failure = await failureOf(loadDemo(host, { databasePrefix: run, say: () => undefined }));

    expect(loadingError(failure, ours).message).toMatch(
      /^The demo data in \.data are incomplete: an earlier start was interrupted .*\. To begin anew .*: npm start -- --fresh$/,
    );
  });

  test('that fails says why in one line', () => {
    const failure = new Error('vendors refused the demo: [{"message":"The store cannot be reached."}]');

    expect(loadingError(failure, ours).message).toBe(
      `The demo data could not be loaded into .data: ${failure.message}. To begin anew and lose what is in that folder: npm start -- --fresh`,
    );
  });
});

describe('a MongoDB that somebody else runs', () => {
  const theirPrefix = `${run}their_`;
  const refusal = () => refuseForeignData(process.env['MONGODB_URI']!, theirPrefix);
  const database = (name: string) => host.client.useDb(`${theirPrefix}${name}`, { useCache: false });

  test('is refused once it holds accounts that no demo made', async () => {
    await expect(refusal()).resolves.toBeUndefined();
    await database('accounts').collection('users').insertOne({ email: 'owner@shop.example' });

    await expect(refusal()).rejects.toThrow(/accounts that are not this demo's.+Set DATABASE_PREFIX/);

    await database('demo').collection<{ _id: string; state: string }>('marks').insertOne({ _id: 'marketplace', state: 'DONE' });
    await expect(refusal()).resolves.toBeUndefined();
    await Promise.all(['accounts', 'demo'].map((name) => database(name).dropDatabase()));
  });
});

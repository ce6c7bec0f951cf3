import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { mongo, type Connection } from 'mongoose';
import { probeStore, UnsuitableStore } from './store-probe.ts';
import { connectMongo } from './mongo.ts';

let client: Connection;
const prefixes: string[] = [];

/** A database of the probe that nobody has used before. */
function unused(): string {
  const prefix = `t${randomBytes(6).toString('hex')}-`;
  prefixes.push(prefix);
  return prefix;
}

beforeAll(async () => {
  client = await connectMongo(process.env['MONGODB_URI']!, { monitorCommands: true });
});

afterAll(async () => {
  for (const prefix of prefixes) await client.useDb(`${prefix}soko-probe`).dropDatabase();
  await client.close();
});

async function commandsOf(work: () => Promise<unknown>): Promise<string[]> {
  const names: string[] = [];
  const note = ({ commandName }: mongo.CommandStartedEvent) => void names.push(commandName);
  client.getClient().on('commandStarted', note);
  await work();
  client.getClient().off('commandStarted', note);
  return names;
}

type Method = (...args: any[]) => any;

/** Probes with one property taken away: `change` stands in place of a method of all collections, and is given the real one. */
async function probeChanged(name: 'createIndexes' | 'find' | 'findOne' | 'updateOne', change: (real: Method, ...args: any[]) => unknown) {
  const methods = mongo.Collection.prototype as unknown as Record<string, Method>;
  const real = methods[name]!;
  methods[name] = function changed(this: unknown, ...args: unknown[]) {
    return change(real.bind(this), ...args);
  };
  await probeStore(client, unused()).finally(() => (methods[name] = real));
}

test('a store that passed is not tried again by the next start', async () => {
  const prefix = unused();

  await probeStore(client, prefix);
  const again = await commandsOf(() => probeStore(client, prefix));

  expect(again).toEqual(['buildInfo', 'find']);
});

test('a store of another version than the one that passed is tried again', async () => {
  const prefix = unused();
  await probeStore(client, prefix);

  await client
    .useDb(`${prefix}soko-probe`)
    .collection('passed')
    .updateOne({}, { $set: { server: 'an older one' } });
  const again = await commandsOf(() => probeStore(client, prefix));

  expect(again).toContain('commitTransaction');
});

test('several processes may try a new store at the same time', async () => {
  const prefix = unused();

  await Promise.all([probeStore(client, prefix), probeStore(client, prefix), probeStore(client, prefix)]);

  const left = await client.useDb(`${prefix}soko-probe`).listCollections();
  expect(left.map(({ name }) => name)).toEqual(['passed']);
});

test('a store that does not hold unique keys is refused with the name of what is missing', async () => {
  const probing = probeChanged('createIndexes', (real, indexes: mongo.IndexDescription[]) =>
    real(indexes.map(({ unique: _unique, ...index }) => index)),
  );

  await expect(probing).rejects.toThrow(UnsuitableStore);
  await expect(probing).rejects.toThrow(/^This store cannot be used: a unique key is not held when rows are inserted\. /);
});

test('a store in which a key that was given up stays taken is refused', async () => {
  const probing = probeChanged('updateOne', (real, filter, update, ...more) =>
    real(filter, '$unset' in update ? { $set: { rank: 0 } } : update, ...more),
  );

  await expect(probing).rejects.toThrow('a unique key that was given up is not free');
});

test('a store that shows one transaction the work of others is refused', async () => {
  const probing = probeChanged('findOne', (real, filter, { session: _outside, ...options } = {}) => real(filter, options));

  await expect(probing).rejects.toThrow('a transaction is seen before it is committed, or does not see one moment');
});

test('a store that answers lists in another order is refused', async () => {
  const probing = probeChanged('find', (real, ...args) => {
    const cursor = real(...args);
    const sort = cursor.sort.bind(cursor);
    cursor.sort = () => sort({ rank: 1, _id: 1 });
    return cursor;
  });

  await expect(probing).rejects.toThrow('lists do not come in the order of their index');
});

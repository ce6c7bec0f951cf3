import { dropDatabases } from '#shared/testing/drop-databases.ts';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { mongo } from 'mongoose';
import { openHost, type Host } from '#shared/runtime/host.ts';
import { declaredIndexes, plannedIndexes } from '#shared/store/indexes.ts';
import { createDoor } from '../load/door.ts';
import { loadSubgraphs } from '../together.ts';
import type { ReleaseData } from './write.ts';

const releases = readdirSync(import.meta.dirname).filter((file) => file.endsWith('.json.gz'));
const read = (file: string) =>
  mongo.BSON.EJSON.parse(gunzipSync(readFileSync(join(import.meta.dirname, file))).toString(), { relaxed: false }) as ReleaseData;

describe.each(releases)('this build on the data of %s', (file) => {
  const run = `t${randomBytes(6).toString('hex')}`;
  const { databases, orders } = read(file);
  // Its stock is held for a quarter of an hour, so the clock goes on from then.
  const begun = (databases['orders']!['sagas']!.rows as { startedAt: Date }[]).map(({ startedAt }) => startedAt.getTime());
  const behindMs = Date.now() - Math.max(...begun);
  let host: Host;
  let planned = '';
  beforeAll(async () => {
    await restore(databases, `${run}_`);
    planned = await migrate(run, '--dry-run', 'orders');
    const subgraphs = await loadSubgraphs();
    host = await openHost(subgraphs, {
      mongodbUri: process.env['MONGODB_URI']!,
      redisUrl: process.env['REDIS_URL']!,
      databasePrefix: `${run}_`,
      redisPrefix: run,
      now: () => new Date(Date.now() - behindMs),
      environment: { NODE_ENV: 'test' },
    });
  }, 60_000);
  afterAll(async () => {
    await dropDatabases([...host.runtimes.values()].map(({ db }) => db));
    await host.close();
  }, 60_000);
  const db = (name: string) => host.runtimes.get(name)!.db;

  test('is told beforehand what it will change, and that nothing is left afterwards', async () => {
    expect(planned).toContain('orders: 2026-11-29-saga-versions would change 1\n');
    expect(await migrate(run, '--dry-run', 'orders')).toBe('orders: nothing to migrate\n');
    const said = [...host.runtimes.keys()].map((name) => `${name}: nothing to migrate`);
    expect((await migrate(run)).trim().split('\n').sort()).toEqual(said.sort());
    await expect(migrate(run, 'ghosts')).rejects.toThrow('There is no subgraph ghosts.');
  });

  test('starts, with every migration done and no index missing', async () => {
    for (const name of host.runtimes.keys()) {
      const rows = await db(name).collection('migrations').find().toArray();
      expect(rows.map(({ finishedAt }) => finishedAt instanceof Date)).not.toContain(false);
      expect(rows.length).toBeGreaterThan(0);
      for (const [collection, indexes] of declaredIndexes(host.runtimes.get(name)!.models)) {
        expect(await plannedIndexes(db(name), collection, indexes)).toEqual([]);
      }
    }
  });

  test('answers what is for sale, and lets its accounts sign in', async () => {
    const door = createDoor(host);
    const { products } = await door.ask('catalog', null, '{ products(first: 3) { nodes { name variants { price { amount } } } } }');
    const login = 'mutation ($input: LoginInput!) { login(input: $input) { accessToken userErrors { code } } }';
    const signedIn = await door.ask('accounts', null, login, { input: { email: 'buyer1@soko.example', password: 'soko-demo-2026!' } });

    expect(products.nodes).toHaveLength(3);
    expect(signedIn.login).toEqual({ accessToken: expect.any(String), userErrors: [] });
  });

  test('keeps the order that was confirmed, and ends the checkout in which a process of that release died', async () => {
    const saga = () => db('orders').collection('sagas').findOne({ 'input.orderId': orders.interrupted });
    const until = Date.now() + 20_000;
    while ((await saga())!['state'] !== 'DONE' && Date.now() < until) await new Promise((resolve) => setTimeout(resolve, 100));

    expect(await saga()).toMatchObject({ state: 'DONE', version: 1 });
    const found = await db('orders')
      .collection<{ _id: string; status: string }>('orders')
      .find({ _id: { $in: Object.values(orders) } })
      .toArray();
    expect(found.map(({ status }) => status)).toEqual(['CONFIRMED', 'CONFIRMED']);
  }, 30_000);
});

const COMMAND = join(import.meta.dirname, '../../commands/migrate.ts');

/** What `npm run migrate` prints. */
async function migrate(run: string, ...options: string[]): Promise<string> {
  const env = { ...process.env, NODE_ENV: 'test', DATABASE_PREFIX: `${run}_`, LOG_LEVEL: 'error' };
  const { stdout } = await promisify(execFile)(process.execPath, [COMMAND, ...options], { env });
  return stdout;
}

/** Rows and indexes as the release left them. */
async function restore(databases: ReleaseData['databases'], prefix: string): Promise<void> {
  const client = await mongo.MongoClient.connect(process.env['MONGODB_URI']!);
  try {
    for (const [name, collections] of Object.entries(databases)) {
      for (const [collection, { indexes, rows }] of Object.entries(collections)) {
        const target = client.db(prefix + name).collection(collection);
        const own = (indexes as mongo.IndexDescription[]).filter((index) => index.name !== '_id_');
        if (own.length > 0) await target.createIndexes(own);
        if (rows.length > 0) await target.insertMany(rows as mongo.Document[]);
      }
    }
  } finally {
    await client.close();
  }
}

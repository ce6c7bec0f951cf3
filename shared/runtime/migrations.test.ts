import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { Connection } from 'mongoose';
import type { Logger } from 'pino';
import { z } from 'zod';
import { newId } from '../base/ids.ts';
import { defineSaga, type SagaRow } from '../kit/define-saga.ts';
import { dropIndex, migration, type Migration } from '../kit/migration.ts';
import { sagasOf } from '../sagas/store.ts';
import { newHolderId } from '../store/lease-holder.ts';
import { createOrphanedSessions } from '../store/orphaned-sessions.ts';
import { connectMongo } from '../store/mongo.ts';
import { counting, itemsOf, migrated } from '../testing/migrated-subgraph.ts';
import { createMigrations } from './migrations.ts';

const PROGRAM = fileURLToPath(new URL('../testing/migration-process.ts', import.meta.url));
const NAME = '2026-12-01-count-items';
const COUNT = 7;

let client: Connection;
let db: Connection;
const used: string[] = [];
beforeAll(async () => {
  client = await connectMongo(process.env['MONGODB_URI']!);
});
/** Each test has a database with seven items, from before there were migrations. */
beforeEach(async () => {
  const name = `t${newId('run').slice(-12)}`;
  used.push(name);
  db = client.useDb(name, { useCache: false });
  await itemsOf(db).insertMany(Array.from({ length: COUNT }, (_, _id) => ({ _id })));
});
afterAll(async () => {
  for (const name of used) await client.useDb(name, { useCache: false }).dropDatabase();
  await client.close();
});

/** Migrates in a process of its own. */
const runIn = async (list: Migration[], options?: Parameters<typeof openProcess>[1]) => (await openProcess(list, options)).run();

/** The migrations of a process of its own. */
async function openProcess(list: Migration[], { patienceMs, to = db }: { patienceMs?: number; to?: Connection } = {}) {
  const said: string[] = [];
  const log = { info: (_facts: object, line: string) => said.push(line), warn: () => undefined } as unknown as Logger;
  const subgraph = migrated(...list);
  const holder = newHolderId();
  const orphanedSessions = createOrphanedSessions(to, holder);
  await orphanedSessions.killOrphaned();
  const rest = { subgraph, db: to, models: {}, providers: {}, holder, orphanedSessions, log, now: () => new Date() };
  return { said, ...createMigrations({ ...rest, ...(patienceMs !== undefined && { patienceMs }) }) };
}

const times = async () => (await itemsOf(db).find().sort({ _id: 1 }).toArray()).map((item) => item.times ?? 0);
const rowOf = async (name: string) => db.collection<{ _id: string }>('migrations').findOne({ _id: name });
const each = (value: number) => Array.from({ length: COUNT }, () => value);

test('a migration runs in its batches, once in a database, whatever else is added', async () => {
  await runIn([counting()]);
  await runIn([counting()]);
  await runIn([counting({ name: '2026-11-30-came-later' }), counting()]);

  expect(await times()).toEqual(each(2));
  expect(await rowOf(NAME)).toEqual({
    _id: NAME,
    startedAt: expect.any(Date),
    after: null,
    batches: 4,
    changed: COUNT,
    finishedAt: expect.any(Date),
  });
});

test('migrations run in the order of their names, each after the end of the one before', async () => {
  const order: string[] = [];
  const noted = (name: string) => counting({ name, batch: 4, meet: () => order.push(name) });

  await runIn([noted('2026-12-01-a'), noted('2026-12-02-b')]);

  expect(order).toEqual(['2026-12-01-a', '2026-12-01-a', '2026-12-02-b', '2026-12-02-b']);
});

test('an empty database has nothing to migrate, and is not migrated when it has rows later', async () => {
  const empty = client.useDb(`t${newId('run').slice(-12)}`, { useCache: false });
  used.push(empty.name);
  await Promise.all([runIn([counting()], { to: empty }), runIn([counting()], { to: empty })]);
  await itemsOf(empty).insertOne({ _id: 1 });

  await runIn([counting()], { to: empty });

  expect(await itemsOf(empty).findOne()).toEqual({ _id: 1 });
});

describe('killed in the middle', () => {
  test.each([
    ['in its first batch', -1, 0],
    ['in a later one', 3, 4],
    ['in its last one', 5, 6],
  ])('%s, it goes on after what was committed, in the next process', async (_case, diesAt, done) => {
    const env = { ...process.env, MIGRATED_DB: db.name, DIES_AT: String(diesAt), LOG_LEVEL: 'silent' };
    const child = spawn(process.execPath, [PROGRAM], { env, stdio: ['ignore', 'ignore', 'inherit'] });
    const [, signal] = (await once(child, 'exit')) as [number | null, string | null];
    expect(signal).toBe('SIGKILL');
    expect(await rowOf(NAME)).toMatchObject({ changed: done, finishedAt: null });

    await runIn([counting()]);

    expect(await times()).toEqual(each(1));
    expect(await rowOf(NAME)).toMatchObject({ changed: COUNT, finishedAt: expect.any(Date) });
  });
});

test('of several processes that start together one migrates, and the others wait for it with one line', async () => {
  const reached = Promise.withResolvers<void>();
  const go = Promise.withResolvers<void>();
  const first = await openProcess([counting({ meet: () => (reached.resolve(), go.promise) })]);
  const others = [await openProcess([counting()]), await openProcess([counting()])];
  const migrating = first.run();
  await reached.promise;

  let ended = 0;
  const waiting = others.map((other) => other.run().then(() => (ended += 1)));
  while (!others.every(({ said }) => said.length > 0)) await new Promise((resolve) => setImmediate(resolve));
  const endedBefore = ended;
  go.resolve();
  await Promise.all([migrating, ...waiting]);

  expect(endedBefore).toBe(0);
  expect(await times()).toEqual(each(1));
  for (const { said } of others) expect(said).toEqual(['another process migrates this database; the start waits for it']);
});

test('a process that waits too long says for what', async () => {
  const go = Promise.withResolvers<void>();
  const reached = Promise.withResolvers<void>();
  const migrating = runIn([counting({ meet: () => (reached.resolve(), go.promise) })]);
  await reached.promise;

  await expect(runIn([counting()], { patienceMs: 0 })).rejects.toThrow(
    'items: the migration 2026-12-01-count-items runs in another process and has not ended.',
  );
  go.resolve();
  await migrating;
});

test('a batch of a process that lost its lease is had once, whoever writes it', async () => {
  const reached = Promise.withResolvers<void>();
  const go = Promise.withResolvers<void>();
  const asleep = runIn([counting({ meet: (after) => (after === 1 ? (reached.resolve(), go.promise) : undefined) })]);
  await reached.promise;
  const leases = db.collection<{ _id: string; owner: string }>('leases');
  await leases.updateOne({ _id: 'migrations' }, { $set: { until: new Date(0), owner: 'nobody' } });

  const heir = runIn([counting()]);
  while ((await leases.findOne({ _id: 'migrations' }))!.owner === 'nobody');
  go.resolve();
  await Promise.all([asleep, heir]);

  expect(await times()).toEqual(each(1));
  expect(await rowOf(NAME)).toMatchObject({ batches: 4, changed: COUNT });
});

test('a dry run says what would change, and changes nothing', async () => {
  await itemsOf(db).createIndex({ times: 1 }, { name: 'times' });
  const list = [counting(), dropIndex('2026-12-02-times', 'items', 'times')];

  const planned = await (await openProcess(list)).dryRun();

  expect(planned.slice(-2)).toEqual([{ name: NAME, changed: COUNT }, { name: '2026-12-02-times' }]);
  expect(await times()).toEqual(each(0));
  expect((await itemsOf(db).indexes()).map(({ name }) => name)).toContain('times');
  expect(await db.collection('migrations').countDocuments()).toBe(0);

  await runIn(list);
  expect((await itemsOf(db).indexes()).map(({ name }) => name)).not.toContain('times');
  expect(await (await openProcess(list)).dryRun()).toEqual([]);
});

test('one that fails ends the start with its error, and goes on from there when it is mended', async () => {
  const broken = counting({
    meet: (after) => {
      if (after === 3) throw new Error('no such field');
    },
  });

  await expect(runIn([broken])).rejects.toThrow('no such field');
  expect(await rowOf(NAME)).toMatchObject({ changed: 4, finishedAt: null });
  await runIn([counting()]);

  expect(await times()).toEqual(each(1));
});

test('one that ends a batch where it began is refused instead of running for ever', async () => {
  const still = migration('2026-12-01-still', { batch: 1, run: async () => ({ after: 'here', changed: 0 }) });

  await expect(runIn([still])).rejects.toThrow('The migration 2026-12-01-still does not move on');
});

test.each([
  ['no date', ['add-notes'], 'a migration is called add-notes; a name is a date and words'],
  ['another order', ['2026-12-02-b', '2026-12-01-a'], 'the migration 2026-12-01-a stands after a later one, or twice'],
  ['one name twice', ['2026-12-01-a', '2026-12-01-a'], 'the migration 2026-12-01-a stands after a later one, or twice'],
])('a manifest with %s in its migrations is refused', (_case, names, message) => {
  expect(() => migrated(...names.map((name) => counting({ name })))).toThrow(message);
});

test('rows of sagas from before versions get a version, their step by its index, and their end', async () => {
  const walk = defineSaga('walk', { version: 1, input: z.object({}) }, ({ step }) =>
    ['first', 'second', 'third'].map((name) => step(name, { run: async () => null })),
  );
  const old = (_id: string, row: object) => ({ _id, saga: 'walk', key: _id, state: 'RUNNING', results: {}, ...row }) as unknown as SagaRow;
  await sagasOf(db).insertMany([
    old('by-name', { step: 'second', at: 1, results: { first: null } }),
    old('by-index', { at: 1, results: { first: null } }),
    // A build that knows indexes only moved it on, and left the name.
    old('stale-name', { step: 'first', at: 1, results: { first: null } }),
    old('other-steps', { at: 1, results: {} }),
    old('turning', { state: 'COMPENSATING', step: 'first', at: 0, results: { first: null } }),
    old('ended', { state: 'DONE', at: 3 }),
  ]);
  const subgraph = { ...migrated(), sagas: [walk] };
  const log = { info: () => undefined } as unknown as Logger;

  const holder = newHolderId();
  const orphanedSessions = createOrphanedSessions(db, holder);
  await createMigrations({ subgraph, db, models: {}, providers: {}, holder, orphanedSessions, log, now: () => new Date() }).run();

  const rows = await sagasOf(db).find().toArray();
  expect(Object.fromEntries(rows.map(({ _id, version, step }) => [_id, [version, step]]))).toEqual({
    'by-name': [1, 'second'],
    'by-index': [1, 'second'],
    'stale-name': [1, 'second'],
    'other-steps': [1, undefined],
    turning: [1, 'first'],
    ended: [undefined, undefined],
  });
  expect(rows.filter(({ finishedAt }) => finishedAt instanceof Date).map(({ _id }) => _id)).toEqual(['ended']);
});

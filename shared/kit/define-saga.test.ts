import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { randomInt } from 'node:crypto';
import type { Connection } from 'mongoose';
import { Problem } from '../base/errors.ts';
import { newId } from '../base/ids.ts';
import { createOutbox, outboxOf } from '../messaging/outbox.ts';
import { createSagaIndexes } from '../sagas/store.ts';
import { connectMongo } from '../store/mongo.ts';
import { abandon, counted, deploySaga, historyOf, openBuild, type Builder } from '../testing/saga-builds.ts';
import type { SagaPart, SagaRow } from './define-saga.ts';

let db: Connection;
let ahead = 0;
const now = (): Date => new Date(Date.now() + ahead);
beforeAll(async () => {
  db = (await connectMongo(process.env['MONGODB_URI']!)).useDb(`t${newId('run').slice(-12)}`);
  await createSagaIndexes(db);
  await createOutbox(db);
});
afterAll(async () => {
  await db.dropDatabase();
  await db.getClient().close();
});

const build = (parts: (builder: Builder) => SagaPart[]) => openBuild(db, [deploySaga(1, parts)], now);
/** Runs to the end, however long the pauses. */
const ran = (runner: ReturnType<typeof build>, id: string): Promise<SagaRow> => runner.run(id, Date.now() + 20_000);
const none = async (): Promise<null> => null;

// B7
test('a saga that cannot be undone is told once: as an error and as an event, with its id', async () => {
  const fault = () => Promise.reject(new Problem('NOT_BACK', 'It cannot be given back.'));
  const only = build(({ step }) => [step('charge', { run: none, compensate: fault }), step('ship', { run: fault })]);
  const id = await only.begin();

  const row = await only.run(id);
  await only.run(id);
  await only.sweep();
  await only.review();

  expect(row.state).toBe('STUCK');
  expect(only.errors).toEqual([expect.objectContaining({ saga: id, step: 'charge', reason: 'NOT_BACK' })]);
  const said = await outboxOf(db).find({ type: 'Saga.Halted' }).toArray();
  expect(said.map(({ data }) => data)).toEqual([
    {
      subgraph: 'deploy',
      sagaId: id,
      name: 'deploy',
      version: 1,
      key: row.key,
      step: 'charge',
      state: 'STUCK',
      reason: 'NOT_BACK',
      timestamp: expect.any(String),
    },
  ]);
  expect(await only.halted()).toEqual({ STUCK: 1, PARKED: 0 });
});

test.each<[string, (builder: Builder) => SagaPart[]]>([
  ['two steps of one name', ({ step }) => [step('charge', { run: none }), step('charge', { run: none })]],
  ['two steps of one name', ({ step, parallel }) => [step('charge', { run: none }), parallel('pay', [step('charge', { run: none })])]],
  ['has no step', () => []],
  ['letters, digits', ({ step }) => [step('charge.card', { run: none })]],
  ['tries charge never', ({ step }) => [step('charge', { run: none, retry: { attempts: 0 } })]],
  ['no usable timeoutMs for charge', ({ step }) => [step('charge', { run: none, timeoutMs: 0 })]],
  ['local step in parallel in pay', ({ step, parallel }) => [parallel('pay', [step('charge', { run: none, local: true })])]],
])('a definition is refused with "%s"', (message, parts) => {
  expect(() => deploySaga(1, parts)).toThrow(message);
});

test('a version that the manifest does not list is not begun', async () => {
  const listed = openBuild(db, [deploySaga(2, ({ step }) => [step('charge', counted())])]);
  const other = deploySaga(3, ({ step }) => [step('charge', counted())]);

  await expect(listed.start({} as never, other, { key: 'k', input: {} })).rejects.toThrow(
    'Version 3 of the saga deploy is not in the manifest',
  );
});

/** A step that fails until it has been tried so often. */
const failing = (times: number, error: () => unknown = () => new Error('broken')) => {
  const tries: number[] = [];
  const run = async (): Promise<null> => {
    tries.push(Date.now());
    if (tries.length <= times) throw error();
    return null;
  };
  return { tries, run };
};

test.each([
  ['8 attempts by default', {}, 20, 8, 'COMPENSATED'],
  ['as many attempts as it says', { attempts: 3 }, 20, 3, 'COMPENSATED'],
  ['any number of attempts until it is answered', { attempts: Infinity }, 20, 21, 'DONE'],
  ['one attempt', { attempts: 1 }, 20, 1, 'COMPENSATED'],
])('a step has %s', async (_case, retry, times, tried, state) => {
  const { run, tries } = failing(times);
  const one = build(({ step }) => [step('charge', { run, retry: { firstMs: 1, maxMs: 2, ...retry } })]);

  const row = await ran(one, await one.begin());

  expect({ state: row.state, tried: tries.length }).toEqual({ state, tried });
  // Attempts at one step are one entry, however many they are.
  expect(row.history.length).toBeLessThanOrEqual(3);
});

test('a step is tried for as long as it says, by the clock of the domain', async () => {
  const { run, tries } = failing(100, () => {
    if (tries.length === 12) ahead += 600_000;
    return new Error('broken');
  });
  const one = build(({ step }) => [step('charge', { run, retry: { withinMs: 600_000, firstMs: 1, maxMs: 1 } })]);

  const row = await ran(one, await one.begin());

  expect({ state: row.state, tried: tries.length, code: row.refusal?.code }).toEqual({
    state: 'COMPENSATED',
    tried: 12,
    code: 'UNAVAILABLE',
  });
});

test.each([
  ['an error that it calls final is not repeated', () => new Error('card expired'), 1],
  ['a Problem that it calls passing is repeated', () => new Problem('BUSY', 'Later.'), 3],
])('%s', async (_case, error, tried) => {
  const { run, tries } = failing(2, error);
  const retryable = (thrown: unknown): boolean => (thrown as Error).message !== 'card expired';
  const one = build(({ step }) => [step('charge', { run, retryable, retry: { firstMs: 1 } })]);

  const row = await ran(one, await one.begin());

  expect({ state: row.state, tried: tries.length }).toEqual({ state: tried === 3 ? 'DONE' : 'COMPENSATED', tried });
});

test('an attempt that is late counts as failed, with its deadline in the context, and the next one goes on', async () => {
  const deadlines: number[] = [];
  const late = Promise.withResolvers<void>();
  const one = build(({ step }) => [
    step('charge', {
      timeoutMs: 200,
      retry: { firstMs: 1 },
      run: (ctx) => {
        deadlines.push(ctx.deadline - Date.now());
        return deadlines.length === 1 ? late.promise : none();
      },
    }),
  ]);

  const row = await ran(one, await one.begin());
  late.resolve();

  expect(historyOf(row)).toEqual(['charge RETRIED', 'charge DONE']);
  expect(deadlines).toHaveLength(2);
  for (const ms of deadlines) expect(Math.abs(ms - 200)).toBeLessThan(150);
});

test('a wait lasts as long as the input says', async () => {
  const one = build(({ waitFor }) => [waitFor('paid', { withinMs: ({ input }) => input['payWithinMs'] as number })]);
  const ids = [await one.begin({ payWithinMs: 1_000_000 }), await one.begin({ payWithinMs: 3_000_000 })];
  for (const id of ids) expect((await one.run(id)).state).toBe('WAITING');

  ahead += 2_000_000;
  const states = [];
  for (const id of ids) states.push((await one.run(id)).state);

  expect(states).toEqual(['COMPENSATED', 'WAITING']);
});

test('a wait whose time cannot be computed is stuck, and goes on when an admin retries it in a build that can', async () => {
  const waits = (withinMs: () => number) => build(({ waitFor }) => [waitFor('paid', { withinMs })]);
  const broken = waits(() => Number.NaN);
  const id = await broken.begin();

  const row = await ran(broken, id);
  const again = waits(() => 1_000);

  expect(row.state).toBe('STUCK');
  expect((await again.retry(id)).state).toBe('WAITING');
});

// H2
test('a runner that lost its lease writes no progress, wherever it stood and however late it comes', async () => {
  const seed = randomInt(2 ** 31);
  let state = seed;
  const random = (): number => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
  console.info(`seed ${seed}`);
  for (let round = 0; round < 12; round += 1) {
    const names = ['a', 'b', 'c', 'd'];
    const stop = names[Math.floor(random() * names.length)]!;
    const isLocal = random() < 0.5;
    const comesFirst = random() < 0.5;
    const reached = Promise.withResolvers<void>();
    const wake = Promise.withResolvers<void>();
    const taken = Promise.withResolvers<void>();
    const ended = Promise.withResolvers<void>();
    const stepsOf =
      (runner: string, at: (name: string) => Promise<void>) =>
      ({ step }: Builder) =>
        names.map((name) => step(name, { local: isLocal, run: async () => at(name).then(() => runner) }));
    const asleep = build(
      stepsOf('asleep', async (name) => {
        if (name !== stop) return;
        reached.resolve();
        await wake.promise;
      }),
    );
    const heir = build(
      stepsOf('heir', async (name) => {
        if (name !== stop) return;
        taken.resolve();
        if (comesFirst) await ended.promise;
      }),
    );
    const id = await asleep.begin();
    const sleeping = asleep.run(id);
    await reached.promise;

    await abandon(db, id, { 'lease.owner': heir.owner });
    const running = heir.run(id);
    await taken.promise;
    if (!comesFirst) await running;
    wake.resolve();
    await sleeping;
    ended.resolve();
    await running;

    const row = await heir.load(id);
    expect({ round, state: row.state, history: historyOf(row) }).toEqual({
      round,
      state: 'DONE',
      history: names.map((name) => `${name} DONE`),
    });
    const own = names.indexOf(stop);
    expect(row.results).toEqual(Object.fromEntries(names.map((name, index) => [name, index < own ? 'asleep' : 'heir'])));
  }
}, 60_000);

import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { createSagaStore, sagasOf } from './store.ts';
import type { SagaRow } from '../kit/define-saga.ts';
import { subgraph, walk, type Ctx } from '../testing/fixture-subgraph/subgraph.ts';
import { open, viewer, type TestApp } from '../testing/open.ts';

let app: TestApp;
beforeAll(async () => {
  app = await open(subgraph, { viewer: viewer('usr_ann') });
  // Its sweeper would run what these tests lay out.
  await app.runtime().sagas.stop();
});
afterAll(() => app.close());

const db = () => app.runtime().db;
const storeOf = (holder: string) => createSagaStore({ db: db(), holder, now: app.clock.now });

/** A saga that nobody runs: its rows are moved by hand. */
async function started(key: string): Promise<SagaRow> {
  const ctx = app.context() as Ctx;
  const row = await ctx.transaction((tx) => storeOf('ann').start(tx, walk, { key, input: { boardId: key, words: [], waits: false } }));
  const held = { wakeAt: new Date(Date.now() + 3_600_000) };
  await sagasOf(db()).updateOne({ _id: row._id }, { $set: held });
  return row;
}

test('what has ended goes after 30 days, what is open or stuck stays', async () => {
  const ends: Partial<Record<SagaRow['state'], boolean>> = {};
  for (const state of ['RUNNING', 'WAITING', 'DONE', 'COMPENSATED', 'STUCK', 'PARKED'] as const) {
    const row = await storeOf('ann').save(await started(`retention ${state}`), { state });
    ends[state] = row.finishedAt instanceof Date;
  }

  expect(ends).toEqual({ RUNNING: false, WAITING: false, DONE: true, COMPENSATED: true, STUCK: false, PARKED: false });
  const indexes = await sagasOf(db()).indexes();
  expect(indexes.find(({ key }) => 'finishedAt' in key)).toMatchObject({ key: { finishedAt: 1 }, expireAfterSeconds: 30 * 24 * 3_600 });
});

test('finds what is due in each open state, the longest overdue first, and nothing that is held or has ended', async () => {
  const past = (seconds: number) => new Date(Date.now() - seconds * 1_000);
  const put = async (key: string, change: object) => {
    const { _id } = await started(key);
    await sagasOf(db()).updateOne({ _id }, { $set: { 'lease.until': past(1), wakeAt: past(1), ...change } });
    return _id;
  };
  const due = [
    await put('b', { wakeAt: past(5) }),
    await put('a', { wakeAt: past(9) }),
    await put('c', { state: 'COMPENSATING' }),
    await put('d', { state: 'WAITING', waitsUntil: past(1) }),
  ];
  await put('held', { 'lease.until': past(-60) });
  await put('later', { wakeAt: past(-60) });
  await put('waits', { state: 'WAITING', waitsUntil: past(-60) });
  for (const state of ['DONE', 'COMPENSATED', 'STUCK', 'PARKED']) await put(state, { state });

  expect(await storeOf('ann').due(new Map([['walk', [1]]]))).toEqual([due[1], due[0], due[2], due[3]]);
});

test('is run by one at a time: who holds it goes on, others get it when its time has run out, and late writes are refused', async () => {
  const row = await started('one at a time');

  expect(await storeOf('bob').acquire(row._id)).toBeNull();
  const mine = (await storeOf('ann').acquire(row._id))!;
  await sagasOf(db()).updateOne({ _id: row._id }, { $set: { 'lease.until': new Date(0) } });
  const taken = (await storeOf('bob').acquire(row._id))!;

  expect(taken.lease.token).toBe(mine.lease.token + 1);
  await expect(storeOf('ann').save(mine, { attempts: 1 })).rejects.toThrow();
  expect(await storeOf('bob').save(taken, { attempts: 1 })).toMatchObject({ attempts: 1 });
});

import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Connection } from 'mongoose';
import { Problem } from '../base/errors.ts';
import { newId } from '../base/ids.ts';
import { createOutbox } from '../messaging/outbox.ts';
import { connectMongo } from '../store/mongo.ts';
import { abandon, counted, deploySaga, historyOf, openBuild } from '../testing/saga-builds.ts';
import { createSagaIndexes } from './store.ts';
import type { AnyContext } from '../kit/context.ts';

let db: Connection;
beforeAll(async () => {
  db = (await connectMongo(process.env['MONGODB_URI']!)).useDb(`t${newId('run').slice(-12)}`);
  await createSagaIndexes(db);
  await createOutbox(db);
});
afterAll(async () => {
  await db.dropDatabase();
  await db.getClient().close();
});

type Run = () => Promise<unknown>;
const FAST = { firstMs: 1, maxMs: 1 };

/** `reserve`, then `pack` and `label` side by side, then `ship`. Each effect is counted before what it does here. */
function build(runs: { pack?: Run; label?: Run; ship?: Run; unPack?: Run } = {}) {
  const { run, compensate } = counted();
  const saga = deploySaga(1, ({ step, parallel }) => {
    const of = (name: string, then: Run = async () => null, undo: Run = async () => null) =>
      step(name, {
        retry: FAST,
        run: async (ctx: AnyContext, args) => {
          await run(ctx, args);
          return then();
        },
        compensate: async (ctx: AnyContext, args) => {
          await undo();
          await compensate!(ctx, args);
        },
      });
    return [of('reserve'), parallel('prepare', [of('pack', runs.pack, runs.unPack), of('label', runs.label)]), of('ship', runs.ship)];
  });
  return openBuild(db, [saga]);
}

const refuse: Run = () => Promise.reject(new Problem('REFUSED', 'No.'));
/** Fails so often, then passes. */
const failing = (times: number): Run => {
  let left = times;
  return () => ((left -= 1) >= 0 ? Promise.reject(new Error('broken')) : Promise.resolve('at last'));
};
const far = (): number => Date.now() + 20_000;

test('parallel steps run side by side, and the saga goes on when both are done, with the result of each by its name', async () => {
  const packing = Promise.withResolvers<void>();
  const both = build({ pack: () => packing.promise.then(() => 'box'), label: async () => (packing.resolve(), 'sticker') });

  const row = await both.run(await both.begin());

  expect(row).toMatchObject({ state: 'DONE', results: { pack: 'box', label: 'sticker' } });
  expect(row.results).not.toHaveProperty('prepare');
  expect(historyOf(row).slice(-1)).toEqual(['ship DONE']);
});

test('each of them has its own attempts', async () => {
  const both = build({ label: failing(5) });
  const id = await both.begin();

  const row = await both.run(id, far());

  expect(row.state).toBe('DONE');
  expect(await both.effects(id)).toEqual({ reserve: 1, pack: 1, label: 6, ship: 1 });
});

test('when one refuses, the other is settled first, then all that ran or may have run is compensated', async () => {
  const both = build({ pack: refuse, label: failing(3) });
  const id = await both.begin();

  const row = await both.run(id, far());

  expect(row).toMatchObject({ state: 'COMPENSATED', refusal: { code: 'REFUSED', step: 'pack' } });
  expect(await both.effects(id)).toEqual({ reserve: 1, pack: 1, label: 4, 'pack:undo': 1, 'label:undo': 1, 'reserve:undo': 1 });
  expect(row.results).toHaveProperty('label');
});

test('when a later step refuses, all of them are compensated', async () => {
  const both = build({ ship: refuse });
  const id = await both.begin();

  const { state } = await both.run(id);

  const once = { reserve: 1, pack: 1, label: 1, ship: 1, 'ship:undo': 1, 'pack:undo': 1, 'label:undo': 1, 'reserve:undo': 1 };
  expect({ state, effects: await both.effects(id) }).toEqual({ state: 'COMPENSATED', effects: once });
});

test('a compensation that fails is tried again by itself; one that is refused leaves the saga stuck, and an admin goes on with the rest', async () => {
  const passing = build({ ship: refuse, unPack: failing(2) });
  const first = await passing.begin();
  expect((await passing.run(first, far())).state).toBe('COMPENSATED');
  expect(await passing.effects(first)).toMatchObject({ 'pack:undo': 1, 'label:undo': 1 });

  const stuck = build({ ship: refuse, unPack: refuse });
  const id = await stuck.begin();
  expect((await stuck.run(id)).state).toBe('STUCK');
  expect(await stuck.effects(id)).toMatchObject({ 'label:undo': 1 });
  const mended = build({ ship: refuse });

  const { state } = await mended.retry(id);

  expect(state).toBe('COMPENSATED');
  expect(await mended.effects(id)).toMatchObject({ 'pack:undo': 1, 'label:undo': 1, 'reserve:undo': 1 });
});

test('one that was done when its process ended is not repeated by the next one', async () => {
  const reached = Promise.withResolvers<void>();
  const before = build({ pack: () => reached.promise.then(() => Promise.reject(new Error('the process ends'))) });
  const id = await before.begin();
  const running = before.run(id);
  const labelled = async (): Promise<boolean> => 'label' in (await before.load(id)).results;
  while (!(await labelled()));
  const stopping = before.stop();
  reached.resolve();
  await Promise.all([running, stopping]);
  await abandon(db, id, { wakeAt: new Date(0) });

  const after = build();
  const { state } = await after.run(id);

  expect({ state, effects: await after.effects(id) }).toEqual({ state: 'DONE', effects: { reserve: 1, pack: 2, label: 1, ship: 1 } });
});

test('a saga that another runner took writes nothing more, though both of its parallel steps end', async () => {
  const reached = Promise.withResolvers<void>();
  const go = Promise.withResolvers<void>();
  const asleep = build({ pack: () => (reached.resolve(), go.promise), label: () => go.promise });
  const id = await asleep.begin();
  const sleeping = asleep.run(id);
  await reached.promise;
  const heir = build();
  await abandon(db, id, { 'lease.owner': heir.owner });

  const { state, history } = await heir.run(id);
  go.resolve();
  await sleeping;

  const row = await heir.load(id);
  expect({ state, history }).toEqual({ state: 'DONE', history: row.history });
});

import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Connection } from 'mongoose';
import { newId } from '../base/ids.ts';
import type { SagaRow } from '../kit/define-saga.ts';
import { createOutbox, outboxOf } from '../messaging/outbox.ts';
import { connectMongo } from '../store/mongo.ts';
import { abandon, openBuild, type Definition } from '../testing/saga-builds.ts';
import { CHANGES, deployed, type Meet } from '../testing/saga-deploy.ts';
import { createSagaIndexes, sagasOf } from './store.ts';

const PROGRAM = fileURLToPath(new URL('../testing/saga-process.ts', import.meta.url));
const name = `t${newId('run').slice(-12)}`;
let db: Connection;
beforeAll(async () => {
  db = (await connectMongo(process.env['MONGODB_URI']!)).useDb(name);
  await createSagaIndexes(db);
  await createOutbox(db);
});
/** No process of an earlier test is at work any more. */
afterEach(() => db.collection('sagaDefinitions').deleteMany({}));
afterAll(async () => {
  await db.dropDatabase();
  await db.getClient().close();
});

const FORWARD = ['reserve', 'charge', 'pack', 'label', 'ship'];
const once_ = (names: string[]): Record<string, number> => Object.fromEntries(names.map((each) => [each, 1]));
const DONE = once_(FORWARD);
/** `ship` refuses, so its own effect never is. */
const UNDONE = once_(['reserve', 'charge', 'pack', 'label', ...FORWARD.map((each) => `${each}:undo`)]);
const halted = (ids: string[]): Promise<number> => outboxOf(db).countDocuments({ type: 'Saga.Halted', 'data.sagaId': { $in: ids } });
const refusing = { refuses: 'ship' };
const builds = (version: number, change?: string): Definition =>
  deployed(version, undefined, change === undefined ? undefined : CHANGES[change]);

/** A saga of version 1 that stands where its build meets `place`, when that build ends. */
async function leftAt(place: string): Promise<string> {
  const stop: Meet = (met) => {
    if (met !== place) return;
    void before.stop();
    throw new Error('the build ends');
  };
  const before = openBuild(db, [deployed(1, stop)]);
  const id = await before.begin(place.startsWith('un-') ? refusing : {});
  if (place !== 'paid') await before.arrive(id, 'paid');
  await before.run(id);
  await before.stop();
  await abandon(db, id, { wakeAt: new Date(0) });
  if (place === 'paid') await before.arrive(id, 'paid');
  return id;
}

const forward = ['reserve', 'charge', 'paid', 'pack', 'label', 'ship'];
const places = [...forward, ...['ship', 'pack', 'label', 'charge', 'reserve'].map((each) => `un-${each}`)];
const endOf = (place: string) => (place.includes('un') ? { state: 'COMPENSATED', effects: UNDONE } : { state: 'DONE', effects: DONE });
const ends = Object.fromEntries(places.map((place) => [place, endOf(place)]));

/** One saga at each place, by its place. */
const leftEverywhere = async () => new Map(await Promise.all(places.map(async (place) => [place, await leftAt(place)] as const)));

/** What became of each saga, by its place. */
async function look<T>(ids: Map<string, string>, of: (row: SagaRow, effects: Record<string, number>) => T): Promise<Record<string, T>> {
  const build = openBuild(db, []);
  const seen = [...ids].map(async ([place, id]) => [place, of(await build.load(id), await build.effects(id))] as const);
  return Object.fromEntries(await Promise.all(seen));
}

describe.each(Object.keys(CHANGES))('a saga that stands at any step when the next version %s', (change) => {
  test('ends by its own version, each step once, where that is still listed', async () => {
    const ids = await leftEverywhere();

    await openBuild(db, [builds(2, change), builds(1)]).sweep();

    expect(await look(ids, ({ state }, effects) => ({ state, effects }))).toEqual(ends);
    expect(await halted([...ids.values()])).toBe(0);
  });

  test('is parked and told once where it is not, and ends, each step once, when a build lists it again', async () => {
    const ids = await leftEverywhere();
    const before = await look(ids, (_row, effects) => effects);
    const without = openBuild(db, [builds(2, change)]);

    await without.sweep();
    await without.review();
    await without.review();

    expect(await look(ids, ({ state }, effects) => ({ state, effects }))).toEqual(
      Object.fromEntries(places.map((place) => [place, { state: 'PARKED', effects: before[place] }])),
    );
    expect(without.errors).toHaveLength(places.length);
    expect(without.errors[0]).toMatchObject({ version: 1, reason: 'UNKNOWN_STEP' });

    const again = openBuild(db, [builds(2, change), builds(1)]);
    await again.review();
    await again.sweep();

    expect(await look(ids, ({ state }, effects) => ({ state, effects }))).toEqual(ends);
    expect(await halted([...ids.values()])).toBe(places.length);
  });

  test('is parked where the version stayed the same against the rule, so that no step is repeated or left out', async () => {
    const ids = await leftEverywhere();
    const before = await look(ids, (_row, effects) => effects);

    await openBuild(db, [builds(1, change)]).sweep();

    expect(await look(ids, ({ state }, effects) => ({ state, effects }))).toEqual(
      Object.fromEntries(places.map((place) => [place, { state: 'PARKED', effects: before[place] }])),
    );
  });
});

describe('killed in the old build', () => {
  /** Runs a saga in a process of the first build that dies at a place. */
  async function killedAt(place: string): Promise<string> {
    const key = newId('key');
    const input = JSON.stringify(place.includes('undo') ? refusing : {});
    const env = { ...process.env, SAGA_DB: name, SAGA_KEY: key, SAGA_INPUT: input, CRASH_AT: `deploy.${place}` };
    const child = spawn(process.execPath, [PROGRAM], { env, stdio: ['ignore', 'ignore', 'inherit'] });
    const [, signal] = (await once(child, 'exit')) as [number | null, string | null];
    expect(signal).toBe('SIGKILL');
    return (await sagasOf(db).findOne({ key }))!._id;
  }

  /** Effects that may be had twice under one key: their progress was lost, or their process died beside them. */
  function mayRepeat(place: string): string[] {
    const step = place.split(':')[0]!;
    const lost = place.endsWith('after') && step !== 'charge' ? [place.includes('undo') ? `${step}:undo` : step] : [];
    const beside = { pack: 'label', label: 'pack' }[step];
    return beside ? [...lost, beside, `${beside}:undo`] : lost;
  }

  test('at any place, a saga ends by its version in a later build, each effect under one key and the local step once', async () => {
    const kills = FORWARD.flatMap((step) => ['before', 'after', 'undo-before', 'undo-after'].map((side) => `${step}:${side}`));
    const left = [...kills];
    const ids = new Map<string, string>();
    const lane = async (): Promise<void> => {
      for (let place = left.shift(); place; place = left.shift()) ids.set(place, await killedAt(place));
    };
    await Promise.all([lane(), lane(), lane()]);
    const without = openBuild(db, [builds(2, 'renames a step')]);
    // Frees what dead processes hold.
    await without.startSweeper();
    await without.stop();
    const next = openBuild(db, [builds(2, 'renames a step')]);
    await next.review();
    const parked = await look(ids, ({ state }) => state);
    const after = openBuild(db, [builds(2, 'renames a step'), builds(1)]);
    await after.review();
    await after.sweep();

    expect(new Set(Object.values(parked))).toEqual(new Set(['PARKED']));
    const outcome = await look(ids, ({ state }, effects) => ({ state, effects }));
    for (const [place, { state, effects }] of Object.entries(outcome)) {
      for (const effect of mayRepeat(place)) if (effects[effect] === 2) effects[effect] = 1;
      expect({ place, state, effects }).toEqual({ place, ...endOf(place) });
    }
  }, 120_000);
});

describe('while an old and a new process run side by side', () => {
  test('a saga is left to the process that knows it, and parked when that one has been silent for a minute', async () => {
    const id = await leftAt('paid');
    const old = openBuild(db, [builds(1)]);
    const next = openBuild(db, [builds(2, 'removes a step')]);
    await old.startSweeper();
    await old.stop();

    await next.review();
    expect((await next.run(id)).state).toBe('RUNNING');
    await db.collection('sagaDefinitions').updateMany({ version: 1 }, { $set: { seenAt: new Date(Date.now() - 61_000) } });
    await next.review();

    expect((await next.load(id)).state).toBe('PARKED');
    expect(await halted([id])).toBe(1);
  });

  test('a saga that waits is parked too when nobody knows it any more, and takes its signal along', async () => {
    const old = openBuild(db, [builds(1)]);
    const id = await old.begin();
    expect((await old.run(id)).state).toBe('WAITING');
    await abandon(db, id);
    const next = openBuild(db, [builds(2, 'removes a step')]);

    await next.review();
    const { state } = await next.load(id);
    await next.arrive(id, 'paid');
    const again = openBuild(db, [builds(1)]);
    await again.review();
    await again.sweep();

    expect(state).toBe('PARKED');
    expect(await again.effects(id)).toEqual(DONE);
  });

  test('a row of a build that knew no versions is of version 1', async () => {
    const id = await leftAt('charge');
    await sagasOf(db).updateOne({ _id: id }, { $unset: { version: 1, fingerprint: 1, branches: 1, tryingSince: 1 } });
    const after = openBuild(db, [builds(2, 'removes a step'), builds(1)]);

    await after.sweep();

    const { state } = await after.load(id);
    expect({ state, effects: await after.effects(id) }).toEqual(endOf('charge'));
  });

  test('one that does not fit the steps of version 1 is parked', async () => {
    const id = await leftAt('charge');
    await sagasOf(db).updateOne({ _id: id }, { $unset: { version: 1, fingerprint: 1 } });

    expect((await openBuild(db, [builds(1, 'inserts a step before the others')]).run(id)).state).toBe('PARKED');
  });
});

describe('an admin', () => {
  const parkedAt = async (place: string): Promise<string> => {
    const id = await leftAt(place);
    expect((await openBuild(db, [builds(2)]).run(id)).state).toBe('PARKED');
    return id;
  };

  test('retries a parked saga in a build that knows it, at once', async () => {
    const id = await parkedAt('ship');

    const { state } = await openBuild(db, [builds(1)]).retry(id);

    expect(state).toBe('DONE');
  });

  test.each(['in a build that knows it', 'in one that does not: it turns back as soon as it is known'])(
    'turns a parked saga back %s',
    async (where) => {
      const id = await parkedAt('ship');
      const knows = openBuild(db, [builds(1)]);
      const asked = where.includes('not') ? openBuild(db, [builds(2)]) : knows;

      const { state } = await asked.compensate(id, 'asked for');
      await knows.review();
      await knows.sweep();

      const row: SagaRow = await knows.load(id);
      expect(state).toBe(asked === knows ? 'COMPENSATED' : 'PARKED');
      expect(row).toMatchObject({ state: 'COMPENSATED', refusal: { code: 'COMPENSATED_BY_ADMIN', step: 'ship' } });
      const undone = once_([...FORWARD.map((each) => `${each}:undo`), 'reserve', 'charge', 'pack', 'label']);
      expect(await knows.effects(id)).toEqual(undone);
    },
  );

  test('turns a saga back whose step is under way in another process, once that step is settled', async () => {
    const reached = Promise.withResolvers<void>();
    const go = Promise.withResolvers<void>();
    const held = deployed(1, undefined, ([first, ...rest]) => [
      { ...first!, run: async () => (reached.resolve(), go.promise) } as typeof first & object,
      ...rest,
    ]);
    const runner = openBuild(db, [held]);
    const id = await runner.begin();
    const running = runner.run(id);
    await reached.promise;

    await openBuild(db, [builds(1)]).compensate(id, 'asked for');
    go.resolve();

    expect(await running).toMatchObject({ state: 'COMPENSATED', refusal: { code: 'COMPENSATED_BY_ADMIN' } });
    expect(await runner.effects(id)).toEqual({ 'charge:undo': 1, 'reserve:undo': 1 });
  });
});

test('says how many sagas do not go on by themselves', async () => {
  const before = await openBuild(db, []).halted();
  const id = await leftAt('ship');
  await openBuild(db, [builds(2)]).run(id);

  expect(await openBuild(db, []).halted()).toEqual({ ...before, PARKED: before.PARKED + 1 });
});

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { randomInt } from 'node:crypto';
import type { Logger } from 'pino';
import { z } from 'zod';
import type { AnyContext } from './context.ts';
import { Problem } from '../base/errors.ts';
import { newId } from '../base/ids.ts';
import { newHolderId } from '../store/lease-holder.ts';
import { createSagaRunner } from '../sagas/runner.ts';
import { sagasOf } from '../sagas/store.ts';
import { defineSaga, type Saga, type SagaRow } from './define-saga.ts';
import { subgraph } from '../testing/fixture-subgraph/subgraph.ts';
import { open, type TestApp } from '../testing/open.ts';

type Parts = Parameters<Parameters<typeof defineSaga<AnyContext, Record<string, never>, Record<string, unknown>>>[2]>[0];
type Build = (parts: Parts) => Saga<Record<string, never>, Record<string, unknown>>['steps'];

let app: TestApp;
beforeAll(async () => {
  app = await open(subgraph);
});
afterAll(() => app.close());

/** One build of the program, in a process of its own as far as the store can tell. */
function build(steps: Build) {
  const holder = newHolderId();
  const saga = defineSaga<AnyContext, Record<string, never>, Record<string, unknown>>('deploy', z.object({}).strict(), steps);
  const errors: Record<string, unknown>[] = [];
  const log = { error: (facts: Record<string, unknown>) => errors.push(facts), warn: () => undefined } as unknown as Logger;
  const { db } = app.runtime();
  const runner = createSagaRunner({ db, sagas: [saga], holder, log, now: app.clock.now, contextFor: () => app.context() });
  return {
    owner: holder,
    errors,
    ...runner,
    begin: (key: string = newId('key')) => app.context().transaction((tx) => runner.start(tx, saga, { key, input: {} })),
    arrive: async (id: string, signal: string) => runner.signal(saga, (await runner.load(id)).key, signal, {}),
  };
}

/** As its lease looks once its runner has been silent for too long. */
const abandon = (id: string, change: object = {}): Promise<unknown> =>
  sagasOf(app.runtime().db).updateOne({ _id: id }, { $set: { 'lease.until': new Date(0), ...change } });

const historyOf = ({ history }: SagaRow): string[] => history.map(({ step, outcome }) => `${step} ${outcome}`);

describe('a saga in flight when a new build comes', () => {
  const done: string[] = [];
  const noted = (name: string, fault?: Error) => ({
    run: async () => {
      done.push(name);
      if (fault) throw fault;
    },
    compensate: async () => void done.push(`un-${name}`),
  });
  const old: Build = ({ step, waitFor }) => [
    step('charge', noted('charge')),
    waitFor('paid', { withinMs: 60_000 }),
    step('ship', noted('ship')),
  ];

  /** At its wait, begun by the old build. */
  async function waiting(): Promise<string> {
    done.length = 0;
    const before = build(old);
    const id = await before.begin();
    expect((await before.run(id)).state).toBe('WAITING');
    await before.stop();
    await abandon(id);
    return id;
  }

  // B6
  test('survives a step that is added before the place where it stands', async () => {
    const id = await waiting();
    const after = build((parts) => [parts.step('assessRisk', noted('assessRisk')), ...old(parts)]);

    await after.arrive(id, 'paid');
    const { state } = await after.run(id);

    expect({ done, state }).toEqual({ done: ['charge', 'ship'], state: 'DONE' });
  });

  test('undoes what it did, and nothing that was added and never done', async () => {
    const id = await waiting();
    const after = build(({ step, waitFor }) => [
      step('assessRisk', noted('assessRisk')),
      step('charge', noted('charge')),
      step('insure', noted('insure')),
      waitFor('paid', { withinMs: 60_000 }),
      step('ship', noted('ship', new Problem('NO_SHIP', 'There is no ship.'))),
    ]);

    await after.arrive(id, 'paid');
    const { state } = await after.run(id);

    expect({ done, state }).toEqual({ done: ['charge', 'ship', 'un-ship', 'un-charge'], state: 'COMPENSATED' });
  });

  test('goes on although its row is of before and has an index only', async () => {
    const id = await waiting();
    await sagasOf(app.runtime().db).updateOne({ _id: id }, { $unset: { step: 1 } });
    const after = build(old);

    await after.arrive(id, 'paid');
    const { state } = await after.run(id);

    expect({ done, state }).toEqual({ done: ['charge', 'ship'], state: 'DONE' });
  });

  test('does nothing twice when a build that knows indexes only moved it on meanwhile', async () => {
    const id = await waiting();
    await sagasOf(app.runtime().db).updateOne({ _id: id }, { $set: { at: 2, 'results.paid': {}, state: 'RUNNING', waitsUntil: null } });

    const { state } = await build(old).run(id);

    expect({ done, state }).toEqual({ done: ['charge', 'ship'], state: 'DONE' });
  });

  const same = (row: SagaRow): SagaRow => row;
  test.each<[string, Build, (row: SagaRow) => SagaRow]>([
    ['its step is not there any more', ({ step }) => [step('charge', noted('charge')), step('ship', noted('ship'))], same],
    [
      'its index means another step now',
      (parts) => [parts.step('assessRisk', noted('assessRisk')), ...old(parts)],
      ({ step: _step, ...row }) => row,
    ],
    ['what it did cannot be undone any more', (parts) => old(parts).slice(1), (row) => ({ ...row, state: 'COMPENSATING' })],
  ])('is stuck, told once and run no more when %s', async (_case, steps, changed) => {
    const id = await waiting();
    const rows = sagasOf(app.runtime().db);
    // One try before the last: other processes of the same deploy were given time to know better.
    await rows.replaceOne({ _id: id }, { ...changed((await rows.findOne({ _id: id }))!), attempts: 7 });
    const after = build(steps);

    await after.arrive(id, 'paid');
    const row = await after.run(id);
    await after.run(id);
    await after.sweep();

    expect(row).toMatchObject({ state: 'STUCK', refusal: null });
    expect(historyOf(row).slice(-1)).toEqual([expect.stringMatching(/REFUSED$/)]);
    expect(row.history.at(-1)!.message).toBe('UNKNOWN_STEP');
    expect(after.errors).toEqual([expect.objectContaining({ saga: id, reason: 'UNKNOWN_STEP' })]);
    expect(done).toEqual(['charge']);
  });

  test('is left to a process that knows its step for a while', async () => {
    const id = await waiting();
    const behind = build(({ step }) => [step('charge', noted('charge'))]);
    await behind.arrive(id, 'paid');

    const row = await behind.run(id, Date.now() + 50);
    await abandon(id);
    const { state } = await build(old).run(id);

    expect(row.state).toBe('RUNNING');
    expect({ done, state }).toEqual({ done: ['charge', 'ship'], state: 'DONE' });
  });

  test('goes on where it stood when an admin tries it again in a build that knows its step', async () => {
    const id = await waiting();
    await sagasOf(app.runtime().db).updateOne({ _id: id }, { $set: { attempts: 7 } });
    const broken = build(({ step }) => [step('charge', noted('charge'))]);
    await broken.arrive(id, 'paid');
    expect((await broken.run(id)).state).toBe('STUCK');

    const { state } = await build(old).retry(id);

    expect({ done, state }).toEqual({ done: ['charge', 'ship'], state: 'DONE' });
  });
});

// B7
test('a saga that cannot be undone is told once as an error, with its id', async () => {
  const fault = () => Promise.reject(new Problem('NOT_BACK', 'It cannot be given back.'));
  const only = build(({ step }) => [step('charge', { run: async () => null, compensate: fault }), step('ship', { run: fault })]);
  const id = await only.begin();

  const row = await only.run(id);
  await only.run(id);
  await only.sweep();

  expect(row.state).toBe('STUCK');
  expect(only.errors).toEqual([expect.objectContaining({ saga: id, step: 'charge', reason: 'NOT_BACK' })]);
});

test('a saga with two steps of one name is refused', () => {
  const twice: Build = ({ step }) => [step('charge', { run: async () => null }), step('charge', { run: async () => null })];

  expect(() => build(twice)).toThrow('two steps of one name');
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
      (runner: string, at: (name: string) => Promise<void>): Build =>
      ({ step }) =>
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

    await abandon(id, { 'lease.owner': heir.owner });
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

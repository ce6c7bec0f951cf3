import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Command } from '../kit/define-command.ts';
import { deadLettersOf } from '../messaging/consumer.ts';
import { inboxOf } from '../messaging/event-effects.ts';
import { Problem } from '../base/errors.ts';
import { idempotencyOf } from '../kit/idempotency.ts';
import type { Viewer } from '../base/identity.ts';
import { newId } from '../base/ids.ts';
import { outboxOf } from '../messaging/outbox.ts';
import { createOrphanedSessions } from '../store/orphaned-sessions.ts';
import { newHolderId } from '../store/lease-holder.ts';
import { KIT_RETENTION } from '../store/retention.ts';
import { createSagaStore } from '../sagas/store.ts';
import { addToTrail, subgraph, titleOf, walk, type Ctx } from '../testing/fixture-subgraph/subgraph.ts';
import { open, viewer, type TestApp } from '../testing/open.ts';

const CREATE = `mutation ($input: CreateBoardInput!) { createBoard(input: $input) { board { id title count } userErrors { code message path } } }`;

const ann = viewer('usr_ann');
let app: TestApp;
beforeAll(async () => {
  app = await open(subgraph, { viewer: ann });
});
afterAll(() => app.close());

const create = async (title: string, rest: object = {}) => (await app.ask(CREATE, { input: { title, ...rest } })).data.createBoard;
/** The name of a holder whose process has ended. */
const ofDeadProcess = (): string => newHolderId().replace(`/${process.pid}/`, `/${spawnSync(process.execPath, ['-e', '']).pid}/`);
const ctx = () => app.context() as Ctx;
const trailOf = async (id: string) => (await ctx().models.Board.findById(id).lean())!.trail;

test('each collection of the kit says how long its rows live, and the store removes them by the index it names', async () => {
  const { db, models } = app.runtime();
  await create('seen');
  const names = (await db.listCollections()).map(({ name }) => name);
  const own = names.filter((name) => !models.some(({ collection }) => collection.name === name));

  expect(own.filter((name) => !(name in KIT_RETENTION))).toEqual([]);
  for (const [name, retention] of Object.entries(KIT_RETENTION)) {
    if (!('after' in retention)) continue;
    const { after, seconds } = retention;
    const indexes = await db.collection(name).indexes();
    expect(indexes.filter(({ expireAfterSeconds }) => expireAfterSeconds !== undefined)).toMatchObject([
      { key: { [after]: 1 }, expireAfterSeconds: seconds },
    ]);
  }
});

describe('a mutation', () => {
  test('answers its entity, and its event takes effect once', async () => {
    const { board } = await create('first');

    await app.settled();

    expect(board).toMatchObject({ title: 'first', count: 0 });
    const { data } = await app.ask('query ($id: ID!) { board(id: $id) { count } }', { id: board.id });
    expect(data.board.count).toBe(1);
  });

  test.each([
    ['an empty text', { title: '' }, 'INVALID', ['input', 'title']],
    ['10,000 characters', { title: 'x'.repeat(10_000) }, 'INVALID', ['input', 'title']],
    ['a NUL', { title: 'a\u0000b' }, 'INVALID', ['input', 'title']],
    ['what the domain refuses', { title: 'full' }, 'BOARDS_FULL', ['input', 'title']],
    ['a short idempotency key', { title: 'ok', idempotencyKey: 'x' }, 'INVALID', ['input', 'idempotencyKey']],
  ])('refuses %s with code and path', async (_case, input, code, path) => {
    const { data } = await app.ask(CREATE, { input });

    expect(data.createBoard).toEqual({ board: null, userErrors: [{ code, path, message: expect.any(String) }] });
  });

  test('says nothing of what broke', async () => {
    const { errors } = await app.ask(CREATE, { input: { title: 'broken' } });

    expect(errors![0]!.extensions['code']).toBe('INTERNAL_SERVER_ERROR');
    expect(JSON.stringify(errors)).not.toMatch(/secret|TypeError|10\.0/);
  });

  test('is closed to nobody in particular', async () => {
    const { errors } = await app.ask(CREATE, { input: { title: 'x' } }, { as: null });

    expect(errors![0]!.extensions['code']).toBe('UNAUTHENTICATED');
  });

  test('leaves no event behind when it is refused', async () => {
    const before = await outboxOf(app.runtime().db).countDocuments();

    await create('full');

    expect(await outboxOf(app.runtime().db).countDocuments()).toBe(before);
  });
});

test('a transaction that a killed process left open is ended by the next one, those of the living are not', async () => {
  const { db } = app.runtime();
  const boards = db.collection<{ _id: string }>('boards');
  const begin = async (title: string, owner: string) => {
    const { board } = await create(title);
    const session = await db.startSession();
    session.startTransaction();
    await createOrphanedSessions(db, owner).record(session);
    await boards.updateOne({ _id: board.id }, { $set: { title: 'half done' } }, { session });
    return { id: board.id as string, session };
  };
  const dead = await begin('held by the dead', ofDeadProcess());
  const living = await begin('held by the living', newHolderId());

  await createOrphanedSessions(db, newHolderId()).killOrphaned();

  expect((await boards.updateOne({ _id: dead.id }, { $set: { title: 'free' } })).modifiedCount).toBe(1);
  await expect(dead.session.commitTransaction()).rejects.toThrow();
  await living.session.commitTransaction();
  expect(await boards.findOne({ _id: living.id })).toMatchObject({ title: 'half done' });
  await Promise.all([dead, living].map(({ session }) => session.endSession()));
});

describe('an idempotency key', () => {
  test('makes one board of 20 requests at once, and replays its answer afterwards', async () => {
    const requests = Array.from({ length: 20 }, () => create('once', { idempotencyKey: 'key-of-once' }));

    const answers = await Promise.all(requests);

    const made = answers.filter(({ board }) => board);
    expect(new Set(made.map(({ board }) => board.id)).size).toBe(1);
    for (const { userErrors } of answers.filter(({ board }) => !board)) expect(userErrors[0].code).toBe('IDEMPOTENCY_IN_FLIGHT');
    expect(await ctx().models.Board.countDocuments({ title: 'once' })).toBe(1);
    expect((await create('once', { idempotencyKey: 'key-of-once' })).board).toEqual(made[0]!.board);
  });

  test('is refused with other input', async () => {
    await create('mine', { idempotencyKey: 'key-of-mine' });

    const { userErrors } = await create('other', { idempotencyKey: 'key-of-mine' });

    expect(userErrors[0]).toMatchObject({ code: 'IDEMPOTENCY_KEY_REUSED', path: ['input', 'idempotencyKey'] });
  });

  test('is free again after a refusal, which changed nothing and may not hold any more', async () => {
    expect((await create('full', { idempotencyKey: 'key-of-full' })).userErrors[0].code).toBe('BOARDS_FULL');

    expect((await create('room', { idempotencyKey: 'key-of-full' })).board.title).toBe('room');
    expect((await create('full', { idempotencyKey: 'key-of-full' })).userErrors[0].code).toBe('IDEMPOTENCY_KEY_REUSED');
  });

  test('keeps its answer where nobody can read it', async () => {
    const { board } = await create('a secret of the answer', { idempotencyKey: 'key-of-secret' });

    const rows = await idempotencyOf(app.runtime().db).find().toArray();
    expect(JSON.stringify(rows)).not.toContain('a secret of the answer');
    expect((await create('a secret of the answer', { idempotencyKey: 'key-of-secret' })).board).toEqual(board);
  });

  test('belongs to its caller', async () => {
    await create('shared', { idempotencyKey: 'key-of-both' });

    const { data } = await app.ask(CREATE, { input: { title: 'bobs', idempotencyKey: 'key-of-both' } }, { as: viewer('usr_bob') });

    expect(data.createBoard.board.title).toBe('bobs');
  });

  test('is free again when its runner died', async () => {
    await create('dead', { idempotencyKey: 'key-of-dead' });
    const rows = idempotencyOf(app.runtime().db);
    const row = (await rows.find().sort({ at: -1 }).limit(1).toArray())[0]!;
    await rows.updateOne({ _id: row._id }, { $set: { state: 'IN_FLIGHT', lockedUntil: new Date(0) }, $unset: { answer: 1 } });

    expect((await create('dead', { idempotencyKey: 'key-of-dead' })).board.title).toBe('dead');
  });

  test('is free at once when its runner died on this machine', async () => {
    await create('killed', { idempotencyKey: 'key-of-killed' });
    const rows = idempotencyOf(app.runtime().db);
    const row = (await rows.find().sort({ at: -1 }).limit(1).toArray())[0]!;
    const later = new Date(Date.now() + 40_000);
    await rows.updateOne(
      { _id: row._id },
      { $set: { state: 'IN_FLIGHT', lockedUntil: later, owner: ofDeadProcess() }, $unset: { answer: 1 } },
    );

    expect((await create('killed', { idempotencyKey: 'key-of-killed' })).board.title).toBe('killed');
  });
});

describe('an event', () => {
  test('that is delivered again has no second effect', async () => {
    const { board } = await create('again');
    await app.settled();
    const [envelope] = (await app.said('Board.Created')).slice(-1);

    const [consumer] = app.runtime().consumers;
    await Promise.all([1, 2, 3].map(() => consumer!.deliver({ envelope: envelope!, from: 'boards' }, 1)));

    expect((await ctx().models.Board.findById(board.id).lean())!.count).toBe(1);
  });

  test('whose action may be repeated runs each time it is delivered, and is not remembered', async () => {
    const { board } = await create('before');
    await app.settled();
    const remembered = await inboxOf(app.runtime().db).countDocuments();
    const envelope = { id: 'evt_renamed', type: 'Board.Renamed', version: 1, occurredAt: new Date().toISOString(), correlationId: 'c' };

    const [consumer] = app.runtime().consumers;
    for (const title of ['once', 'again'])
      await consumer!.deliver({ envelope: { ...envelope, data: { boardId: board.id, title } }, from: 'boards' }, 1);

    expect((await ctx().models.Board.findById(board.id).lean())!.title).toBe('again');
    expect(await inboxOf(app.runtime().db).countDocuments()).toBe(remembered);
  });

  test('that is refused is kept as a dead letter, listed for admins, and can be tried again', async () => {
    await create('poison');
    await app.settled();

    const admin = { as: viewer('usr_root', ['admin']) };
    const listed = await app.ask('{ deadLetters(subgraph: "boards") { id code type queue attempts } }', {}, admin);
    expect(listed.data.deadLetters).toEqual([
      expect.objectContaining({ code: 'POISON', type: 'Board.Created', queue: 'boards', attempts: 1 }),
    ]);
    const stranger = await app.ask('{ deadLetters(subgraph: "boards") { id } }');
    expect(stranger.errors![0]!.extensions['code']).toBe('FORBIDDEN');
    const letters = deadLettersOf(app.runtime().db);
    await letters.updateMany({}, { $set: { 'envelope.data.title': 'cured' } });
    const retried = await app.ask(
      'mutation ($input: RetryDeadLetterInput!) { retryDeadLetter(input: $input) { id userErrors { code } } }',
      { input: { subgraph: 'boards', id: listed.data.deadLetters[0].id } },
      admin,
    );
    expect(retried.data.retryDeadLetter).toEqual({ id: listed.data.deadLetters[0].id, userErrors: [] });
    expect(await letters.countDocuments()).toBe(0);
  });

  test('takes effect although Redis is wiped again and again', async () => {
    const ids: string[] = [];
    for (let round = 0; round < 12; round += 1) {
      ids.push((await create(`wiped ${round}`)).board.id);
      if (round % 2 === 0) await app.wipeRedis();
    }

    await app.settled();

    const counts = await ctx()
      .models.Board.find({ _id: { $in: ids } }, { count: 1 })
      .lean();
    expect(counts.map(({ count }) => count)).toEqual(ids.map(() => 1));
  });

  test('keeps its place in a live topic when Redis is wiped', async () => {
    const SUBSCRIBE = 'subscription ($after: Cursor) { boardCreated(after: $after) { cursor title } }';
    const before = await app.subscribe(SUBSCRIBE);
    await create('before the wipe');
    const { cursor } = (await before.next()).value.data.boardCreated;
    await before.return!();
    await create('missed');
    await app.settled();

    await app.wipeRedis();
    await app.settled();

    const after = await app.subscribe(SUBSCRIBE, { after: cursor });
    expect((await after.next()).value.data.boardCreated.title).toBe('missed');
    await after.return!();
  });

  test('that is said right after Redis was wiped comes behind what was there before', async () => {
    const SUBSCRIBE = 'subscription ($after: Cursor) { boardCreated(after: $after) { cursor title } }';
    const before = await app.subscribe(SUBSCRIBE);
    await create('seen');
    const { cursor } = (await before.next()).value.data.boardCreated;
    await before.return!();
    for (const title of ['one', 'two', 'three']) await create(title);
    await app.settled();

    for (let round = 0; round < 3; round += 1) {
      await app.wipeRedis();
      await create(`after wipe ${round}`);
    }
    await app.settled();

    const after = await app.subscribe(SUBSCRIBE, { after: cursor });
    const titles: string[] = [];
    while (titles.length < 6) titles.push((await after.next()).value.data.boardCreated.title);
    expect(titles).toEqual(['one', 'two', 'three', 'after wipe 0', 'after wipe 1', 'after wipe 2']);
    await after.return!();
  });
});

describe('a command', () => {
  test('takes effect once for each key', async () => {
    const { board } = await create('trail');

    const answers = [];
    for (let i = 0; i < 3; i += 1)
      answers.push(await app.call(addToTrail, { boardId: board.id, word: 'a' }, { idempotencyKey: 'trail-key-1' }));

    expect(answers).toEqual([{ length: 1 }, { length: 1 }, { length: 1 }]);
    expect(await trailOf(board.id)).toEqual(['a']);
  });

  test('refuses what does not fit its contract', async () => {
    await expect(app.call(addToTrail, { boardId: 7 } as never)).rejects.toMatchObject({ code: 'INVALID' });
  });

  const asked = (command: Command, input: object, deadline = Date.now() + 10_000) =>
    app.runtime().call({
      command: command.name,
      input,
      identity: { issuer: 'test', viewer: null },
      correlationId: newId('test'),
      deadline,
      idempotencyKey: newId('key'),
    });

  test.each(['listDeadLetters', 'retryDeadLetter', 'listSagas', 'findSaga', 'retrySaga', 'compensateSaga'])(
    'about the machinery, %s, is refused to all but admins',
    async (operation) => {
      const input = operation.startsWith('list') ? { limit: 1 } : { id: 'saga_1', reason: 'because' };
      const as = (who: Viewer | null) =>
        app.runtime().call({
          command: `boards.operations-${operation}`,
          input,
          identity: { issuer: 'test', viewer: who },
          correlationId: newId('test'),
          deadline: Date.now() + 10_000,
        });

      for (const who of [null, ann, viewer('usr_editor', ['editor'])]) await expect(as(who)).rejects.toMatchObject({ code: 'FORBIDDEN' });
      const reached = await as(viewer('usr_root', ['admin'])).catch((error: Problem) => error.code);
      expect(reached).not.toBe('FORBIDDEN');
    },
  );

  test('that comes after its deadline is refused, and does nothing', async () => {
    const { board } = await create('late');

    const late = asked(addToTrail as Command, { boardId: board.id, word: 'late' }, Date.now() - 1);

    await expect(late).rejects.toMatchObject({ code: 'TIMEOUT', retryable: true });
    expect(await trailOf(board.id)).toEqual([]);
  });

  test('answers nothing that does not fit its contract', async () => {
    const { board } = await create('fits');
    await ctx().models.Board.updateOne({ _id: board.id }, { $set: { title: 'x'.repeat(51) } });

    await expect(asked(titleOf as Command, { boardId: board.id })).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });

  test('has no part in the transaction of its caller', async () => {
    const { board } = await create('committed');
    const seen: unknown[] = [];

    const caller = ctx().transaction(async (tx) => {
      await tx.models.Board.updateOne({ _id: board.id }, { $set: { count: 7, title: 'not committed' } });
      seen.push(await tx.call(titleOf, { boardId: board.id }));
      throw new Problem('CHANGED_MIND', 'Not today.');
    });

    await expect(caller).rejects.toMatchObject({ code: 'CHANGED_MIND' });
    expect(seen).toEqual([{ title: 'committed' }]);
  });

  test('stays done when the transaction of its caller is not', async () => {
    const { board } = await create('done');
    const other = await create('other');

    const caller = ctx().transaction(async (tx) => {
      await tx.models.Board.updateOne({ _id: other.board.id }, { $set: { count: 7 } });
      await tx.call(addToTrail, { boardId: board.id, word: 'kept' }, { idempotencyKey: newId('key') });
      throw new Problem('CHANGED_MIND', 'Not today.');
    });

    await expect(caller).rejects.toMatchObject({ code: 'CHANGED_MIND' });
    expect(await trailOf(board.id)).toEqual(['kept']);
  });
});

describe('a saga', () => {
  const start = async (words: string[], waits = false): Promise<{ boardId: string; id: string }> => {
    const { board } = await create('walked');
    const id = await ctx().transaction((tx) => tx.startSaga(walk, { key: board.id, input: { boardId: board.id, words, waits } }));
    return { boardId: board.id, id };
  };

  test('does its steps in order', async () => {
    const { boardId, id } = await start(['a', 'b', 'c']);

    const row = await ctx().runSaga(id);

    expect(row.state).toBe('DONE');
    expect(await trailOf(boardId)).toEqual(['a', 'b', 'c']);
  });

  test('undoes what was done when a step refuses, the refusing step included', async () => {
    const { boardId, id } = await start(['a', 'b', 'refused']);

    const row = await ctx().runSaga(id);

    expect(row).toMatchObject({ state: 'COMPENSATED', refusal: { code: 'WORD_REFUSED', step: 'third' } });
    expect(await trailOf(boardId)).toEqual(['a', 'b', 'un-refused', 'un-b', 'un-a']);
  });

  test('waits for its event, which may come early, late or twice', async () => {
    const late = await start(['a', 'b', 'c'], true);
    expect((await ctx().runSaga(late.id)).state).toBe('WAITING');
    await ctx().signalSaga(walk, late.boardId, 'approval', { by: 'ann' });
    await ctx().signalSaga(walk, late.boardId, 'approval', { by: 'bob' });
    expect(await ctx().runSaga(late.id)).toMatchObject({ state: 'DONE', results: { approval: { by: 'ann' } } });

    const early = await start(['a', 'b', 'c'], true);
    await ctx().signalSaga(walk, early.boardId, 'approval', { by: 'eve' });
    expect((await ctx().runSaga(early.id)).state).toBe('DONE');
  });

  test('turns back when its event does not come in time', async () => {
    const { boardId, id } = await start(['a', 'b', 'c'], true);
    await ctx().runSaga(id);

    app.clock.advance(61_000);
    const row = await ctx().runSaga(id);

    expect(row).toMatchObject({ state: 'COMPENSATED', refusal: { code: 'TIMEOUT' } });
    expect(await trailOf(boardId)).toEqual(['a', 'b', 'un-b', 'un-a']);
  });

  test('that nobody runs is picked up by the sweeper', async () => {
    const { boardId } = await start(['x', 'y', 'z']);
    await app
      .runtime()
      .db.collection('sagas')
      .updateMany({}, { $set: { 'lease.until': new Date(0) } });

    await app.settled();

    expect(await trailOf(boardId)).toEqual(['x', 'y', 'z']);
  });

  test('that was left by a process of this machine that died is free at the next start', async () => {
    const { boardId } = await start(['p', 'q', 'r']);
    const rows = app.runtime().db.collection('sagas');
    const held = { 'lease.until': new Date(Date.now() + 60_000) };
    await rows.updateOne({ key: boardId }, { $set: { ...held, 'lease.owner': ofDeadProcess() } });
    const other = await start(['u', 'v', 'w']);
    await rows.updateOne({ key: other.boardId }, { $set: { ...held, 'lease.owner': newHolderId() } });

    await createSagaStore({ db: app.runtime().db, holder: newHolderId(), now: app.clock.now }).freeDead();

    const { matchedCount } = await rows.updateOne({ key: other.boardId, ...held }, { $set: { 'lease.until': new Date(0) } });
    expect(matchedCount).toBe(1);
    await app.settled();
    expect(await trailOf(boardId)).toEqual(['p', 'q', 'r']);
  });

  test('is shown to admins with each step, and can be turned back', async () => {
    const { boardId, id } = await start(['a', 'b', 'c'], true);
    await ctx().runSaga(id);
    const admin = { as: viewer('usr_root', ['admin']) };

    const shown = await app.ask(
      'query ($id: ID!) { saga(subgraph: "boards", id: $id) { state name key steps { name outcome } } }',
      { id },
      admin,
    );
    const turned = await app.ask(
      'mutation ($input: CompensateSagaInput!) { compensateSaga(input: $input) { saga { state refusalCode } userErrors { code } } }',
      { input: { subgraph: 'boards', id, reason: 'asked for' } },
      admin,
    );

    expect(shown.data.saga).toMatchObject({
      state: 'WAITING',
      name: 'walk',
      key: boardId,
      steps: [
        { name: 'first', outcome: 'DONE' },
        { name: 'second', outcome: 'DONE' },
        { name: 'approval', outcome: 'WAITS' },
      ],
    });
    expect(turned.data.compensateSaga).toEqual({ saga: { state: 'COMPENSATED', refusalCode: 'COMPENSATED_BY_ADMIN' }, userErrors: [] });
  });
});

describe('a live topic', () => {
  test('is not opened for those who may not hear it', async () => {
    const refused = app.subscribe('subscription { boardCreated { title } }', {}, { as: null });

    await expect(refused).rejects.toMatchObject({ facts: { code: 'UNAUTHENTICATED' } });
  });

  test('gives a subscriber what it missed, in order, then what is new', async () => {
    const SUBSCRIBE = 'subscription ($after: Cursor) { boardCreated(after: $after) { cursor title } }';
    const first = await app.subscribe(SUBSCRIBE);
    await create('one');
    const one = (await first.next()).value.data.boardCreated;
    await first.return!();
    await create('two');
    await create('three');
    await app.settled();

    const second = await app.subscribe(SUBSCRIBE, { after: one.cursor });
    const titles = [(await second.next()).value.data.boardCreated.title, (await second.next()).value.data.boardCreated.title];
    await create('four');
    titles.push((await second.next()).value.data.boardCreated.title);
    await second.return!();

    expect([one.title, ...titles]).toEqual(['one', 'two', 'three', 'four']);
  });
});

import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { z } from 'zod';
import { auditOf, type AuditRow } from '../audit/rows.ts';
import { verifyAudit } from '../audit/verify.ts';
import { newId } from '../base/ids.ts';
import { mutation } from '../kit/mutation.ts';
import { subgraph as fixture, type Ctx } from '../testing/fixture-subgraph/subgraph.ts';
import { open, viewer, type TestApp } from '../testing/open.ts';

/* What each way to change something leaves in the audit. `createBoard` is declared in three ways. */

const Title = z.object({ title: z.string(), idempotencyKey: z.string().optional() });
type Title = z.infer<typeof Title>;

/** Writes in a transaction of its own; then fails, if its title says so. */
async function createInSteps(ctx: Ctx, { title }: Title) {
  const [board] = await ctx.transaction((inner) => inner.models.Board.create([{ title }]));
  if (title === 'breaks off') throw new Error('the other side is gone');
  return { board: board!.toObject() };
}

const original = (fixture.resolvers['Mutation'] as { createBoard: unknown }).createBoard;
const withMutation = (createBoard: unknown) => ({ ...fixture, resolvers: { ...fixture.resolvers, Mutation: { createBoard } } });
const create = (_ctx: Ctx, { title }: Title) => _ctx.models.Board.create([{ title }]).then(([board]) => ({ board: board!.toObject() }));

const WAYS = {
  boards: original,
  kept: mutation(Title, create, { audit: { target: () => ({ type: 'Shelf', id: 'shf_1' }), keep: ['title'] } }),
  steps: mutation(Title, createInSteps, { transaction: false }),
};
type Way = keyof typeof WAYS;

const CREATE = 'mutation ($input: CreateBoardInput!) { createBoard(input: $input) { board { id } userErrors { code } } }';
const ann = viewer('usr_ann', ['editor']);
const root = viewer('usr_root', ['admin']);
const client = { ip: '203.0.113.7', userAgent: 'shop/2', apiKey: 'shop app' };

let app: TestApp;
beforeAll(async () => {
  app = await open(
    Object.entries(WAYS).map(([name, way]) => ({ ...withMutation(way), name, sagas: name === 'boards' ? fixture.sagas : [] })),
  );
});
afterAll(() => app.close());

let since: string;
beforeEach(() => {
  since = newId('aud');
});
const written = (of: Way = 'boards'): Promise<AuditRow[]> =>
  auditOf(app.runtime(of).db)
    .find({ _id: { $gt: since } })
    .sort({ _id: 1 })
    .toArray();
const add = (input: object, { of = 'boards' as Way, as = ann as typeof ann | null } = {}) => app.ask(CREATE, { input }, { as, client, of });

describe('a mutation', () => {
  test('leaves a row with its actor, client, target and the names of its fields', async () => {
    const { data } = await add({ title: 'Private words' });

    const [row, ...rest] = await written();
    expect(row).toMatchObject({
      actor: 'usr_ann',
      roles: ['editor'],
      apiKey: 'shop app',
      ip: '203.0.113.7',
      userAgent: 'shop/2',
      action: 'boards.createBoard',
      target: { type: 'Board', id: data.createBoard.board.id },
      changes: { fields: ['title'] },
      outcome: 'OK',
      correlationId: expect.stringMatching(/^test_/),
    });
    expect(JSON.stringify(row)).not.toContain('Private words');
    expect(rest).toEqual([]);
  });

  test.each<[string, object, string, typeof ann | null]>([
    ['a refusal of the action', { title: 'full' }, 'BOARDS_FULL', ann],
    ['an input that is not valid', { title: '' }, 'INVALID', ann],
    ['a fault of the code', { title: 'broken' }, 'INTERNAL_SERVER_ERROR', ann],
    ['a refusal of the permissions', { title: 'mine' }, 'UNAUTHENTICATED', null],
  ])('leaves one row with the code after %s', async (_case, input, outcome, as) => {
    await add(input, { as });

    const rows = await written();
    expect(rows).toMatchObject([{ outcome, actor: as ? 'usr_ann' : 'anonymous', action: 'boards.createBoard' }]);
    expect(JSON.stringify(rows)).not.toContain('mongodb://');
  });

  test('is recorded once per change: the stored response of its key is REPLAYED', async () => {
    const idempotencyKey = newId('key');

    await add({ title: 'once', idempotencyKey });
    await add({ title: 'once', idempotencyKey });

    expect((await written()).map(({ outcome }) => outcome)).toEqual(['OK', 'REPLAYED']);
  });

  test('stores the target and the values that its options name', async () => {
    await add({ title: 'seen' }, { of: 'kept' });

    expect(await written('kept')).toMatchObject([
      { target: { type: 'Shelf', id: 'shf_1' }, changes: { fields: ['title'], kept: { title: 'seen' } } },
    ]);
  });

  test('with its own transactions leaves a row with the first one, and a row at its end', async () => {
    await add({ title: 'long' }, { of: 'steps' });
    await add({ title: 'breaks off' }, { of: 'steps' });

    expect((await written('steps')).map(({ outcome }) => outcome)).toEqual(['STARTED', 'OK', 'STARTED', 'INTERNAL_SERVER_ERROR']);
  });

  test.each(['newPassword', 'refreshToken', 'email', 'deliveryAddress'])('may not keep the value of %s', (name) => {
    const options = { audit: { keep: [name] as never } };

    expect(() => mutation(z.object({}), async () => ({}), options)).toThrow(`names ${name}`);
  });
});

describe('ctx.audit', () => {
  test('writes with the transaction or not at all, and hides secrets', async () => {
    const ctx = app.context('boards', { viewer: ann });
    const refused = ctx.transaction(async (inner) => {
      await inner.audit('board.refused');
      throw new Error('no');
    });
    await expect(refused).rejects.toThrow('no');

    await ctx.transaction((inner) => inner.audit('board.opened', { target: 'brd_1', changes: { password: 'hunter2' } }));
    await app.context('boards').audit('board.counted');

    expect(await written()).toMatchObject([
      { action: 'boards.board.opened', actor: 'usr_ann', target: { type: null, id: 'brd_1' }, changes: { password: '[hidden]' } },
      { action: 'boards.board.counted', actor: 'system:test', changes: null },
    ]);
  });
});

describe('the operations API', () => {
  const call = (command: string, input: object, as: typeof ann | null) =>
    app.runtime().call({
      command: `boards.operations-${command}`,
      input,
      identity: { issuer: 'boards', viewer: as },
      correlationId: newId('test'),
      deadline: Date.now() + 10_000,
    });

  test('leaves rows of its commands: what changes something before it begins, refusals with their code', async () => {
    await call('listSagas', { limit: 1 }, root);
    await call('listSagas', { limit: 1 }, ann).catch(() => undefined);
    await call('retrySaga', { id: 'saga_none' }, root).catch(() => undefined);

    expect(await written()).toMatchObject([
      { action: 'boards.listSagas', actor: 'usr_root', outcome: 'OK' },
      { action: 'boards.listSagas', actor: 'usr_ann', outcome: 'FORBIDDEN' },
      { action: 'boards.retrySaga', outcome: 'STARTED', target: { type: null, id: 'saga_none' } },
      { action: 'boards.retrySaga', outcome: 'NOT_FOUND' },
    ]);
  });

  const LOG = `query ($subgraph: String!, $actor: String, $target: String, $action: String, $since: DateTime, $first: Int, $after: Cursor) {
    auditLog(subgraph: $subgraph, actor: $actor, target: $target, action: $action, since: $since, first: $first, after: $after) {
      nodes { id actor action targetType targetId outcome changes block repeated }
      edges { cursor }
      pageInfo { hasNextPage endCursor }
    }
  }`;
  const log = (variables: object, as = root) => app.ask(LOG, { subgraph: 'boards', ...variables }, { as });

  test('shows the audit to admins, by actor, target, action and time, page by page', async () => {
    const bob = viewer(newId('usr'));
    const from = new Date();
    const ids: string[] = [];
    for (const title of ['a', 'b', 'c']) ids.push((await add({ title }, { as: bob })).data.createBoard.board.id);

    const first = (await log({ actor: bob.id, first: 2 })).data.auditLog;
    const second = (await log({ actor: bob.id, first: 2, after: first.pageInfo.endCursor })).data.auditLog;
    expect([...first.nodes, ...second.nodes].map(({ targetId }) => targetId)).toEqual(ids.toReversed());
    expect([first.pageInfo.hasNextPage, second.pageInfo.hasNextPage]).toEqual([true, false]);
    expect((await log({ target: ids[1] })).data.auditLog.nodes).toMatchObject([{ targetType: 'Board', actor: bob.id }]);
    expect((await log({ action: 'createBoard', since: from.toISOString() })).data.auditLog.nodes).toHaveLength(3);
    expect((await log({ since: new Date(Date.now() + 60_000).toISOString() })).data.auditLog.nodes).toEqual([]);
  });

  test('shows it to nobody else, and leaves a row of the attempt', async () => {
    const { data, errors } = await log({}, ann);

    expect(data?.auditLog ?? null).toBeNull();
    expect(errors).toMatchObject([{ extensions: { code: 'FORBIDDEN' } }]);
  });
});

test('rows are sealed in the background, and the whole verifies', async () => {
  await add({ title: 'sealed' });

  await app.runtime().sealer.seal();

  const verdict = await verifyAudit(app.runtime().db, 'boards');
  expect(verdict).toMatchObject({ unsealed: 0, faults: [] });
  expect(verdict.rows).toBeGreaterThan(0);
});

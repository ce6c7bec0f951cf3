import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { httpTransport } from './http-transport.ts';
import { serve } from './server.ts';
import { subgraph, type Board, type Ctx, type Models } from '../testing/fixture-subgraph/subgraph.ts';
import { open, viewer, type TestApp } from '../testing/open.ts';
import type { SubgraphRequest, SubgraphTransport } from '../kit/transport.ts';

/** What was read, and a gate that every `again` waits at. */
let read: string[];
let isRead: PromiseWithResolvers<void>;
let gate: PromiseWithResolvers<void>;
let reached: PromiseWithResolvers<void>;
let app: TestApp;
const opened: (() => Promise<unknown>)[] = [];

const again = async (board: Board, _args: unknown, ctx: Ctx) => {
  reached.resolve();
  await gate.promise;
  return ctx.loaders.board(board._id);
};
const nested = {
  ...subgraph,
  schema: `${subgraph.schema}\nextend type Board { "The same." again: Board }`,
  resolvers: { ...subgraph.resolvers, Board: { ...subgraph.resolvers['Board'], again } },
  loaders: ({ Board: boards }: Models) => ({ board: (id: string) => (read.push(id), isRead.resolve(), boards.findById(id).lean()) }),
};

beforeEach(async () => {
  read = [];
  isRead = Promise.withResolvers();
  gate = Promise.withResolvers();
  reached = Promise.withResolvers();
  app = await open(nested);
  await (app.context() as Ctx).models.Board.create([{ _id: 'brd_1', title: 'one' }]);
});
afterEach(async () => {
  for (const close of opened.splice(0).toReversed()) await close();
  await app.close();
});

const QUERY = '{ board(id: "brd_1") { again { again { title } } } }';
const request = (query: string, signal: AbortSignal): SubgraphRequest => ({
  query,
  identity: { issuer: 'gateway', viewer: viewer('usr_1') },
  correlationId: 'test',
  deadline: Date.now() + 30_000,
  signal,
});

/** The subgraph in another process, as far as the caller can tell; the gate opens once that one knows that the caller has left. */
async function served(): Promise<SubgraphTransport> {
  const runtime = app.runtime();
  const execute: SubgraphTransport['execute'] = (asked) => {
    asked.signal!.addEventListener('abort', () => gate.resolve());
    return runtime.execute(asked);
  };
  const { url, close } = await serve({ ...runtime, execute }, { port: 0 });
  const transport = httpTransport('boards', url);
  opened.push(close, () => transport.close());
  return transport;
}

describe.each(['in process', 'over HTTP', 'in a batch'])('for someone who leaves, %s,', (way) => {
  const reach = async (): Promise<SubgraphTransport> => {
    if (way === 'in process') return app.runtime();
    const transport = await served();
    // Whoever answers has said that it reads batches.
    if (way === 'in a batch') await transport.execute(request('{ __typename }', new AbortController().signal));
    return transport;
  };

  test('nothing more is read', async () => {
    const subgraphThere = await reach();
    const leaving = new AbortController();
    const count = way === 'in a batch' ? 2 : 1;
    const asked = Array.from({ length: count }, () => subgraphThere.execute(request(QUERY, leaving.signal)).catch(() => undefined));
    await reached.promise;

    leaving.abort();
    if (way === 'in process') gate.resolve();
    await Promise.all(asked);
    await gate.promise;

    expect(read.length).toBeLessThanOrEqual(count);
  });

  test('a mutation is done to its end', async () => {
    const subgraphThere = await reach();
    const leaving = new AbortController();
    const query = 'mutation { createBoard(input: { title: "two" }) { board { again { title } } } }';
    const asked = subgraphThere.execute(request(query, leaving.signal)).catch(() => undefined);
    await reached.promise;
    expect(read).toEqual([]);

    leaving.abort();
    if (way === 'in process') gate.resolve();
    await asked;

    await isRead.promise;
    expect(await (app.context() as Ctx).models.Board.countDocuments({ title: 'two' })).toBe(1);
  });
});

test('who stays is answered', async () => {
  gate.resolve();

  const { data } = await app.runtime().execute(request(QUERY, new AbortController().signal));

  expect(data).toEqual({ board: { again: { again: { title: 'one' } } } });
  expect(read).toEqual(['brd_1', 'brd_1', 'brd_1']);
});

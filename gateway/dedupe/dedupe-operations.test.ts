import { expect, test } from '@jest/globals';
import { parse, type ExecutionResult } from 'graphql';
import { composeSupergraph } from '../../schema/compose.ts';
import type { Viewer } from '#shared/base/identity.ts';
import { createLog } from '#shared/base/log.ts';
import type { SubgraphTransport } from '#shared/kit/transport.ts';
import { openEngine } from '../supergraph/open-engine.ts';
import { applySchemaRules, readSchemaRules } from '../supergraph/schema-rules.ts';
import { testSubgraphs } from '../testing/test-subgraphs.ts';
import type { DedupeOptions } from './dedupe-operations.ts';

/** An engine with rules. `requests` holds the requests to `people` since the last look; its queries wait for `released`. */
function openShared(dedupe: DedupeOptions, released: Promise<unknown> = Promise.resolve()) {
  const { people, boards, notes, all } = testSubgraphs();
  const arrived = Promise.withResolvers<void>();
  const held: SubgraphTransport = {
    subscribe: (request) => people.subscribe(request),
    async execute(request) {
      const response = await people.execute(request);
      arrived.resolve();
      if (!request.query.startsWith('mutation')) await released;
      return response;
    },
  };
  const transports: Record<string, SubgraphTransport> = { people: held, boards, notes };
  const supergraphSdl = composeSupergraph(all.map(({ name, typeDefs }) => ({ name, typeDefs, url: `http://${name}/graphql` })));
  const core = openEngine({ supergraphSdl, transports, log: createLog('test') });
  const engine = applySchemaRules(core, readSchemaRules(supergraphSdl, core.schema), dedupe);
  const execute = async (source: string, id?: string): Promise<ExecutionResult> => {
    const viewer: Viewer | null = id === undefined ? null : { id, roles: [], scopes: [] };
    const common = { identity: { issuer: 'gateway', viewer } as const, correlationId: 'c', deadline: Date.now() + 10_000 };
    return (await engine.execute({ source, document: parse(source), ...common })) as ExecutionResult;
  };
  const requests = (): string[] => people.asked.splice(0).map(({ query }) => query);
  return { execute, requests, arrived: arrived.promise };
}

const NAME = '{ person(id: "p1") { name } }';
const NOTHING: DedupeOptions = { operations: false, fetches: false, entities: false };

test.each<[string, DedupeOptions, number]>([
  ['as operations', { ...NOTHING, operations: true }, 1],
  ['as fetches', { ...NOTHING, fetches: true }, 1],
  ['not when it is switched off', NOTHING, 5],
])('runs equal queries of one viewer once while in flight: %s', async (_case, dedupe, times) => {
  const { execute, requests } = openShared(dedupe);

  const results = await Promise.all([1, 2, 3, 4, 5].map(() => execute(NAME, 'p1')));

  for (const { data } of results) expect(data).toEqual({ person: { name: 'Ada' } });
  expect(requests()).toHaveLength(times);
});

test('shares entities between different queries', async () => {
  const { execute, requests } = openShared({ ...NOTHING, entities: true });

  const [note, board] = await Promise.all([
    execute('{ note(id: "n1") { author { name } } }'),
    execute('{ board(id: "b1") { owner { name } } }'),
  ]);

  expect(note.data).toEqual({ note: { author: { name: 'Ada' } } });
  expect(board.data).toEqual({ board: { owner: { name: 'Ada' } } });
  expect(requests()).toHaveLength(1);
});

test('shares nothing between viewers', async () => {
  const { execute, requests } = openShared({ entities: true });

  await Promise.all(['p1', 'p2', 'p3', undefined].flatMap((id) => [execute(NAME, id), execute(NAME, id)]));

  expect(requests()).toHaveLength(4);
});

const MUTATION = 'mutation { rename(id: "p1", name: "Eve") { name } }';
const AUTHOR = '{ note(id: "n1") { author { name } } }';

test('runs every mutation by itself', async () => {
  const { execute, requests } = openShared({ entities: true });

  await Promise.all([1, 2, 3].map(() => execute(MUTATION)));

  expect(requests()).toHaveLength(3);
});

test.each<[string, DedupeOptions, string]>([
  ['an operation', { ...NOTHING, operations: true }, NAME],
  ['a fetch', { ...NOTHING, fetches: true }, NAME],
  ['an entity', { ...NOTHING, entities: true }, AUTHOR],
])('joins %s in flight, but not after a mutation that began later', async (_case, dedupe, query) => {
  const release = Promise.withResolvers<void>();
  const { execute, requests, arrived } = openShared(dedupe, release.promise);

  const before = [execute(query), execute(query)];
  await arrived;
  await execute(MUTATION);
  const after = execute(query);
  // A query that joins has done so once every step without a response is over.
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  release.resolve();
  await Promise.all([...before, after]);

  expect(requests().filter((each) => !each.startsWith('mutation'))).toHaveLength(2);
});

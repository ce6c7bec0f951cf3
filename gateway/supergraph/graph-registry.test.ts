import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { composeSupergraph } from '../../schema/compose.ts';
import { plainSubgraph } from '#shared/testing/plain-subgraph.ts';
import { openGatewayForTest, type TestGateway } from '../testing/open-gateway.ts';

const subgraphOf = (more = '') =>
  plainSubgraph({
    name: 'notes',
    typeDefs: `extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@tag", "@authenticated"])
      type Query { note: Note @tag(name: "reader") @tag(name: "editor")  drafts: [Note] @tag(name: "editor")  loose: String ${more} }
      type Mutation { write: Note @tag(name: "editor") }
      type Subscription { noted: Note @tag(name: "editor")  ticks: Int @tag(name: "reader") }
      type Note { text: String  author: String @tag(name: "editor")  locked: String @authenticated }`,
    resolvers: {
      Query: { note: () => ({ text: 'one', author: 'Ada', locked: 'l' }), drafts: () => [], loose: () => 'x' },
      Subscription: {
        ticks: {
          async *subscribe() {
            yield { ticks: 1 };
          },
        },
      },
    },
  });

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await openGatewayForTest({ subgraphs: [subgraphOf()] });
});
afterAll(() => gateway.close());

describe.each(['HTTP', 'WebSocket'])('over %s', (way) => {
  /** The response, or the code and message of the Problem. */
  const ask = async (query: string, contract?: string) => {
    if (way === 'HTTP') {
      const { data, errors, status } = await gateway.ask(
        query,
        {},
        { headers: contract === undefined ? {} : { 'x-soko-contract': contract } },
      );
      return status === 400 ? errors?.map(({ extensions }) => extensions.code) : { data, errors };
    }
    const socket = gateway.socket({ connectionParams: { ...(contract !== undefined && { 'x-soko-contract': contract }) } });
    try {
      return (await socket.iterate<any>({ query }).next()).value;
    } catch (refused) {
      return (refused as { extensions: { code: string } }[]).map(({ extensions }) => extensions.code);
    } finally {
      await socket.dispose();
    }
  };

  test('serves the whole graph without a contract', async () => {
    expect(await ask('{ note { text author } drafts { text } loose }')).toMatchObject({
      data: { note: { text: 'one', author: 'Ada' }, drafts: [], loose: 'x' },
    });
  });

  test('serves a contract under the same authorization, and refuses the rest as unknown', async () => {
    expect(await ask('{ note { text locked } }', 'reader')).toMatchObject({
      data: { note: { text: 'one', locked: null } },
      errors: [{ extensions: { code: 'UNAUTHENTICATED' } }],
    });
    for (const query of ['{ note { author } }', '{ drafts { text } }', '{ loose }', 'mutation { write { text } }']) {
      // Known to the whole graph, not to the contract.
      await ask(query);
      expect(await ask(query, 'reader')).toEqual(['GRAPHQL_VALIDATION_FAILED']);
    }
    expect(await ask('{ note { author } }', 'editor')).toMatchObject({ data: { note: { author: 'Ada' } } });
  });

  test('shows only the contract in introspection', async () => {
    const shown = (await ask(
      '{ __schema { queryType { fields { name } } mutationType { name } } __type(name: "Note") { fields { name } } }',
      'reader',
    )) as {
      data: unknown;
    };

    expect(shown.data).toEqual({
      __schema: { queryType: { fields: [{ name: 'note' }] }, mutationType: null },
      __type: { fields: [{ name: 'text' }, { name: 'locked' }] },
    });
  });

  test('refuses an unknown contract', async () => {
    for (const contract of ['ghost', 'internal', '__proto__']) expect(await ask('{ note { text } }', contract)).toEqual(['BAD_REQUEST']);
  });
});

test('applies the contract to subscriptions', async () => {
  const socket = gateway.socket({ connectionParams: { 'x-soko-contract': 'reader' } });

  expect((await socket.iterate<any>({ query: 'subscription { ticks }' }).next()).value.data).toEqual({ ticks: 1 });
  await expect(socket.iterate({ query: 'subscription { noted { text } }' }).next()).rejects.toMatchObject([
    { extensions: { code: 'GRAPHQL_VALIDATION_FAILED' } },
  ]);
});

test('reloads contracts with the supergraph', async () => {
  const before = subgraphOf();
  const after = subgraphOf('fresh: String @tag(name: "reader")');
  const changing = await openGatewayForTest({ subgraphs: [before] });
  const ask = () => changing.ask('{ fresh }', {}, { headers: { 'x-soko-contract': 'reader' } });
  expect((await ask()).status).toBe(400);

  const supergraphSdl = composeSupergraph([{ name: 'notes', url: 'http://notes/graphql', typeDefs: after.typeDefs }]);
  await changing.reload({ supergraphSdl, transports: { notes: after } });

  expect((await ask()).data).toEqual({ fresh: null });
  await changing.close();
});

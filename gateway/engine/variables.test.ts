import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { plainSubgraph } from '#shared/testing/plain-subgraph.ts';
import { openGatewayForTest, type TestGateway } from '../testing/open-gateway.ts';

const LINK =
  'extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key", "@context", "@fromContext", "@external"])\n';

const shops = plainSubgraph({
  name: 'shops',
  typeDefs: `${LINK}
    type Query { shop: Shop!  echo(list: [Int!]): [Int!] }
    type Shop @key(fields: "id") @context(name: "shop") { id: ID!  unit: String!  item: Item! }
    type Item @key(fields: "id") { id: ID! }
  `,
  resolvers: {
    Query: {
      shop: () => ({ id: 's1', unit: 'kg', item: { id: 'i1' } }),
      echo: (_root: unknown, { list }: { list: number[] }) => list,
    },
  },
});

const items = plainSubgraph({
  name: 'items',
  typeDefs: `${LINK}
    type Query { unused: Int }
    type Shop @key(fields: "id") @context(name: "shop") { id: ID!  unit: String! @external  names(first: Int): [String!] }
    type Item @key(fields: "id") { id: ID!  size(times: Int, unit: String @fromContext(field: "$shop { unit }")): String }
  `,
  resolvers: {
    Shop: { names: (_shop: unknown, { first }: { first: number }) => ['a', 'b', 'c'].slice(0, first) },
    Item: { size: (_item: unknown, { times, unit }: { times: number; unit: string }) => `${times} ${unit}` },
  },
});

describe('a client variable named like one of a plan', () => {
  let gateway: TestGateway;
  beforeAll(async () => {
    gateway = await openGatewayForTest({ subgraphs: [shops, items] });
  });
  afterAll(() => gateway.close());

  test.each(['first', 'representations', '_client_representations'])('reaches the subgraph of an entity: %s', async (name) => {
    const answer = await gateway.ask(`query ($${name}: Int) { shop { names(first: $${name}) } }`, { [name]: 2 });

    expect(answer).toMatchObject({ status: 200, data: { shop: { names: ['a', 'b'] } } });
  });

  test('keeps its default, and stays apart from a similar name', async () => {
    const query = `query ($representations: Int = 1, $_client_representations: Int) {
      shop { one: names(first: $representations) two: names(first: $_client_representations) }
    }`;

    const { data } = await gateway.ask(query, { _client_representations: 2 });

    expect(data).toEqual({ shop: { one: ['a'], two: ['a', 'b'] } });
  });

  test('may be a list at the root', async () => {
    const { data } = await gateway.ask('query ($representations: [Int!]) { echo(list: $representations) }', { representations: [1, 2] });

    expect(data).toEqual({ echo: [1, 2] });
  });

  test.each([
    [true, { shop: { id: 's1', names: ['a', 'b', 'c'] } }],
    [false, { shop: { id: 's1' } }],
  ])('works as a condition: %s', async (value, expected) => {
    const conditional = 'query ($representations: Boolean!) { shop { id ... @include(if: $representations) { names } } }';
    const deferred = 'query ($representations: Boolean!) { shop { id ... @defer(if: $representations) { names } } }';

    expect((await gateway.ask(conditional, { representations: value })).data).toEqual(expected);
    expect((await gateway.ask(deferred, { representations: value })).data).toEqual({ shop: { id: 's1', names: ['a', 'b', 'c'] } });
  });

  test('stays apart from arguments of @fromContext', async () => {
    const query = (name: string) => `query ($${name}: Int) { shop { item { size(times: $${name}) } } }`;
    await gateway.ask(query('times'), { times: 2 });
    const [context] = /contextualArgument_\d+_\d+/.exec(items.asked.at(-1)!.query)!;

    expect((await gateway.ask(query(context), { [context]: 3 })).data).toEqual({ shop: { item: { size: '3 kg' } } });
  });

  test('is reported by its own name when its value is invalid', async () => {
    const answer = await gateway.ask('query ($representations: Int) { shop { names(first: $representations) } }', { representations: 'x' });

    expect(answer).toMatchObject({ status: 400, errors: [{ extensions: { code: 'BAD_USER_INPUT', path: ['representations'] } }] });
  });
});

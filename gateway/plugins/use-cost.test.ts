import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { buildSchema, parse, validate } from 'graphql';
import { readAppliedDirectives } from '../graphql/applied-directives.ts';
import { createCosts } from '../cost/costs.ts';
import { testSubgraphs } from '../testing/test-subgraphs.ts';
import { openGatewayForTest, type TestGateway } from '../testing/open-gateway.ts';
import { useCost } from './use-cost.ts';
import { LIMITS, useLimits } from './use-limits.ts';

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await openGatewayForTest({ subgraphs: testSubgraphs().all });
});
afterAll(() => gateway.close());

const BOARDS = 'query($n: Int) { boards(first: $n) { nodes { notes { author { id } } } } }';

describe('the variables of an operation', () => {
  test('count over HTTP, also for a cached document', async () => {
    for (const n of [2, 400]) expect(await gateway.ask(BOARDS, { n })).toMatchObject({ status: 200 });

    const { status, data, errors } = await gateway.ask(BOARDS, { n: 800 });

    expect({ status, data }).toEqual({ status: 400, data: undefined });
    expect(errors).toMatchObject([
      { extensions: { code: 'OPERATION_TOO_COMPLEX', cost: { estimated: 1 + 800 * 21, budget: LIMITS.cost }, retryable: false } },
    ]);
  });

  test('count over WebSocket', async () => {
    expect((await gateway.subscribe(BOARDS, { n: 2 }).next()).value?.errors).toBeUndefined();
    await expect(gateway.subscribe(BOARDS, { n: 800 }).next()).rejects.toMatchObject([{ extensions: { code: 'OPERATION_TOO_COMPLEX' } }]);
  });

  test('count for the events of a subscription', async () => {
    const query = `subscription { noteChanged(boardId: "b1") { ${'author { boards { notes { '.repeat(2)}author { boards { notes { id } } } ${'} } } '.repeat(2)} } }`;

    await expect(gateway.subscribe(query).next()).rejects.toMatchObject([{ extensions: { code: 'OPERATION_TOO_COMPLEX' } }]);
  });
});

describe('the cost', () => {
  const cost = { estimated: 1 + 5 * 21, actual: 1 + 2 + 3 + 3 };

  test.each([
    ['a header', {}, { 'x-soko-cost': 'report' }],
    ['an extension of the request', { extensions: { cost: true } }, {}],
  ])('is returned when %s requests it', async (_case, body, headers) => {
    for (let time = 0; time < 2; time += 1) {
      const answer = await gateway.post({ query: BOARDS, variables: { n: 5 }, ...body }, headers as Record<string, string>);

      expect(answer).toMatchObject({ status: 200, extensions: { cost } });
    }
  });

  test('is returned in a stream of events', async () => {
    const response = await fetch(gateway.url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'text/event-stream' },
      body: JSON.stringify({ query: BOARDS, variables: { n: 5 }, extensions: { cost: true } }),
    });

    expect(await response.text()).toContain(`"extensions":${JSON.stringify({ cost })}`);
  });

  test('is returned over WebSocket', async () => {
    const stream = gateway.socket().iterate({ query: BOARDS, variables: { n: 5 }, extensions: { cost: true } });

    expect((await stream.next()).value).toMatchObject({ extensions: { cost } });
  });

  test('is not returned without a request', async () => {
    expect(await gateway.post({ query: BOARDS, variables: { n: 5 } })).not.toHaveProperty('extensions');
  });
});

test('keeps a page with a joined list well below the limit', () => {
  const sdl = `
    schema @link(url: "https://specs.apollo.dev/cost/v0.1", import: ["@listSize"]) { query: Query }
    directive @link(url: String, import: [String]) on SCHEMA
    directive @listSize(assumedSize: Int, slicingArguments: [String!], sizedFields: [String!]) on FIELD_DEFINITION
    type Query { me: Person }
    type Person { id: ID name: String email: String boards(first: Int): BoardConnection @listSize(slicingArguments: ["first"], sizedFields: ["edges"]) }
    type BoardConnection { totalCount: Int pageInfo: PageInfo edges: [BoardEdge] }
    type PageInfo { hasNextPage: Boolean endCursor: String }
    type BoardEdge { cursor: String node: Board }
    type Amount { value: String unit: String }
    type Board { id: ID title: String total: Amount owner: Person columns: [Column] @listSize(assumedSize: 2) }
    type Column { id: ID total: Amount team: Team notes: [Note] @listSize(assumedSize: 3) history: [Change] @listSize(assumedSize: 3) }
    type Change { at: String by: Person }
    type Team { id: ID name: String place: Place }
    type Place { name: String picture: String }
    type Note { id: ID count: Int size: Amount revision: Revision }
    type Revision { id: ID text: String size: Amount topic: Topic left: Left }
    type Left { count: Int }
    type Topic { id: ID title: String team: Team groups: [Group] @listSize(assumedSize: 2) pictures: [Picture] @listSize(assumedSize: 2) }
    type Picture { url: String } type Group { id: ID name: String parent: Group }
  `;
  const schema = buildSchema(sdl);
  const page =
    parse(`query Page($n: Int) { me { id name boards(first: $n) { totalCount pageInfo { hasNextPage endCursor } edges { cursor node { ...Card } } } } }
      fragment Card on Board { id title total { value unit } owner { id name email } columns { ...Part } }
      fragment Part on Column { id total { value unit } team { id name place { name picture } } history { at by { name } } notes { ...Line } }
      fragment Line on Note { id count size { value unit } revision { id text size { value unit } left { count } topic { ...Subject } } }
      fragment Subject on Topic { id title pictures { url } team { name } groups { id name parent { name } } }`);
  const { check } = useLimits(schema);
  const cost = useCost(createCosts(readAppliedDirectives(parse(sdl)), schema));
  expect(validate(schema, page)).toEqual([]);
  expect(check(page)).toBeUndefined();

  for (const n of [1, 20, 50]) expect(cost({ document: page, variables: { n } })).toBeUndefined();
  expect(cost({ document: page, variables: { n: 1_000 } })?.code).toBe('OPERATION_TOO_COMPLEX');
});

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { testSubgraphs } from '../testing/test-subgraphs.ts';
import { openGatewayForTest, type TestGateway } from '../testing/open-gateway.ts';

describe('an operation on the fast path', () => {
  let gateway: TestGateway;
  beforeAll(async () => {
    gateway = await openGatewayForTest({ subgraphs: testSubgraphs().all, production: true, corsOrigins: ['https://shop.example'] });
  });
  afterAll(() => gateway.close());

  async function asked(body: unknown, headers: Record<string, string> = {}) {
    const response = await fetch(gateway.url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-correlation-id': '11111111-1111-4111-8111-111111111111', ...headers },
      body: JSON.stringify(body),
    });
    const { date: _date, ...all } = Object.fromEntries(response.headers);
    return { status: response.status, headers: all, body: await response.json() };
  }

  /** Apollo Server looks at whatever comes with extensions. */
  const askedOfApollo = (body: object, headers?: Record<string, string>) => asked({ extensions: {}, ...body }, headers);

  const BOARD = 'query Board($id: ID!) { board(id: $id) { title owner { name } } }';
  const TWO = 'query One { board(id: "b1") { title } } query Two { person(id: "p1") { name } }';

  test.each<[string, object]>([
    ['a query', { query: BOARD, variables: { id: 'b1' } }],
    ['one that finds nothing', { query: BOARD, variables: { id: 'nowhere' } }],
    ['a variable that does not fit', { query: BOARD, variables: { id: {} } }],
    ['a variable that is missing', { query: BOARD }],
    ['variables that are none', { query: BOARD, variables: [1] }],
    ['one of two operations', { query: TWO, operationName: 'Two' }],
    ['none of two operations', { query: TWO, operationName: 'Three' }],
    ['no word about which of two', { query: TWO, operationName: null }],
    ['a mutation', { query: 'mutation { rename(id: "p1", name: "Eve") { name } }' }],
    ['a subgraph that breaks', { query: '{ person(id: "p2") { email } }' }],
    ['the schema, which is not shown', { query: '{ __schema { queryType { name } } }' }],
    ['a subscription', { query: 'subscription { ticks(to: 1) }' }],
    ['extensions', { query: '{ person(id: "p1") { name } }', extensions: { a: 1 } }],
    ['a text that is not valid', { query: '{ board(id: "b1") { nothing } }' }],
    ['a text that is no GraphQL', { query: '{ board(' }],
  ])('gets the same response as from Apollo Server, every time: %s', async (_case, body) => {
    const answer = await askedOfApollo(body);

    expect(await asked(body)).toEqual(answer);
    expect(await asked(body)).toEqual(answer);
  });

  test('gets the source location of an invalid variable', async () => {
    const { body } = await asked({ query: BOARD, variables: { id: {} } });

    expect(body).toMatchObject({ errors: [{ locations: [{ line: 1, column: 13 }] }] });
  });

  test('is returned in the media type that the client accepts', async () => {
    const body = { query: BOARD, variables: { id: 1.5 } };
    const headers = { accept: 'application/graphql-response+json' };
    const first = await askedOfApollo(body, headers);

    expect(await asked(body, headers)).toEqual(first);
    expect(first.headers['content-type']).toBe('application/graphql-response+json; charset=utf-8');
  });

  test.each([
    ['application/graphql-response+json;q=0.5, application/json', 'application/json'],
    ['application/graphql-response+json; q=0.5, application/*', 'application/json'],
    ['application/graphql-response+json;q=0, application/json;q=0.1', 'application/json'],
    ['application/json, application/graphql-response+json', 'application/json'],
    ['application/json;q=0.9, application/graphql-response+json', 'application/graphql-response+json'],
    ['application/graphql-response+json, application/json', 'application/graphql-response+json'],
    ['*/*, application/graphql-response+json', 'application/graphql-response+json'],
    ['*/*', 'application/json'],
  ])('is returned to %s in its preferred media type', async (accept, type) => {
    const body = { query: BOARD, variables: { id: 'b1' } };
    const first = await askedOfApollo(body, { accept });

    expect(first.headers['content-type']).toBe(`${type}; charset=utf-8`);
    expect(await asked(body, { accept })).toEqual(first);
    expect((await asked({ query: 5 }, { accept })).headers['content-type']).toBe(`${type}; charset=utf-8`);
  });

  test('carries the CORS headers of every response', async () => {
    const body = { query: BOARD, variables: { id: 'b1' } };
    const headers = { origin: 'https://shop.example' };
    const first = await askedOfApollo(body, headers);

    expect(await asked(body, headers)).toEqual(first);
    expect(first.headers).toMatchObject({
      'access-control-allow-origin': 'https://shop.example',
      vary: 'authorization, x-soko-contract, x-soko-key, Origin',
      'content-security-policy': expect.stringContaining("default-src 'none'"),
    });
  });

  test('still checks the viewer', async () => {
    const body = { query: BOARD, variables: { id: 'b1' } };
    await asked(body);

    const { status, body: answer } = await asked(body, { authorization: 'Bearer nonsense' });

    expect(status).toBe(401);
    expect(answer).toMatchObject({ errors: [{ extensions: { code: 'UNAUTHENTICATED' } }] });
  });
});

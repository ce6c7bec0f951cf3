import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { connect } from 'node:net';
import { WebSocket } from 'ws';
import { testSubgraphs, type TestSubgraphs } from './test-subgraphs.ts';
import { openGatewayForTest, type TestGateway } from './testing.ts';

let subgraphs: TestSubgraphs;
let gateway: TestGateway;
const redis = { state: 'up' as 'up' | 'down' };
beforeAll(async () => {
  subgraphs = testSubgraphs();
  gateway = await openGatewayForTest({ subgraphs: subgraphs.all, checks: { redis: async () => redis.state } });
});
afterAll(() => gateway.close());

describe('a request', () => {
  test.each<[string, unknown, string]>([
    ['that is no GraphQL', { query: '{ viewer ' }, 'GRAPHQL_PARSE_FAILED'],
    ['for a field that is not there', { query: '{ lamps { id } }' }, 'GRAPHQL_VALIDATION_FAILED'],
    ['without a query', { variables: {} }, 'BAD_REQUEST'],
    ['with an empty query', { query: '' }, 'BAD_REQUEST'],
    ['that does not say which operation', { query: 'query A { viewer } query B { viewer }' }, 'OPERATION_RESOLUTION_FAILURE'],
    ['for an operation that is not there', { query: 'query A { viewer }', operationName: 'B' }, 'OPERATION_RESOLUTION_FAILURE'],
    ['whose variables are a list', { query: '{ viewer }', variables: [] }, 'BAD_REQUEST'],
    ['that subscribes', { query: 'subscription { ticks(to: 1) }' }, 'SUBSCRIPTION_OVER_HTTP'],
    [
      'whose hash is not that of its text',
      { query: '{ viewer }', extensions: { persistedQuery: { version: 1, sha256Hash: 'a'.repeat(64) } } },
      'BAD_REQUEST',
    ],
  ])('%s is refused with its code', async (_case, body, code) => {
    const { status, headers, data, errors } = await gateway.post(body);

    expect([200, 400]).toContain(status);
    expect(data).toBeUndefined();
    expect(errors).toMatchObject([{ extensions: { code, retryable: false, correlationId: headers.get('x-correlation-id') } }]);
  });

  test.each<[string, unknown, string]>([
    ['without a variable it needs', { query: 'query($id: ID!) { note(id: $id) { id } }' }, 'id'],
    [
      'with a variable of the wrong type',
      { query: 'query($n: Int) { boards(first: $n) { nodes { id } } }', variables: { n: 'many' } },
      'n',
    ],
  ])('%s is told which', async (_case, body, variable) => {
    const { status, data, errors } = await gateway.post(body);

    expect(status).toBe(400);
    expect(data).toBeUndefined();
    expect(errors).toMatchObject([{ extensions: { code: 'BAD_USER_INPUT', path: [variable], retryable: false } }]);
  });

  test('that is no JSON is refused', async () => {
    expect(await gateway.post('{"query": ')).toMatchObject({ status: 400, errors: [{ extensions: { code: 'BAD_REQUEST' } }] });
  });

  test('with a poisoned body is refused', async () => {
    expect((await gateway.post('{"query":"{ viewer }","__proto__":{"admin":true}}')).status).toBe(400);
    expect(({} as { admin?: boolean }).admin).toBeUndefined();
  });

  test('asks each subgraph within the time of the whole', async () => {
    const start = Date.now();

    await gateway.ask('{ note(id: "n1") { author { name } } }', {}, { headers: { 'x-deadline': '99999999999999' } });

    for (const { deadline } of [subgraphs.notes.asked.at(-1)!, subgraphs.people.asked.at(-1)!]) {
      expect(deadline - start).toBeGreaterThan(29_000);
      expect(deadline - start).toBeLessThan(35_000);
    }
  });
});

describe('the correlation id', () => {
  const seen = async (given?: string) => {
    const { headers } = await gateway.ask('{ viewer }', {}, given === undefined ? {} : { headers: { 'x-correlation-id': given } });
    return { answered: headers.get('x-correlation-id'), asked: subgraphs.people.asked.at(-1)?.correlationId };
  };

  test('of the caller is kept all the way and given back', async () => {
    expect(await seen('some-page:42.a_b-c')).toEqual({ answered: 'some-page:42.a_b-c', asked: 'some-page:42.a_b-c' });
  });

  test.each(['short', 'with space', 'x'.repeat(101), '<script>alert(1)</script>', undefined])('%p is replaced', async (given) => {
    const { answered, asked } = await seen(given);

    expect(answered).toMatch(/^[0-9a-f-]{36}$/);
    expect(asked).toBe(answered);
  });
});

describe('health', () => {
  const get = async (path: string) => {
    const response = await fetch(new URL(path, gateway.url));
    return { status: response.status, body: (await response.json()) as object };
  };
  const body = (status: string, state: string) => ({
    status,
    service: 'gateway',
    uptime: expect.any(Number),
    timestamp: expect.any(String),
    checks: { redis: state },
    websocket: { connectedClients: expect.any(Number), subscriptions: {} },
  });

  test('says alive, and ready as long as what it needs is there', async () => {
    for (const path of ['/health', '/healthz', '/api/health']) expect(await get(path)).toEqual({ status: 200, body: body('ok', 'up') });
    expect(await get('/ready')).toEqual({ status: 200, body: body('ok', 'up') });

    redis.state = 'down';
    expect(await get('/health')).toEqual({ status: 200, body: body('degraded', 'down') });
    expect(await get('/ready')).toEqual({ status: 503, body: body('degraded', 'down') });
    redis.state = 'up';
  });

  test('counts the sockets', async () => {
    const stream = gateway.subscribe('subscription { noteChanged(boardId: "b1") { id } }');
    void stream.next();
    await subgraphs.listeners(1);

    expect((await get('/health')).body).toMatchObject({ websocket: { connectedClients: 1 } });
    await stream.return();
  });

  test('nothing else is there', async () => {
    for (const path of ['/', '/internal/notes.echo', '/graphql/x', '/metrics/../etc']) {
      expect(await get(path)).toMatchObject({ status: 404, body: { errors: [{ extensions: { code: 'NOT_FOUND' } }] } });
    }
  });
});

describe('a method that asks nothing', () => {
  test.each(['PATCH', 'OPTIONS', 'PROPFIND'])('%s is told which ones do', async (method) => {
    const response = await fetch(`${gateway.url}?query={viewer}`, { method });

    expect(response.status).toBe(405);
    expect(response.headers.get('allow')).toBe('HEAD, GET, POST, PUT, DELETE');
    expect(await response.json()).toMatchObject({ errors: [{ extensions: { code: 'METHOD_NOT_ALLOWED', retryable: false } }] });
  });

  test('is not found elsewhere either', async () => {
    expect((await fetch(new URL('/nothing', gateway.url), { method: 'DELETE' })).status).toBe(404);
  });
});

test('the answer protects browsers from itself', async () => {
  const { headers } = await gateway.ask('{ viewer }');

  expect(headers.get('content-security-policy')).toBe("default-src 'none';frame-ancestors 'none'");
  expect(headers.get('x-content-type-options')).toBe('nosniff');
  expect(headers.get('x-powered-by')).toBeNull();
});

test('stopping ends what is under way, says goodbye to sockets, and takes nothing new', async () => {
  const { all, people } = testSubgraphs();
  const asked = Promise.withResolvers<void>();
  const answer = Promise.withResolvers<{ data: { viewer: string } }>();
  const slow = { ...people, execute: () => (asked.resolve(), answer.promise) };
  const second = await openGatewayForTest({ subgraphs: all, transports: { people: slow } });
  const socket = new WebSocket(second.wsUrl, 'graphql-transport-ws');
  const goodbye = new Promise((resolve) => socket.once('close', resolve));
  await new Promise((resolve) => socket.once('open', resolve));
  const underWay = second.ask('{ viewer }');
  await asked.promise;

  const stopped = second.close();
  expect(await goodbye).toBe(1001);
  answer.resolve({ data: { viewer: 'late' } });

  expect((await underWay).data).toEqual({ viewer: 'late' });
  await stopped;
  const refused = new Promise((resolve, reject) => connect(second.port, '127.0.0.1').once('error', resolve).once('connect', reject));
  await expect(refused).resolves.toMatchObject({ code: 'ECONNREFUSED' });
});

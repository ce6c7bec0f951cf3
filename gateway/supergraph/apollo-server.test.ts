import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import { WebSocket } from 'ws';
import { createLog } from '#shared/base/log.ts';
import { testSubgraphs, type TestSubgraphs } from '../testing/test-subgraphs.ts';
import { openGatewayForTest, type TestGateway } from '../testing/open-gateway.ts';

const HASH = 'b'.repeat(64);
const nested = (levels: number): unknown => JSON.parse(`${'['.repeat(levels)}${']'.repeat(levels)}`);
const log = createLog('test');
const logged = { error: jest.spyOn(log, 'error') };

let subgraphs: TestSubgraphs;
let gateway: TestGateway;
const redis = { state: 'up' as 'up' | 'down' };
beforeAll(async () => {
  subgraphs = testSubgraphs();
  gateway = await openGatewayForTest({ subgraphs: subgraphs.all, log, checks: { redis: async () => redis.state } });
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
    ...['x', 1, [], { version: 1 }, { version: 1, sha256Hash: 5 }, { version: 2, sha256Hash: HASH }, { sha256Hash: '' }].map(
      (persistedQuery): [string, unknown, string] => [
        `with the hash ${JSON.stringify(persistedQuery)}`,
        { query: '{ viewer }', extensions: { persistedQuery } },
        'BAD_REQUEST',
      ],
    ),
    [
      'with a hash where none are known',
      { extensions: { persistedQuery: { version: 1, sha256Hash: HASH } } },
      'PERSISTED_QUERY_NOT_SUPPORTED',
    ],
    ['whose variables are nested without end', { query: '{ viewer }', variables: { v: nested(1_500) } }, 'BAD_USER_INPUT'],
    [
      'with null where a value is required',
      { query: 'query($a: Boolean) { viewer @include(if: $a) }', variables: { a: null } },
      'GRAPHQL_VALIDATION_FAILED',
    ],
    [
      'with null in place of a value that has a default',
      { query: 'query($a: Boolean = true) { viewer @include(if: $a) }', variables: { a: null } },
      'BAD_USER_INPUT',
    ],
  ])('%s is refused with its code', async (_case, body, code) => {
    const { status, headers, data, errors } = await gateway.post(body);

    expect([200, 400]).toContain(status);
    expect(data).toBeUndefined();
    expect(errors).toMatchObject([{ extensions: { code, retryable: false, correlationId: headers.get('x-correlation-id') } }]);
    expect(logged.error).not.toHaveBeenCalled();
  });

  test('with an empty operationName counts as one without', async () => {
    const body = { query: 'query A { viewer }', operationName: '' };
    const streamed = { ...body, extensions: {} };

    expect(await gateway.post(body)).toMatchObject({ status: 200, data: { viewer: 'null' } });
    expect(await gateway.post(streamed)).toMatchObject({ status: 200, data: { viewer: 'null' } });
    const inUrl = await fetch(`${gateway.url}?${new URLSearchParams(body)}`, { headers: { 'apollo-require-preflight': '1' } });
    expect(await inUrl.json()).toEqual({ data: { viewer: 'null' } });
    expect(await gateway.socket().iterate(body).next()).toMatchObject({ value: { data: { viewer: 'null' } } });
  });

  test('with the hash of its own source is served, known or not', async () => {
    const query = '{ viewer }';
    const sha256Hash = createHash('sha256').update(query).digest('hex');
    const extensions = { persistedQuery: { version: 1, sha256Hash } };

    expect(await gateway.post({ query, extensions })).toMatchObject({ status: 200, data: { viewer: 'null' } });
  });

  test.each<[string, unknown, string]>([
    ['without a variable it needs', { query: 'query($id: ID!) { note(id: $id) { id } }' }, 'id'],
    [
      'with a variable of the wrong type',
      { query: 'query($n: Int) { boards(first: $n) { nodes { id } } }', variables: { n: 'many' } },
      'n',
    ],
  ])('%s gets the reason', async (_case, body, variable) => {
    const { status, data, errors } = await gateway.post(body);

    expect(status).toBe(400);
    expect(data).toBeUndefined();
    expect(errors).toMatchObject([{ extensions: { code: 'BAD_USER_INPUT', path: [variable], retryable: false } }]);
  });

  test('that is no JSON is refused', async () => {
    expect(await gateway.post('{"query": ')).toMatchObject({ status: 400, errors: [{ extensions: { code: 'BAD_REQUEST' } }] });
  });

  test.each([
    '{"query":"{ viewer }","__proto__":{"admin":true}}',
    '{"query":"{ viewer }","variables":{"__proto__":1}}',
    '{"query":"{ viewer }","variables":{"a":[{"__proto__":null}]}}',
    '{"query":"{ viewer }","variables":{"constructor":{"prototype":1}}}',
  ])('with a forbidden property name gets the name: %s', async (body) => {
    expect(await gateway.post(body)).toMatchObject({
      status: 400,
      errors: [
        {
          message: 'The body must not hold the name "__proto__", nor "prototype" within "constructor".',
          extensions: { code: 'BAD_REQUEST', retryable: false },
        },
      ],
    });
  });

  test.each(['', '{', '{"__proto__":'])('that is no JSON gets an error: %s', async (body) => {
    expect(await gateway.post(body)).toMatchObject({ status: 400, errors: [{ message: 'The body must be JSON.' }] });
  });

  test('with a poisoned body is refused', async () => {
    expect((await gateway.post('{"query":"{ viewer }","__proto__":{"admin":true}}')).status).toBe(400);
    expect(({} as { admin?: boolean }).admin).toBeUndefined();
  });

  test('passes the deadline of the whole request to each subgraph', async () => {
    const start = Date.now();

    await gateway.ask('{ note(id: "n1") { author { name } } }', {}, { headers: { 'x-deadline': '99999999999999' } });

    for (const { deadline } of [subgraphs.notes.asked.at(-1)!, subgraphs.people.asked.at(-1)!]) {
      expect(deadline - start).toBeGreaterThan(29_000);
      expect(deadline - start).toBeLessThan(35_000);
    }
  });
});

describe('refuses compressed bodies and other charsets:', () => {
  const body = JSON.stringify({ query: '{ viewer }' });

  test.each<[string, Record<string, string>, string | Uint8Array<ArrayBuffer>]>([
    ['compressed', { 'content-type': 'application/json', 'content-encoding': 'gzip' }, new Uint8Array(gzipSync(body))],
    ['in another charset', { 'content-type': 'application/json; charset=ibm037' }, body],
    ['of another type', { 'content-type': 'application/graphql' }, '{ viewer }'],
  ])('%s', async (_case, headers, sent) => {
    const response = await fetch(gateway.url, { method: 'POST', headers, body: sent });

    expect(response.status).toBe(415);
    expect(await response.json()).toMatchObject({ errors: [{ extensions: { code: 'BAD_REQUEST', retryable: false } }] });
  });

  test.each(['application/json; charset=utf-8', 'application/json;charset="UTF-8"'])('but not as %s', async (type) => {
    const response = await fetch(gateway.url, { method: 'POST', headers: { 'content-type': type }, body });

    expect(await response.json()).toEqual({ data: { viewer: 'null' } });
  });

  test('serves OPTIONS without an origin like any other request', async () => {
    const response = await fetch(gateway.url, { method: 'OPTIONS', headers: { 'content-type': 'application/json' } });

    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ errors: [{ extensions: { code: 'BAD_REQUEST' } }] });
  });
});

describe('the correlation id', () => {
  const seen = async (given?: string) => {
    const { headers } = await gateway.ask('{ viewer }', {}, given === undefined ? {} : { headers: { 'x-correlation-id': given } });
    return { answered: headers.get('x-correlation-id'), asked: subgraphs.people.asked.at(-1)?.correlationId };
  };

  test('of the caller is passed on and returned', async () => {
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

  test('reports alive, and ready while its checks pass', async () => {
    for (const path of ['/health', '/healthz', '/api/health']) expect(await get(path)).toEqual({ status: 200, body: body('ok', 'up') });
    expect(await get('/ready')).toEqual({ status: 200, body: body('ok', 'up') });

    redis.state = 'down';
    expect(await get('/health')).toEqual({ status: 200, body: body('degraded', 'down') });
    expect(await get('/ready')).toEqual({ status: 503, body: body('degraded', 'down') });
    redis.state = 'up';
  });

  test('shows figures in production only to API keys with introspection', async () => {
    const keys = [
      { name: 'page', sha256: createHash('sha256').update('page').digest('hex'), introspection: false },
      { name: 'desk', sha256: createHash('sha256').update('desk').digest('hex'), introspection: true },
    ];
    const closed = await openGatewayForTest({ subgraphs: subgraphs.all, production: true, keys });
    const health = async (key?: string): Promise<unknown> =>
      (await fetch(new URL('/health', closed.url), { headers: key === undefined ? {} : { 'x-soko-key': key } })).json();

    for (const key of [undefined, 'page', 'wrong']) expect(await health(key)).not.toHaveProperty('websocket');
    expect(await health()).toMatchObject({ status: 'ok' });
    expect(await health('desk')).toMatchObject({ websocket: { connectedClients: 0 } });
    await closed.close();
  });

  test('counts the sockets', async () => {
    const stream = gateway.subscribe('subscription { noteChanged(boardId: "b1") { id } }');
    void stream.next();
    await subgraphs.listeners(1);

    expect((await get('/health')).body).toMatchObject({ websocket: { connectedClients: 1 } });
    await stream.return();
  });

  test('serves nothing else', async () => {
    for (const path of ['/', '/internal/notes.echo', '/graphql/x', '/metrics/../etc']) {
      expect(await get(path)).toMatchObject({ status: 404, body: { errors: [{ extensions: { code: 'NOT_FOUND' } }] } });
    }
  });
});

describe('an unsupported method', () => {
  test.each(['PATCH', 'OPTIONS', 'PROPFIND'])('%s gets the supported ones', async (method) => {
    const response = await fetch(`${gateway.url}?query={viewer}`, { method });

    expect(response.status).toBe(405);
    expect(response.headers.get('allow')).toBe('HEAD, GET, POST, PUT, DELETE');
    expect(await response.json()).toMatchObject({ errors: [{ extensions: { code: 'METHOD_NOT_ALLOWED', retryable: false } }] });
  });

  test('GET of a mutation gets the method to use', async () => {
    const query = 'mutation { rename(id: "p1", name: "Eve") { name } }';
    const response = await fetch(`${gateway.url}?${new URLSearchParams({ query })}`, { headers: { 'apollo-require-preflight': '1' } });

    expect(response.status).toBe(405);
    expect(response.headers.get('allow')).toBe('POST');
    expect(await response.json()).toMatchObject({
      errors: [{ message: 'This request must be sent by POST.', extensions: { code: 'METHOD_NOT_ALLOWED', retryable: false } }],
    });
  });

  test('is not found elsewhere either', async () => {
    expect((await fetch(new URL('/nothing', gateway.url), { method: 'DELETE' })).status).toBe(404);
  });
});

test("sends helmet's headers", async () => {
  const { headers } = await gateway.ask('{ viewer }');

  expect(headers.get('content-security-policy')).toBe("default-src 'none';frame-ancestors 'none'");
  expect(headers.get('x-content-type-options')).toBe('nosniff');
  expect(headers.get('x-powered-by')).toBeNull();
});

test('finishes requests in flight, closes sockets and refuses new ones when it stops', async () => {
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

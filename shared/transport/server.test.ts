import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { createClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import { Problem } from '../base/errors.ts';
import { BATCH_TYPE, writeBatch } from './batch-format.ts';
import { signIdentity, type Identity } from '../base/identity.ts';
import { serve, type Served } from './server.ts';
import { plainSubgraph } from '../testing/plain-subgraph.ts';

const identity: Identity = { issuer: 'test', viewer: { id: 'usr_1', roles: [], scopes: [] } };
const dependencies = { mongodb: 'up' as 'up' | 'down', redis: 'up' as 'up' | 'down' };

const notes = plainSubgraph({
  name: 'notes',
  typeDefs: `
    extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key"])
    type Query { note(id: ID!): Note  secret: String }
    type Subscription { counted(to: Int!): Int! }
    type Note @key(fields: "id") { id: ID!  text: String  reader: String }
  `,
  resolvers: {
    Query: {
      note: (_root: unknown, { id }: { id: string }) => ({ id, text: `note ${id}` }),
      secret: () => {
        throw new Error('connect ECONNREFUSED mongodb://10.0.0.3:27017');
      },
    },
    Subscription: {
      counted: {
        async *subscribe(_root: unknown, { to }: { to: number }) {
          for (let counted = 1; counted <= to; counted += 1) yield { counted };
        },
      },
    },
    Note: {
      __resolveReference: ({ id }: { id: string }) => ({ id, text: `note ${id}` }),
      reader: (_note: unknown, _args: unknown, request: { identity: Identity }) => request.identity.viewer?.id,
    },
  },
  commands: {
    'notes.echo': ({ input, idempotencyKey, identity: who }) => ({ input, idempotencyKey, viewer: who.viewer?.id }),
    'notes.refuse': () => {
      throw new Problem('NOTE_LOCKED', 'The note is locked.', { noteId: 'nte_1' });
    },
    'notes.break': () => {
      throw new Error('duplicate key in mongodb://10.0.0.3:27017');
    },
    'notes.linger': async () => {
      await sleep(300);
      return 'done';
    },
  },
  health: async () => dependencies,
});

let served: Served;
let key: string;
beforeAll(async () => {
  served = await serve(notes, { port: 0 });
  key = await signIdentity(identity, 'notes');
});
afterAll(() => served.close());

/** What a subgraph signs for a request to this path. */
const keyFor = (path: string): Promise<string> =>
  signIdentity(identity, 'notes', path === '/graphql' ? 'graphql' : `command ${path.split('/').at(-1)}`);

async function post(path: string, body: unknown, given?: Record<string, string>) {
  const headers = given ?? { 'x-internal-key': await keyFor(path) };
  const response = await fetch(served.url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  return { status: response.status, body: (await response.json()) as Record<string, any>, headers: response.headers };
}

const QUERY = '{ note(id: "1") { id text reader } }';

test('answers a request with a signed identity', async () => {
  const { status, body } = await post('/graphql', { query: QUERY });

  expect(status).toBe(200);
  expect(body).toEqual({ data: { note: { id: '1', text: 'note 1', reader: 'usr_1' } } });
});

test('listens on this machine only unless it is told otherwise', () => {
  expect(new URL(served.url).hostname).toBe('127.0.0.1');
});

describe('without a valid identity', () => {
  const ENTITIES = 'query($r: [_Any!]!) { _entities(representations: $r) { ... on Note { text } } }';
  const operations: [string, object][] = [
    ['a query', { query: QUERY }],
    ['the schema', { query: '{ _service { sdl } }' }],
    ['an entity', { query: ENTITIES, variables: { r: [{ __typename: 'Note', id: '1' }] } }],
    ['introspection', { query: '{ __schema { types { name } } }' }],
  ];

  test.each(operations)('refuses %s without a word of data', async (_case, operation) => {
    const { status, body } = await post('/graphql', operation, {});

    expect(status).toBe(401);
    expect(body).toEqual({ errors: [{ message: expect.any(String), extensions: expect.objectContaining({ code: 'UNAUTHENTICATED' }) }] });
  });

  test.each([
    ['for another subgraph', () => signIdentity(identity, 'boards')],
    ['that is made up', async () => 'let-me-in'],
  ])('refuses a key %s', async (_case, makeKey) => {
    const { status, body } = await post('/graphql', { query: QUERY }, { 'x-internal-key': await makeKey() });

    expect(status).toBe(401);
    expect(body).not.toHaveProperty('data');
  });

  test('refuses a command', async () => {
    const { status, body } = await post('/internal/notes.echo', { input: 1 }, {});

    expect(status).toBe(401);
    expect(body).toEqual({ error: expect.objectContaining({ code: 'UNAUTHENTICATED' }) });
  });

  test('refuses a subscription, and serves the next one on the same socket that has a key', async () => {
    const client = createClient({ url: `${served.url.replace('http', 'ws')}/graphql`, webSocketImpl: WebSocket, lazyCloseTimeout: 1_000 });
    const take = async (extensions?: Record<string, unknown>) => {
      const events: unknown[] = [];
      for await (const event of client.iterate({ query: 'subscription { counted(to: 3) }', extensions })) events.push(event.data);
      return events;
    };

    await expect(take()).rejects.toMatchObject([{ extensions: { code: 'UNAUTHENTICATED' } }]);
    await expect(take({ key: await signIdentity(identity, 'boards') })).rejects.toMatchObject([
      { extensions: { code: 'UNAUTHENTICATED' } },
    ]);

    expect(await take({ key })).toEqual([{ counted: 1 }, { counted: 2 }, { counted: 3 }]);
    await client.dispose();
  });
});

// D5
describe('a key opens what it was signed for, and nothing else:', () => {
  const admin: Identity = { issuer: 'gateway', viewer: { id: 'usr_root', roles: ['admin'], scopes: [] } };

  test.each([
    ["one for a client's query", () => signIdentity(admin, 'notes')],
    ['one of the gateway, whatever it says', () => signIdentity(admin, 'notes', 'command notes.echo')],
    ['one for another command', () => signIdentity(identity, 'notes', 'command notes.linger')],
  ])('%s opens no command', async (_case, sign) => {
    const { status, body } = await post('/internal/notes.echo', { input: 1 }, { 'x-internal-key': await sign() });

    expect(status).toBe(401);
    expect(body).toEqual({ error: expect.objectContaining({ code: 'UNAUTHENTICATED' }) });
  });

  const commandKey = () => signIdentity(identity, 'notes', 'command notes.echo');

  test('one for a command opens no query', async () => {
    const { status, body } = await post('/graphql', { query: QUERY }, { 'x-internal-key': await commandKey() });

    expect(status).toBe(401);
    expect(body).not.toHaveProperty('data');
  });

  test('one for a command opens no query of a batch', async () => {
    const keys = [await commandKey(), key];
    const body = writeBatch(keys.map((own) => ({ headers: { 'x-internal-key': own }, body: JSON.stringify({ query: QUERY }) })));

    const response = await fetch(`${served.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': BATCH_TYPE, 'x-internal-key': key },
      body,
    });

    const lines = (await response.text()).trim().split('\n').sort();
    expect(lines.map((line) => line.slice(0, 5))).toEqual(['0 401', '1 200']);
  });

  test('one for a command opens no subscription', async () => {
    const client = createClient({ url: `${served.url.replace('http', 'ws')}/graphql`, webSocketImpl: WebSocket });
    const events = client.iterate({ query: 'subscription { counted(to: 3) }', extensions: { key: await commandKey() } });

    await expect(events.next()).rejects.toMatchObject([{ extensions: { code: 'UNAUTHENTICATED' } }]);
    await client.dispose();
  });
});

describe('a body', () => {
  test('of several operations is refused', async () => {
    const { status, body } = await post('/graphql', [{ query: QUERY }, { query: QUERY }]);

    expect(status).toBe(400);
    expect(body['errors'][0].extensions.code).toBe('BAD_REQUEST');
  });

  test('that is no JSON is refused', async () => {
    const { status, body } = await post('/graphql', '{"query": ');

    expect(status).toBe(400);
    expect(body['errors'][0].extensions.code).toBe('BAD_REQUEST');
  });

  test('over the limit is refused', async () => {
    const { status, body } = await post('/internal/notes.echo', { input: 'x'.repeat(1024 * 1024) });

    expect(status).toBe(413);
    expect(body['error'].code).toBe('PAYLOAD_TOO_LARGE');
  });

  test('with a poisoned prototype is refused', async () => {
    const { status } = await post('/internal/notes.echo', '{"input": {"__proto__": {"admin": true}}}');

    expect(status).toBe(400);
    expect(({} as { admin?: boolean }).admin).toBeUndefined();
  });
});

describe('a command', () => {
  test('gets its input, its caller and its idempotency key', async () => {
    const headers = { 'x-internal-key': await keyFor('/internal/notes.echo'), 'idempotency-key': 'k-1' };
    const { status, body } = await post('/internal/notes.echo', { input: { a: [1] } }, headers);

    expect(status).toBe(200);
    expect(body).toEqual({ result: { input: { a: [1] }, idempotencyKey: 'k-1', viewer: 'usr_1' } });
  });

  test('is refused with its code and facts', async () => {
    const { status, body } = await post('/internal/notes.refuse', { input: null });

    expect(status).toBe(400);
    expect(body['error']).toMatchObject({
      code: 'NOTE_LOCKED',
      message: 'The note is locked.',
      extensions: { noteId: 'nte_1', retryable: false },
    });
  });

  test('that nobody answers is refused', async () => {
    const { status, body } = await post('/internal/notes.unknown', { input: null });

    expect(status).toBe(404);
    expect(body['error'].code).toBe('UNKNOWN_COMMAND');
  });

  test('that fails tells nothing of the reason', async () => {
    const { status, body } = await post('/internal/notes.break', { input: null });

    expect(status).toBe(500);
    expect(body['error'].code).toBe('INTERNAL_SERVER_ERROR');
    expect(JSON.stringify(body)).not.toMatch(/mongodb|duplicate|at /);
  });
});

test('a resolver that fails tells nothing of the reason', async () => {
  const { body } = await post('/graphql', { query: '{ secret }' });

  expect(body['data']).toEqual({ secret: null });
  expect(body['errors'][0].extensions.code).toBe('INTERNAL_SERVER_ERROR');
  expect(JSON.stringify(body)).not.toMatch(/ECONNREFUSED|10\.0\.0\.3/);
});

test('passes a well-formed correlation id on and replaces any other', async () => {
  await post('/graphql', { query: QUERY }, { 'x-internal-key': key, 'x-correlation-id': 'req-12345678' });
  await post('/graphql', { query: QUERY }, { 'x-internal-key': key, 'x-correlation-id': 'a b<script>' });

  const [first, second] = notes.asked.slice(-2).map(({ correlationId }) => correlationId);
  expect(first).toBe('req-12345678');
  expect(second).toMatch(/^[0-9a-f-]{36}$/);
});

describe('health', () => {
  const get = async (path: string) => {
    const response = await fetch(served.url + path);
    return { status: response.status, body: (await response.json()) as unknown };
  };
  const body = (status: string, checks: object) => ({
    status,
    service: 'notes',
    uptime: expect.any(Number),
    timestamp: expect.stringMatching(/^\d{4}-.*Z$/),
    checks,
    subgraphs: ['notes'],
  });

  test.each(['/healthz', '/api/health'])('is told at %s too, where platforms look for it', async (path) => {
    expect(await get(path)).toEqual({ status: 200, body: body('ok', { mongodb: 'up', redis: 'up' }) });
  });

  test('is told to anyone, with what it depends on', async () => {
    expect(await get('/health')).toEqual({ status: 200, body: body('ok', { mongodb: 'up', redis: 'up' }) });
    expect(await get('/ready')).toEqual({ status: 200, body: body('ok', { mongodb: 'up', redis: 'up' }) });
  });

  test('says alive but not ready when a dependency is down', async () => {
    dependencies.redis = 'down';
    try {
      expect(await get('/health')).toEqual({ status: 200, body: body('degraded', { mongodb: 'up', redis: 'down' }) });
      expect(await get('/ready')).toEqual({ status: 503, body: body('degraded', { mongodb: 'up', redis: 'down' }) });
    } finally {
      dependencies.redis = 'up';
    }
  });
});

test('finishes what is under way when it stops, and takes nothing new', async () => {
  const second = await serve(notes, { port: 0 });
  const started = fetch(`${second.url}/internal/notes.linger`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-internal-key': await keyFor('/internal/notes.linger') },
    body: '{"input":null}',
  });
  await sleep(100);

  await second.close();

  await expect(started.then((response) => response.json())).resolves.toEqual({ result: 'done' });
  const refused = new Promise((resolve, reject) => connect(second.port, '127.0.0.1').once('error', resolve).once('connect', reject));
  await expect(refused).resolves.toMatchObject({ code: 'ECONNREFUSED' });
});

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { getIntrospectionQuery } from 'graphql';
import { WebSocket } from 'ws';
import { testSubgraphs } from '../testing/test-subgraphs.ts';
import { openGatewayForTest, type TestGateway } from '../testing/open-gateway.ts';
import { LIMITS } from './use-limits.ts';

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await openGatewayForTest({ subgraphs: testSubgraphs().all });
});
afterAll(() => gateway.close());

const times = (count: number, make: (i: number) => string): string => Array.from({ length: count }, (_each, i) => make(i)).join(' ');
const nested = (levels: number): string =>
  `person(id: "p1") { boards { owner { ${'boards { owner { '.repeat(levels)}name${' } }'.repeat(levels)} } } }`;

const doubling = (levels: number): string =>
  `{ ...F0 } ${times(levels, (i) => `fragment F${i} on Query { ${i < levels - 1 ? `...F${i + 1} ...F${i + 1}` : '__typename'} }`)}`;

/** Each with the code it is refused with. */
const ATTACKS: [string, string, string][] = [
  ['5,000 aliases', `{ ${times(5_000, (i) => `a${i}: __typename`)} }`, 'GRAPHQL_PARSE_FAILED'],
  [
    'a mutation of 2,000 aliases',
    `mutation { ${times(2_000, (i) => `a${i}: rename(id: "p1", name: "x") { id }`)} }`,
    'GRAPHQL_PARSE_FAILED',
  ],
  ['16 aliases', `{ ${times(16, (i) => `a${i}: viewer`)} }`, 'OPERATION_TOO_COMPLEX'],
  ['16 aliases of __typename', `{ ${times(16, (i) => `a${i}: __typename`)} }`, 'OPERATION_TOO_COMPLEX'],
  ['aliases in fragments', `{ ...F } fragment F on Query { ${times(16, (i) => `a${i}: viewer`)} }`, 'OPERATION_TOO_COMPLEX'],
  ['9 directives', `query($a: Boolean = true) { ${times(9, () => '... @include(if: $a) { viewer }')} }`, 'OPERATION_TOO_COMPLEX'],
  ['a depth of 15', `{ ${nested(6)} }`, 'OPERATION_TOO_COMPLEX'],
  ['a depth of 60', `{ ${nested(29)} }`, 'OPERATION_TOO_COMPLEX'],
  [
    'a depth hidden in fragments',
    `{ person(id: "p1") { ...F0 } } ${times(7, (i) => `fragment F${i} on Person { boards { owner { ${i < 6 ? `...F${i + 1}` : 'name'} } } }`)}`,
    'OPERATION_TOO_COMPLEX',
  ],
  [
    'fragments that double at every level',
    `{ person(id: "p1") { ...F0 ...F0 } } ${times(18, (i) => `fragment F${i} on Person { ${i < 17 ? `...F${i + 1} friends { ...F${i + 1} }` : 'name'} }`)}`,
    'OPERATION_TOO_COMPLEX',
  ],
  ['fragments that double forty times', doubling(40), 'OPERATION_TOO_COMPLEX'],
  ['fragments that double ten times', doubling(11), 'OPERATION_TOO_COMPLEX'],
  ['9 directives that do not exist', `{ ${times(9, (i) => `viewer @d${i}`)} }`, 'OPERATION_TOO_COMPLEX'],
  [
    'fragments in a circle',
    '{ person(id: "p1") { ...A } } fragment A on Person { friends { ...B } } fragment B on Person { friends { ...A } }',
    'GRAPHQL_VALIDATION_FAILED',
  ],
  [
    'lists of lists that are long',
    '{ boards(first: 100000) { nodes { notes { author { boards { title } } } } } }',
    'OPERATION_TOO_COMPLEX',
  ],
  ['a literal without end', `{ person(id: ${'['.repeat(900)}) { name } }`, 'GRAPHQL_PARSE_FAILED'],
  ['2,000 times the same field', `{ ${times(2_000, () => 'viewer')} }`, 'GRAPHQL_PARSE_FAILED'],
];

describe('an operation with', () => {
  test.each(ATTACKS)('%s is refused over HTTP', async (_case, query, code) => {
    const { status, data, errors } = await gateway.ask(query);

    expect(status).toBe(400);
    expect(data).toBeUndefined();
    expect(errors?.[0]?.extensions.code).toBe(code);
  });

  test.each(ATTACKS.filter(([, query]) => query.length < LIMITS.socketMessageBytes))(
    '%s is refused over WebSocket with the same code',
    async (_case, query, code) => {
      await expect(gateway.subscribe(query).next()).rejects.toMatchObject([{ extensions: { code, correlationId: expect.any(String) } }]);
    },
  );
});

// Expanding one would outlast the test: 2 to the power of 40 fields.
test.each(['application/json', 'text/event-stream'])(
  'a document that grows when it is expanded is refused without expanding it to %s',
  async (accept) => {
    const ask = async (query: string, more = {}) => {
      const headers = { 'content-type': 'application/json', accept };
      const response = await fetch(gateway.url, { method: 'POST', headers, body: JSON.stringify({ query, ...more }) });
      return { status: response.status, body: await response.text() };
    };
    const answers = await Promise.all([ask(doubling(40)), ask(doubling(41), { extensions: {} }), ask(doubling(500))]);

    for (const { status, body } of answers.slice(0, 2))
      expect([status, JSON.parse(body)]).toMatchObject([400, { errors: [{ extensions: { code: 'OPERATION_TOO_COMPLEX' } }] }]);
    expect(answers[2]!.status).toBe(400);
  },
);

test('accepts a fragment spread as often as a page needs', async () => {
  const query = `{ ...F0 } ${times(9, (i) => `fragment F${i} on Query { ${i < 8 ? `...F${i + 1} ...F${i + 1}` : '__typename'} }`)}`;

  expect((await gateway.ask(query)).status).toBe(200);
});

test('applies the same limits to subscriptions', async () => {
  const deep = `subscription { noteChanged(boardId: "b1") { author { ${'boards { owner { '.repeat(7)}name${' } }'.repeat(7)} } } }`;

  await expect(gateway.subscribe(deep).next()).rejects.toMatchObject([{ extensions: { code: 'OPERATION_TOO_COMPLEX' } }]);
});

test('accepts the whole introspection query', async () => {
  const query = getIntrospectionQuery({
    descriptions: true,
    directiveIsRepeatable: true,
    schemaDescription: true,
    specifiedByUrl: true,
    inputValueDeprecation: true,
  });

  expect((await gateway.ask(query)).status).toBe(200);
  expect((await gateway.subscribe(query).next()).value?.errors).toBeUndefined();
});

describe('a body', () => {
  test('of 256 KB is read, a larger one is refused', async () => {
    const fits = await gateway.post({ query: '{ viewer }', variables: { padding: 'x'.repeat(LIMITS.bodyBytes - 100) } });
    const tooLarge = await gateway.post({ query: '{ viewer }', variables: { padding: 'x'.repeat(LIMITS.bodyBytes) } });

    expect(fits.data).toEqual({ viewer: 'null' });
    expect(tooLarge).toMatchObject({
      status: 413,
      errors: [{ extensions: { code: 'PAYLOAD_TOO_LARGE', correlationId: expect.any(String) } }],
    });
  });

  test('of several operations is refused', async () => {
    const { status, errors } = await gateway.post([{ query: '{ viewer }' }, { query: '{ viewer }' }]);

    expect(status).toBe(400);
    expect(errors?.[0]?.extensions.code).toBe('BAD_REQUEST');
  });
});

describe('a socket', () => {
  const raw = async () => {
    const socket = new WebSocket(gateway.wsUrl, 'graphql-transport-ws');
    await new Promise((resolve) => socket.once('open', resolve));
    const send = (message: unknown) => socket.send(typeof message === 'string' ? message : JSON.stringify(message));
    const closed = new Promise((resolve) => socket.once('close', resolve));
    return { socket, send, closed };
  };

  test('is closed with 1009 by a message over 64 KB', async () => {
    const { send, closed } = await raw();

    send('x'.repeat(LIMITS.socketMessageBytes + 1));

    expect(await closed).toBe(1009);
  });

  test.each([
    ['4400 by what is no message', ['hello'], 4400],
    ['4401 by an operation before its beginning', [{ id: '1', type: 'subscribe', payload: { query: '{ viewer }' } }], 4401],
    ['4429 by a second beginning', [{ type: 'connection_init' }, { type: 'connection_init' }], 4429],
    ['4408 by silence', [], 4408],
  ])('is closed with %s', async (_case, messages, code) => {
    const { send, closed } = await raw();

    for (const message of messages) send(message);

    expect(await closed).toBe(code);
  });

  test('is closed with 4409 when an id is used twice at a time', async () => {
    const { send, socket, closed } = await raw();
    send({ type: 'connection_init' });
    await new Promise((resolve) => socket.once('message', resolve));
    const operation = { id: '1', type: 'subscribe', payload: { query: 'subscription { noteChanged(boardId: "b1") { id } }' } };

    send(operation);
    send(operation);

    expect(await closed).toBe(4409);
  });

  test('carries at most 50 operations at a time', async () => {
    const client = gateway.socket();
    const open = Array.from({ length: 50 }, () => client.iterate({ query: 'subscription { noteChanged(boardId: "b1") { id } }' }));
    for (const stream of open) void stream.next();

    await expect(client.iterate({ query: '{ viewer }' }).next()).rejects.toMatchObject([
      { extensions: { code: 'TOO_MANY_OPERATIONS', retryable: true } },
    ]);

    await open[0]!.return?.();
    expect((await client.iterate({ query: '{ viewer }' }).next()).value).toEqual({ data: { viewer: 'null' } });
    await client.dispose();
  });
});

describe('sockets', () => {
  const opened = async (
    url: string,
    token?: string,
    headers: Record<string, string> = {},
  ): Promise<{ code: string | number; socket: WebSocket }> => {
    const socket = new WebSocket(url, 'graphql-transport-ws', { headers });
    const code = await new Promise<string | number>((resolve) => {
      socket.once('error', ({ message }) => resolve(message));
      socket.once('close', (closed) => resolve(closed));
      socket.once('message', (message: Buffer) => resolve(JSON.parse(message.toString()).type));
      socket.once('open', () =>
        socket.send(JSON.stringify({ type: 'connection_init', ...(token && { payload: { authorization: `Bearer ${token}` } }) })),
      );
    });
    return { code, socket };
  };

  test('are limited per address and per viewer', async () => {
    const options = { sockets: { perAddress: 5, perViewer: 2 }, trustedProxies: 1 };
    const narrow = await openGatewayForTest({ subgraphs: testSubgraphs().all, ...options });
    const ada = await narrow.tokenFor({ id: 'usr_ada' });
    const from = (address: string) => ({ 'x-forwarded-for': address });

    const own: Awaited<ReturnType<typeof opened>>[] = [];
    for (const address of ['10.0.0.1', '10.0.0.2', '10.0.0.3']) own.push(await opened(narrow.wsUrl, ada, from(address)));
    const others: typeof own = [];
    for (let i = 0; i < 6; i += 1) others.push(await opened(narrow.wsUrl, undefined, from('10.0.0.9')));
    const elsewhere = await opened(narrow.wsUrl, undefined, from('10.0.0.8'));
    const gone = new Promise((resolve) => own[0]!.socket.once('close', resolve));
    own[0]!.socket.close();
    await gone;
    let again = await opened(narrow.wsUrl, ada);
    while (again.code === 4429) again = await opened(narrow.wsUrl, ada);

    expect(own.map(({ code }) => code)).toEqual(['connection_ack', 'connection_ack', 4429]);
    expect(others.map(({ code }) => code)).toEqual([...Array(5).fill('connection_ack'), 'Unexpected server response: 429']);
    expect([elsewhere.code, again.code]).toEqual(['connection_ack', 'connection_ack']);
    await narrow.close();
  });

  const connectedTo = async (url: string): Promise<number> => {
    const health = (await (await fetch(url.replace('/graphql', '/health'))).json()) as { websocket: { connectedClients: number } };
    return health.websocket.connectedClients;
  };

  test('give their place back when they close while it is found out who they are', async () => {
    const held = Promise.withResolvers<boolean>();
    let asked = 0;
    const isRevoked = async (): Promise<boolean> => ((asked += 1) === 1 ? held.promise : false);
    const narrow = await openGatewayForTest({ subgraphs: testSubgraphs().all, sockets: { perAddress: 100, perViewer: 1 }, isRevoked });
    const ada = await narrow.tokenFor({ id: 'usr_ada', sessionId: 'ses_ada' });
    const gone = new WebSocket(narrow.wsUrl, 'graphql-transport-ws');
    await new Promise((resolve) => gone.once('open', resolve));
    gone.send(JSON.stringify({ type: 'connection_init', payload: { authorization: `Bearer ${ada}` } }));
    while (asked === 0) await new Promise((resolve) => setImmediate(resolve));

    const closed = new Promise((resolve) => gone.once('close', resolve));
    gone.terminate();
    await closed;
    while ((await connectedTo(narrow.url)) > 0) await new Promise((resolve) => setImmediate(resolve));
    held.resolve(false);

    expect((await opened(narrow.wsUrl, ada)).code).toBe('connection_ack');
    await narrow.close();
  });
});

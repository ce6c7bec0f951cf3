import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { WebSocket } from 'ws';
import { composeSupergraph } from '../../schema/compose.ts';
import { plainSubgraph } from '#shared/testing/plain-subgraph.ts';
import { openGatewayForTest, type TestGateway } from '../testing/open-gateway.ts';
import { ApiKeys, API_KEY_HEADER, type ApiKey } from './use-api-keys.ts';

const CONTRACT_HEADER = 'x-soko-contract';
const sha256 = (key: string): string => createHash('sha256').update(key).digest('hex');

const KEYS: ApiKey[] = [
  { name: 'shop', sha256: sha256('of-shop'), contract: 'reader', introspection: false },
  { name: 'printer', sha256: sha256('of-printer').toUpperCase(), contract: 'reader', introspection: true },
  { name: 'office', sha256: sha256('of-office'), introspection: false },
];

const notes = (readers = '@tag(name: "reader")') =>
  plainSubgraph({
    name: 'notes',
    typeDefs: `extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@tag"])
      type Query { note: Note ${readers} @tag(name: "editor")  drafts: [Note] @tag(name: "editor") }
      type Subscription { ticks: Int ${readers}  drafted: Int @tag(name: "editor") }
      type Note { text: String  author: String @tag(name: "editor") }`,
    resolvers: {
      Query: { note: () => ({ text: 'one', author: 'Ada' }), drafts: () => [] },
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
let closed: TestGateway;
beforeAll(async () => {
  gateway = await openGatewayForTest({ subgraphs: [notes()], keys: KEYS, production: true });
  closed = await openGatewayForTest({ subgraphs: [notes()], keys: KEYS, requiresKey: true });
});
afterAll(() => Promise.all([gateway.close(), closed.close()]));

/** Sends headers or parameters with an operation; returns the response, or the code of its error. */
type Ask = (query: string, sent?: Record<string, string>, of?: TestGateway) => Promise<unknown>;

/** Over sockets a refused operation is an error; a refused caller gets a close code. */
async function overSocket(query: string, options: Parameters<TestGateway['socket']>[0], of: TestGateway): Promise<unknown> {
  const socket = of.socket(options);
  try {
    const { value } = await socket.iterate<any>({ query }).next();
    return value;
  } catch (refused) {
    if (Array.isArray(refused)) return refused[0].extensions.code;
    const { code, reason } = refused as CloseEvent;
    return { code, reason };
  } finally {
    await socket.dispose();
  }
}

const overHttp: Ask = async (query, headers = {}, of = gateway) => {
  const { status, data, errors } = await of.ask(query, {}, { headers });
  const code = errors?.[0]?.extensions.code;
  if (status === 401 || status === 403) return { code: 4403, reason: code };
  return data === undefined ? code : { data };
};

const overEvents: Ask = async (query, headers = {}, of = gateway) => {
  const response = await fetch(of.url, {
    method: 'POST',
    headers: { accept: 'text/event-stream', 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ query }),
  });
  const text = await response.text();
  if (response.status === 200) return JSON.parse(/^data: (.*)$/m.exec(text)![1]!);
  const { errors } = JSON.parse(text) as { errors: { extensions: { code: string } }[] };
  const { code } = errors[0]!.extensions;
  return response.status === 400 ? code : { code: 4403, reason: code };
};

const withHeaders = (headers: Record<string, string>) =>
  class extends WebSocket {
    constructor(url: string, protocol: string) {
      super(url, protocol, { headers });
    }
  };

const WAYS: [string, Ask][] = [
  ['HTTP', overHttp],
  ['server-sent events', overEvents],
  ['the parameters of a socket', (query, connectionParams = {}, of = gateway) => overSocket(query, { connectionParams }, of)],
  ['the headers of a socket', (query, headers = {}, of = gateway) => overSocket(query, { webSocketImpl: withHeaders(headers) }, of)],
];

describe.each(WAYS)('over %s', (_way, ask) => {
  const refused = (reason: string) => ({ code: 4403, reason });

  test('gives the holder of a key its contract', async () => {
    expect(await ask('{ note { text } }', { [API_KEY_HEADER]: 'of-shop' })).toEqual({ data: { note: { text: 'one' } } });
    expect(await ask('{ note { author } }', { [API_KEY_HEADER]: 'of-shop' })).toBe('GRAPHQL_VALIDATION_FAILED');
    expect(await ask('{ drafts { text } }', { [API_KEY_HEADER]: 'of-shop' })).toBe('GRAPHQL_VALIDATION_FAILED');
    expect(await ask('{ note { author } }', { [API_KEY_HEADER]: 'of-office' })).toEqual({ data: { note: { author: 'Ada' } } });
  });

  test('refuses another contract to the holder of a key', async () => {
    expect(await ask('{ note { text } }', { [API_KEY_HEADER]: 'of-shop', [CONTRACT_HEADER]: 'editor' })).toEqual(refused('FORBIDDEN'));
    expect(await ask('{ note { text } }', { [API_KEY_HEADER]: 'of-shop', [CONTRACT_HEADER]: 'reader' })).toEqual({
      data: { note: { text: 'one' } },
    });
  });

  test('lets a caller with the whole graph narrow it', async () => {
    expect(await ask('{ note { author } }', { [API_KEY_HEADER]: 'of-office', [CONTRACT_HEADER]: 'reader' })).toBe(
      'GRAPHQL_VALIDATION_FAILED',
    );
    expect(await ask('{ note { author } }', { [CONTRACT_HEADER]: 'reader' })).toBe('GRAPHQL_VALIDATION_FAILED');
    expect(await ask('{ note { author } }')).toEqual({ data: { note: { author: 'Ada' } } });
  });

  test.each(['of-nobody', 'of-shop ish', sha256('of-shop'), '__proto__'])('refuses the unknown key %s', async (key) => {
    expect(await ask('{ note { text } }', { [API_KEY_HEADER]: key })).toEqual(refused('UNAUTHENTICATED'));
  });

  test('refuses a caller without a key when one is required', async () => {
    expect(await ask('{ note { text } }', {}, closed)).toEqual(refused('UNAUTHENTICATED'));
    expect(await ask('{ note { text } }', { [CONTRACT_HEADER]: 'reader' }, closed)).toEqual(refused('UNAUTHENTICATED'));
    expect(await ask('{ note { text } }', { [API_KEY_HEADER]: 'of-shop' }, closed)).toEqual({ data: { note: { text: 'one' } } });
  });

  test('shows the schema of its contract to a key with introspection, in production', async () => {
    const names = '{ __schema { subscriptionType { fields { name } } } __type(name: "Note") { fields { name } } }';

    expect(await ask(names, { [API_KEY_HEADER]: 'of-printer' })).toEqual({
      data: { __schema: { subscriptionType: { fields: [{ name: 'ticks' }] } }, __type: { fields: [{ name: 'text' }] } },
    });
    for (const key of ['of-shop', 'of-office']) expect(await ask(names, { [API_KEY_HEADER]: key })).toBe('INTROSPECTION_DISABLED');
  });
});

test.each(WAYS.slice(1))('subscriptions over %s are held to the contract of the key', async (_way, ask) => {
  expect(await ask('subscription { ticks }', { [API_KEY_HEADER]: 'of-shop' })).toEqual({ data: { ticks: 1 } });
  expect(await ask('subscription { drafted }', { [API_KEY_HEADER]: 'of-shop' })).toBe('GRAPHQL_VALIDATION_FAILED');
});

test('reads connection parameters like headers, whose names are case-insensitive', async () => {
  expect(await overSocket('{ note { author } }', { connectionParams: { 'X-Soko-Key': 'of-shop' } }, gateway)).toBe(
    'GRAPHQL_VALIDATION_FAILED',
  );
});

test('refuses an empty key', async () => {
  expect(await overHttp('{ note { text } }', { [API_KEY_HEADER]: '' })).toEqual({ code: 4403, reason: 'UNAUTHENTICATED' });
});

test('keeps responses to different keys apart in caches', async () => {
  const { headers } = await gateway.ask('{ note { text } }', {}, { headers: { [API_KEY_HEADER]: 'of-shop' } });

  expect(headers.get('vary')!.split(', ')).toContain(API_KEY_HEADER);
});

test('refuses a supergraph without the contract of a key', async () => {
  const without = notes('');
  await expect(openGatewayForTest({ subgraphs: [without], keys: KEYS })).rejects.toThrow(/shop.*reader/);

  const supergraphSdl = composeSupergraph([{ name: 'notes', url: 'http://notes/graphql', typeDefs: without.typeDefs }]);
  await expect(gateway.reload({ supergraphSdl, transports: { notes: without } })).rejects.toThrow(/shop.*reader/);

  expect(await overHttp('{ note { text } }', { [API_KEY_HEADER]: 'of-shop' })).toEqual({ data: { note: { text: 'one' } } });
});

test.each<[string, unknown]>([
  ['a key itself', [{ name: 'a', sha256: sha256('a'), key: 'a' }]],
  ['something else in the place of a hash', [{ name: 'a', sha256: 'of-shop' }]],
  ['a name twice', [KEYS[0], { ...KEYS[1], name: 'shop' }]],
  ['a key twice', [KEYS[0], { ...KEYS[0], name: 'other', sha256: KEYS[0]!.sha256.toUpperCase() }]],
  ['nobody', []],
])('refuses a list of keys with %s', (_case, list) => {
  expect(ApiKeys.safeParse(list).success).toBe(false);
  expect(ApiKeys.safeParse(KEYS).success).toBe(true);
});

import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { ApolloClient, gql, HttpLink, InMemoryCache } from '@apollo/client';
import type { ExecutionResult } from 'graphql';
import { openGatewayForTest, type TestGateway } from '../testing/open-gateway.ts';
import { testSubgraphs } from '../testing/test-subgraphs.ts';
import { testFeeds, type TestFeeds } from './test-feeds.ts';

// oxlint-disable-next-line typescript/no-explicit-any -- answers of any operation
type Result = ExecutionResult<any>;

const SAID = 'subscription Said($feed: ID!, $after: String) { said(feed: $feed, after: $after) { text feed { name } } }';
const DEFAULT_HEARTBEAT_MS = 50;

let feeds: TestFeeds;
let gateway: TestGateway;
const revoked = new Set<string>();
beforeEach(async () => {
  feeds = testFeeds();
  const isRevoked = async (sessionId: string): Promise<boolean> => revoked.has(sessionId);
  gateway = await openGatewayForTest({ subgraphs: feeds.all, heartbeatMs: DEFAULT_HEARTBEAT_MS, isRevoked, revocationCheckMs: 20 });
});
afterEach(() => gateway.close());

const FORMATS = {
  'server-sent events': 'text/event-stream',
  'multipart parts': 'multipart/mixed;boundary=graphql;subscriptionSpec=1.0, application/json',
};
type Name = keyof typeof FORMATS;
const NAMES = Object.keys(FORMATS) as Name[];

interface Asked {
  variables?: object;
  token?: string;
  signal?: AbortSignal;
}

const post = (accept: string, query: string, { variables, token, signal }: Asked = {}): Promise<Response> =>
  fetch(gateway.url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept, ...(token && { authorization: `Bearer ${token}` }) },
    body: JSON.stringify({ query, variables }),
    ...(signal && { signal }),
  });

/** What a client of the format reads, piece by piece; the heartbeats among it are undefined. */
async function* read(name: Name, response: Response): AsyncGenerator<Result | 'end' | undefined, void, void> {
  let text = '';
  const separator = name === 'multipart parts' ? '\r\n--graphql' : '\n\n';
  for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    for (let end = text.indexOf(separator); end >= 0; end = text.indexOf(separator)) {
      const piece = text.slice(0, end);
      text = text.slice(end + separator.length);
      if (piece !== '') yield name === 'multipart parts' ? partOf(piece) : eventOf(piece);
    }
  }
  if (text.startsWith('--')) yield 'end';
}

function partOf(piece: string): Result | undefined {
  const [, body] = /^\r\ncontent-type: application\/json\r\n\r\n(.*)$/.exec(piece)!;
  const { payload, errors } = JSON.parse(body!) as { payload?: Result | null; errors?: Result['errors'] };
  return errors ? { errors } : (payload ?? undefined);
}

function eventOf(piece: string): Result | 'end' | undefined {
  if (piece === ':') return undefined;
  if (piece === 'event: complete\ndata:') return 'end';
  const [, data] = /^event: next\ndata: (.*)$/.exec(piece)!;
  return JSON.parse(data!) as Result;
}

async function take(stream: AsyncGenerator<Result | 'end' | undefined>, count: number): Promise<(Result | 'end')[]> {
  const onSent: (Result | 'end')[] = [];
  while (onSent.length < count) {
    const { value, done } = await stream.next();
    if (done) break;
    if (value) onSent.push(value);
  }
  return onSent;
}

describe.each(NAMES)('a subscription by %s', (name) => {
  const open = async (query: string, asked?: Asked) => {
    const response = await post(FORMATS[name], query, asked);
    return { response, stream: read(name, response) };
  };

  test('delivers events as they happen, shares streams with sockets, and closes with its client', async () => {
    const socket = gateway.subscribe(SAID, { feed: 'f1' });
    const first = socket.next();
    await feeds.streams(1);
    const leave = new AbortController();
    const { response, stream } = await open(SAID, { variables: { feed: 'f1' }, signal: leave.signal });
    expect(response.status).toBe(200);
    expect(response.headers.get('x-correlation-id')).not.toBeNull();
    expect(response.headers.get('x-content-type-options')).toBe('nosniff');

    feeds.say('f1', 'one');

    const event = { data: { said: { text: 'one', feed: { name: 'feed f1' } } }, extensions: { cursor: '1' } };
    expect(await take(stream, 1)).toEqual([event]);
    expect((await first).value).toEqual(event);
    expect(feeds.open()).toBe(1);
    await socket.return();
    leave.abort();
    await feeds.streams(0);
  });

  test('resumes from a cursor', async () => {
    for (const text of ['one', 'two', 'three']) feeds.say('f1', text);
    const leave = new AbortController();

    const { stream } = await open(SAID, { variables: { feed: 'f1', after: '1' }, signal: leave.signal });

    expect((await take(stream, 2)).map((event) => (event as Result).data.said.text)).toEqual(['two', 'three']);
    leave.abort();
    await feeds.streams(0);
  });

  test('ends with its subscription', async () => {
    const { stream } = await open('subscription { counted(to: 2) }');

    expect(await take(stream, 9)).toEqual([{ data: { counted: 1 } }, { data: { counted: 2 } }, 'end']);
  });

  test('sends heartbeats', async () => {
    const leave = new AbortController();
    const { stream } = await open(SAID, { variables: { feed: 'f1' }, signal: leave.signal });

    for (let beats = 0; beats < 3; beats += 1) expect((await stream.next()).value).toBeUndefined();
    leave.abort();
  });

  test('passes on the Problem of a subscription', async () => {
    const { response, stream } = await open(SAID, { variables: { feed: 'f1', after: '9' } });

    expect(response.status).toBe(200);
    expect(await take(stream, 9)).toMatchObject([{ errors: [{ extensions: { code: 'CURSOR_EXPIRED' } }] }, 'end']);
  });

  test.each([
    ['is no GraphQL', 'subscription {', 'GRAPHQL_PARSE_FAILED'],
    ['does not fit the schema', 'subscription { nothing }', 'GRAPHQL_VALIDATION_FAILED'],
    ['is larger than one may be', `subscription { ${Array.from({ length: 20 }, (_, i) => `a${i}: counted(to: 1)`).join(' ')} }`, /./],
  ])('that %s is refused before it starts', async (_case, query, code) => {
    const response = await post(FORMATS[name], query);

    expect(response.status).toBe(400);
    const { errors } = (await response.json()) as { errors: { extensions: { code: string; correlationId: string } }[] };
    expect(errors[0]!.extensions.code).toMatch(code);
    expect(errors[0]!.extensions.correlationId).toBe(response.headers.get('x-correlation-id'));
  });

  test('is refused with an invalid token', async () => {
    const response = await post(FORMATS[name], SAID, { variables: { feed: 'f1' }, token: 'a.b.c' });

    expect(response.status).toBe(401);
    expect(await response.json()).toMatchObject({ errors: [{ extensions: { code: 'UNAUTHENTICATED' } }] });
  });

  test.each(['the access token expires', 'the session is ended'])('ends when %s', async (why) => {
    const expires = why === 'the access token expires';
    const sessionId = `ses_${name}`;
    const token = await gateway.tokenFor({ id: 'ann', sessionId }, expires ? 5 : 900);
    const { stream } = await open(SAID, { variables: { feed: 'f1' }, token });
    await feeds.streams(1);

    if (!expires) revoked.add(sessionId);

    expect(await take(stream, 9)).toMatchObject([{ errors: [{ extensions: { code: 'UNAUTHENTICATED' } }] }, 'end']);
    await feeds.streams(0);
    revoked.clear();
  });

  test('is destroyed, not ended, when the gateway closes, so that its client reconnects', async () => {
    const { stream } = await open(SAID, { variables: { feed: 'f1' } });
    await feeds.streams(1);
    const rest = take(stream, 9);

    await gateway.close();

    await expect(rest).rejects.toThrow();
    gateway = await openGatewayForTest({ subgraphs: feeds.all });
  });
});

test('returns queries and mutations as server-sent events too', async () => {
  const response = await post('text/event-stream', '{ feed(id: "f1") { name } }');

  expect(await take(read('server-sent events', response), 9)).toEqual([{ data: { feed: { name: 'feed f1' } } }, 'end']);
});

test('returns queries as JSON and subscriptions as events to a client that accepts both', async () => {
  const everything = 'application/graphql-response+json, application/json, text/event-stream, multipart/mixed';

  const query = await post(everything, '{ feed(id: "f1") { name } }');
  const subscription = await post(everything, 'subscription { counted(to: 1) }');

  expect(await query.json()).toEqual({ data: { feed: { name: 'feed f1' } } });
  expect(await take(read('server-sent events', subscription), 9)).toEqual([{ data: { counted: 1 } }, 'end']);
});

test.each([
  ['text/event-stream, multipart/mixed;subscriptionSpec="1.0";q=0.5', 'text/event-stream'],
  ['text/event-stream;q=0.5, multipart/mixed;subscriptionSpec=1.0', 'multipart/mixed'],
  ['text/event-stream;q=0.0, multipart/mixed;subscriptionSpec=1.0;q=0.1', 'multipart/mixed'],
  ['text/event-stream;q=0, application/json', 'application/json'],
])('who accepts %s gets %s', async (accept, type) => {
  const response = await post(accept, 'subscription { counted(to: 1) }');

  expect(response.headers.get('content-type')?.split(';')[0]).toBe(type);
  await response.text();
});

test("Apollo's client subscribes over HTTP by itself", async () => {
  const client = new ApolloClient({ link: new HttpLink({ uri: gateway.url }), cache: new InMemoryCache() });
  const events: unknown[] = [];
  const told = Promise.withResolvers<void>();
  const subscription = client.subscribe<Result>({ query: gql(SAID), variables: { feed: 'f1' } }).subscribe({
    next: (event) => {
      events.push(event);
      if (events.length === 2) told.resolve();
    },
    error: told.reject,
  });
  await feeds.streams(1);

  feeds.say('f1', 'one');
  feeds.say('f1', 'two');
  await told.promise;

  const event = (text: string, cursor: string) => ({
    data: { said: { __typename: 'Entry', text, feed: { __typename: 'Feed', name: 'feed f1' } } },
    extensions: { cursor },
  });
  expect(events).toEqual([event('one', '1'), event('two', '2')]);
  subscription.unsubscribe();
  await feeds.streams(0);
  client.stop();
});

describe('an EventSource, which uses GET,', () => {
  const get = (asked: Record<string, string>): Promise<Response> =>
    fetch(`${gateway.url}?${new URLSearchParams(asked).toString()}`, { headers: { accept: 'text/event-stream' } });

  test('gets events too', async () => {
    for (const text of ['one', 'two']) feeds.say('f1', text);

    const response = await get({ query: SAID, operationName: 'Said', variables: '{"feed":"f1","after":"1"}' });

    const stream = read('server-sent events', response);
    expect((await take(stream, 1)).map((event) => (event as Result).data.said.text)).toEqual(['two']);
    await stream.return();
    await feeds.streams(0);
  });

  test.each([
    ['variables that are none', { query: SAID, variables: '[1]' }],
    ['variables that are no JSON', { query: SAID, variables: '{' }],
  ])('gets no stream for %s', async (_case, asked) => {
    const response = await get(asked);

    expect(response.status).toBeGreaterThanOrEqual(400);
    expect(response.headers.get('content-type')).not.toContain('event-stream');
    expect(await response.json()).toMatchObject({ errors: [{ extensions: { code: expect.any(String) } }] });
    expect(feeds.open()).toBe(0);
  });

  test('changes nothing', async () => {
    const { all, people } = testSubgraphs();
    const notes = await openGatewayForTest({ subgraphs: all });
    const query = new URLSearchParams({ query: 'mutation { rename(id: "p1", name: "Eve") { name } }' });

    const response = await fetch(`${notes.url}?${query.toString()}`, {
      headers: { accept: 'text/event-stream', 'apollo-require-preflight': '1' },
    });

    expect(response.status).toBe(406);
    expect(people.asked).toEqual([]);
    await notes.close();
  });
});

test('limits the streams of a viewer over HTTP and sockets together', async () => {
  const own = testFeeds();
  const narrow = await openGatewayForTest({ subgraphs: own.all, sockets: { perAddress: 100, perViewer: 2 } });
  const authorization = `Bearer ${await narrow.tokenFor({ id: 'usr_ada' })}`;
  const ask = (leave: AbortController, as: Record<string, string> = { authorization }) =>
    fetch(narrow.url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'text/event-stream', ...as },
      body: JSON.stringify({ query: SAID, variables: { feed: 'f1' } }),
      signal: leave.signal,
    });
  const leave = [1, 2, 3, 4].map(() => new AbortController());

  const first = [await ask(leave[0]!), await ask(leave[1]!)];
  const third = await ask(leave[2]!);
  const nobodys = await ask(leave[2]!, {});
  leave[0]!.abort();
  let again = await ask(leave[3]!);
  while (again.headers.get('content-type') !== 'text/event-stream; charset=utf-8') again = await ask(leave[3]!);

  expect(first.map(({ status }) => status)).toEqual([200, 200]);
  expect(await third.json()).toMatchObject({ errors: [{ extensions: { code: 'TOO_MANY_OPERATIONS', retryable: true } }] });
  expect(nobodys.headers.get('content-type')).toContain('text/event-stream');
  for (const each of leave) each.abort();
  await narrow.close();
});

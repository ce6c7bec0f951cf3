import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { createClient, type Client } from 'graphql-sse';
import { openGatewayForTest, type TestGateway } from '../testing/open-gateway.ts';
import { complete, EventStreams, next, take, TOKEN, type Headers } from './test-event-streams.ts';
import { testFeeds, type TestFeeds } from './test-feeds.ts';

const SAID = 'subscription Said($feed: ID!, $after: String) { said(feed: $feed, after: $after) { text feed { name } } }';
/** Larger than what the system itself keeps for a connection. */
const LONG = 'x'.repeat(200_000);

let feeds: TestFeeds;
let gateway: TestGateway;
let streams: EventStreams;
const revoked = new Set<string>();
const clients: Client<true>[] = [];
beforeEach(async () => {
  feeds = testFeeds();
  const isRevoked = async (sessionId: string): Promise<boolean> => revoked.has(sessionId);
  gateway = await openGatewayForTest({ subgraphs: feeds.all, isRevoked, revocationCheckMs: 20 });
  streams = new EventStreams(gateway.url);
});
afterEach(async () => {
  for (const client of clients.splice(0)) client.dispose();
  streams.close();
  await gateway.close();
  revoked.clear();
});

const event = (text: string, cursor: string, feed = 'f1') => ({
  data: { said: { text, feed: { name: `feed ${feed}` } } },
  extensions: { cursor },
});
const code = async (response: Response): Promise<unknown> =>
  ((await response.json()) as { errors: { extensions: { code: string } }[] }).errors[0]!.extensions.code;

describe("graphql-sse's client with a single connection", () => {
  const open = (headers: Headers = {}) => {
    const client = createClient({ url: gateway.url, singleConnection: true, retryAttempts: 0, headers });
    clients.push(client);
    return client;
  };

  test('carries queries and subscriptions, and stops each by itself', async () => {
    const client = open();
    const [one, two] = ['f1', 'f2'].map((feed) => client.iterate<any>({ query: SAID, variables: { feed } }));
    const firsts = [one!.next(), two!.next()];
    await feeds.streams(2);
    const answers: unknown[] = [];
    for await (const answer of client.iterate({ query: '{ feed(id: "f3") { name } }' })) answers.push(answer);

    feeds.say('f1', 'to one');
    feeds.say('f2', 'to two');

    expect(answers).toEqual([{ data: { feed: { name: 'feed f3' } } }]);
    expect((await firsts[0]!).value).toEqual(event('to one', '1'));
    expect((await firsts[1]!).value).toEqual(event('to two', '2', 'f2'));
    await one!.return!();
    await feeds.streams(1);
    feeds.say('f2', 'again');
    expect((await two!.next()).value).toEqual(event('again', '3', 'f2'));
  });

  test('completes an operation that has ended', async () => {
    const events: unknown[] = [];

    for await (const { data } of open().iterate<any>({ query: 'subscription { counted(to: 3) }' })) events.push(data);

    expect(events).toEqual([{ counted: 1 }, { counted: 2 }, { counted: 3 }]);
  });

  test('stops every operation when the client disconnects', async () => {
    const client = open({ authorization: `Bearer ${await gateway.tokenFor({ id: 'ann' })}` });
    for (const feed of ['f1', 'f2'])
      void client
        .iterate({ query: SAID, variables: { feed } })
        .next()
        .catch(() => undefined);
    await feeds.streams(2);

    client.dispose();

    await feeds.streams(0);
  });
});

test('holds responses until the stream is opened', async () => {
  const reserved = await streams.reserve();
  expect((await streams.ask(reserved, 'a', SAID, { feed: 'f1' })).status).toBe(202);
  expect((await streams.ask(reserved, 'b', '{ feed(id: "f2") { name } }')).status).toBe(202);
  await feeds.streams(1);
  for (const text of ['one', 'two', 'three']) feeds.say('f1', text);

  const { response, messages } = await streams.listen(reserved);

  expect(response.headers['content-type']).toBe('text/event-stream; charset=utf-8');
  const all = await take(messages, 5);
  expect(all.filter(({ data }) => data.id === 'a')).toEqual([
    next('a', event('one', '1')),
    next('a', event('two', '2')),
    next('a', event('three', '3')),
  ]);
  expect(all.filter(({ data }) => data.id === 'b')).toEqual([next('b', { data: { feed: { name: 'feed f2' } } }), complete('b')]);
});

test('accepts the token of an EventSource in the URL', async () => {
  const reserved = await streams.reserve();
  await streams.ask(reserved, 'a', 'subscription { counted(to: 1) }');

  const response = await streams.call('GET', { accept: 'text/event-stream' }, { search: `?token=${reserved[TOKEN]}` });

  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  while (!text.includes('complete')) text += (await reader.read()).value;
  expect(text).toBe(`:\n\nevent: next\ndata: {"id":"a","payload":{"data":{"counted":1}}}\n\nevent: complete\ndata: {"id":"a"}\n\n`);
  await reader.cancel();
});

test('refuses an invalid operation in the response to its request, and frees its id', async () => {
  const reserved = await streams.reserve();
  const { messages } = await streams.listen(reserved);

  for (const [query, expected] of [
    ['{ nothing }', 'GRAPHQL_VALIDATION_FAILED'],
    ['{', 'GRAPHQL_PARSE_FAILED'],
    ['', 'BAD_REQUEST'],
  ] as const) {
    const response = await streams.ask(reserved, 'a', query);
    expect(response.status).toBe(400);
    expect(await code(response)).toBe(expected);
  }
  expect(await code(await streams.call('POST', reserved, { body: { query: '{ feed(id: "f1") { name } }' } }))).toBe('BAD_REQUEST');
  expect((await streams.ask(reserved, 'a', 'subscription { counted(to: 1) }')).status).toBe(202);

  expect(await take(messages, 2)).toEqual([next('a', { data: { counted: 1 } }), complete('a')]);
});

test('reports an operation that cannot start over the stream', async () => {
  const reserved = await streams.reserve();
  const { messages } = await streams.listen(reserved);

  await streams.ask(reserved, 'a', SAID, { feed: 'f1', after: '9' });

  const refusal = { errors: [{ extensions: { code: 'CURSOR_EXPIRED' } }] };
  expect(await take(messages, 2)).toMatchObject([{ event: 'next', data: { id: 'a', payload: refusal } }, complete('a')]);
});

describe('a token', () => {
  test('is useless to another principal', async () => {
    const as = async (id: string, sessionId: string) => ({ authorization: `Bearer ${await gateway.tokenFor({ id, sessionId })}` });
    const reserved = await streams.reserve(await as('ann', 'ses_1'));
    await streams.ask(reserved, 'a', SAID, { feed: 'f1' });
    await feeds.streams(1);

    for (const other of [{}, await as('bob', 'ses_2'), await as('ann', 'ses_3')]) {
      const stolen = { ...other, [TOKEN]: reserved[TOKEN]! };
      const { response } = await streams.listen(stolen);
      expect(response.statusCode).toBe(404);
      expect((await streams.ask(stolen, 'b', SAID, { feed: 'f1' })).status).toBe(404);
      expect((await streams.stop(stolen, 'a')).status).toBe(404);
    }
    expect(feeds.open()).toBe(1);
  });

  test('serves its principal with a refreshed access token', async () => {
    const bearer = async (roles: string[]) => `Bearer ${await gateway.tokenFor({ id: 'ann', sessionId: 'ses_1', roles })}`;
    const reserved = await streams.reserve({ authorization: await bearer(['editor']) });

    const { response } = await streams.listen({ ...reserved, authorization: await bearer([]) });

    expect(response.statusCode).toBe(200);
  });

  test('opens one stream, once', async () => {
    const reserved = await streams.reserve();
    const { leave } = await streams.listen(reserved);
    await streams.ask(reserved, 'a', SAID, { feed: 'f1' });
    await feeds.streams(1);
    expect((await streams.listen(reserved)).response.statusCode).toBe(400);

    leave();
    await feeds.streams(0);

    expect((await streams.listen(reserved)).response.statusCode).toBe(404);
    expect((await streams.ask(reserved, 'a', SAID, { feed: 'f1' })).status).toBe(404);
  });

  test('that is unknown, or missing, is not found', async () => {
    for (const headers of [{ [TOKEN]: '__proto__' }, {}] as Headers[]) {
      expect((await streams.stop(headers, 'a')).status).toBe(404);
    }
    expect((await streams.ask({ [TOKEN]: 'x' }, 'a', SAID)).status).toBe(404);
    expect((await streams.listen({ [TOKEN]: 'x' })).response.statusCode).toBe(404);
  });
});

describe('limits', () => {
  const openSubscriptions = async (): Promise<number> => {
    const { websocket } = (await (await fetch(new URL('/health', gateway.url))).json()) as {
      websocket: { subscriptions: { said: { open: number } } };
    };
    return websocket.subscriptions.said.open;
  };

  test('refuses one token too many with 429', async () => {
    const responses = await Promise.all(Array.from({ length: 51 }, () => streams.call('PUT')));

    const [refused, ...others] = responses.filter(({ status }) => status !== 201);
    expect(others).toEqual([]);
    expect(refused!.status).toBe(429);
    expect(await code(refused!)).toBe('TOO_MANY_OPERATIONS');
  });

  test('limits the operations of a connection, each with its own id', async () => {
    const reserved = await streams.reserve();
    for (let index = 0; index < 50; index += 1) expect((await streams.ask(reserved, `${index}`, SAID, { feed: 'f1' })).status).toBe(202);

    expect(await code(await streams.ask(reserved, '1', SAID, { feed: 'f1' }))).toBe('BAD_REQUEST');
    expect(await code(await streams.ask(reserved, '50', SAID, { feed: 'f1' }))).toBe('TOO_MANY_OPERATIONS');

    expect((await streams.stop(reserved, '1')).status).toBe(200);
    expect((await streams.ask(reserved, '50', SAID, { feed: 'f1' })).status).toBe(202);
  });

  test('sends an error to a client that does not read, and closes', async () => {
    const reserved = await streams.reserve();
    const { response } = await streams.listen(reserved);
    for (const id of ['a', 'b']) await streams.ask(reserved, id, SAID, { feed: 'f1' });
    await feeds.streams(1);

    while ((await openSubscriptions()) === 2) feeds.say('f1', LONG);
    const text = String(Buffer.concat(await response.toArray()));

    for (const id of ['a', 'b']) {
      expect(text.slice(-1_000)).toMatch(new RegExp(`"id":"${id}","payload":{"errors":.*SLOW_CONSUMER`));
      expect(text).toContain(`event: complete\ndata: {"id":"${id}"}`);
    }
  });
});

test.each(['the access token expires', 'the session is ended'])('ends when %s', async (why) => {
  const expires = why === 'the access token expires';
  const authorization = `Bearer ${await gateway.tokenFor({ id: 'ann', sessionId: 'ses_1' }, expires ? 5 : 900)}`;
  const reserved = await streams.reserve({ authorization });
  const { messages } = await streams.listen(reserved);
  await streams.ask(reserved, 'a', SAID, { feed: 'f1' });
  await feeds.streams(1);

  if (!expires) revoked.add('ses_1');

  const refusal = { errors: [{ extensions: { code: 'UNAUTHENTICATED' } }] };
  expect(await take(messages, 2)).toMatchObject([{ event: 'next', data: { id: 'a', payload: refusal } }, complete('a')]);
  expect((await messages.next()).done).toBe(true);
  await feeds.streams(0);
});

test('is destroyed, not ended, when the gateway closes, so that its client reconnects', async () => {
  const reserved = await streams.reserve();
  const { messages } = await streams.listen(reserved);
  await streams.ask(reserved, 'a', SAID, { feed: 'f1' });
  await feeds.streams(1);
  const rest = messages.next();

  await gateway.close();

  await expect(rest).rejects.toThrow();
  gateway = await openGatewayForTest({ subgraphs: feeds.all });
});

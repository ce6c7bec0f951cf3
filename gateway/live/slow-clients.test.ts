import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { ExecutionResult } from 'graphql';
import { WebSocket } from 'ws';
import { openGatewayForTest, type TestGateway } from '../testing/open-gateway.ts';
import type { Counters } from './counters.ts';
import { SLOW_CONSUMER_CODE } from './over-socket.ts';
import { testFeeds, type TestFeeds } from './test-feeds.ts';

/** Larger than what the system itself keeps for a connection. */
const LONG = 'x'.repeat(200_000);
const ENOUGH = 100;
const PATIENCE_MS = 10_000;

let feeds: TestFeeds;
let gateway: TestGateway;
beforeEach(async () => {
  feeds = testFeeds();
  gateway = await openGatewayForTest({ subgraphs: feeds.all });
});
afterEach(() => gateway.close());

const counters = async (field: string): Promise<Counters> => {
  const { websocket } = (await (await fetch(new URL('/health', gateway.url))).json()) as {
    websocket: { subscriptions: Record<string, Counters> };
  };
  return websocket.subscriptions[field]!;
};

async function until(holds: () => Promise<boolean>): Promise<void> {
  const latest = Date.now() + PATIENCE_MS;
  while (!(await holds())) {
    if (Date.now() > latest) throw new Error('It did not come about.');
    await new Promise((resolve) => setImmediate(resolve));
  }
}

const subscription = (field: string, after: string | null = null): string =>
  `subscription { ${field}(feed: "f1", after: ${JSON.stringify(after)}) { text } }`;

/** A socket that has subscribed and reads nothing from then on. */
async function stalledSocket(field: string, after?: string): Promise<WebSocket> {
  const socket = new WebSocket(gateway.wsUrl, 'graphql-transport-ws');
  await once(socket, 'open');
  socket.send('{"type":"connection_init"}');
  await once(socket, 'message');
  socket.send(JSON.stringify({ id: 'stalled', type: 'subscribe', payload: { query: subscription(field, after) } }));
  socket.pause();
  await until(async () => (await counters(field))?.open > 0);
  return socket;
}

const lastOf = (text: string) => text.slice(LONG.length);

test('closes a socket that is not read with 4013, without effect on others', async () => {
  const stalled = await stalledSocket('said');
  const well = gateway.subscribe(subscription('said'));
  const first = well.next();
  await until(async () => (await counters('said')).open === 2);

  const heard: string[] = [];
  for (let index = 0; index < ENOUGH; index += 1) {
    feeds.say('f1', `${LONG}${index}`);
    const { value } = index === 0 ? await first : await well.next();
    heard.push(lastOf(value!.data.said.text));
  }

  expect(heard).toEqual(Array.from({ length: ENOUGH }, (_, index) => `${index}`));
  const { open, lagging, sent, dropped } = await counters('said');
  expect({ open, lagging }).toEqual({ open: 1, lagging: 0 });
  expect(dropped).toBeGreaterThan(0);
  expect(sent).toBeLessThan(2 * ENOUGH);
  stalled.resume();
  const [code, reason] = (await once(stalled, 'close')) as [number, Buffer];
  expect([code, String(reason)]).toEqual([SLOW_CONSUMER_CODE, 'SLOW_CONSUMER: resume after the last cursor']);
  await well.return();
});

test('replays at the pace of the client, without closing it', async () => {
  for (let index = 0; index < ENOUGH; index += 1) feeds.say('f1', `${LONG}${index}`);
  const stalled = await stalledSocket('said', '0');
  const texts: string[] = [];
  stalled.on('message', (data) => {
    const { payload } = JSON.parse(String(data as Buffer)) as { payload: ExecutionResult<{ said: { text: string } }> };
    texts.push(lastOf(payload.data!.said.text));
  });
  await until(async () => (await counters('said')).lagging === 1);

  stalled.resume();
  await until(async () => texts.length === ENOUGH);

  expect(texts).toEqual(Array.from({ length: ENOUGH }, (_, index) => `${index}`));
  expect(await counters('said')).toMatchObject({ open: 1, sent: ENOUGH, dropped: 0 });
  stalled.close();
});

test('delivers every event in order to a socket that is read late', async () => {
  const stalled = await stalledSocket('said');
  const texts: string[] = [];
  stalled.on('message', (data) => {
    const { payload } = JSON.parse(String(data as Buffer)) as { payload: ExecutionResult<{ said: { text: string } }> };
    texts.push(lastOf(payload.data!.said.text));
  });
  let said = 0;
  for (; (await counters('said')).lagging === 0; said += 1) feeds.say('f1', `${LONG}${said}`);
  // Few enough to wait for it.
  for (const last = said + 3; said < last; said += 1) feeds.say('f1', `${LONG}${said}`);

  stalled.resume();
  await until(async () => texts.length === said);

  expect(texts).toEqual(Array.from({ length: said }, (_, index) => `${index}`));
  expect(await counters('said')).toMatchObject({ open: 1, sent: said, dropped: 0 });
  stalled.close();
});

test('skips to the latest event of a coalescing field, and keeps the socket', async () => {
  const stalled = await stalledSocket('moved');
  const messages: string[] = [];
  stalled.on('message', (data) => messages.push(String(data as Buffer)));

  for (let index = 0; index < ENOUGH; index += 1) {
    feeds.say('f1', `${LONG}${index}`);
    await until(async () => {
      const { sent, dropped, lagging } = await counters('moved');
      return sent + dropped + lagging > index;
    });
  }
  expect(await counters('moved')).toMatchObject({ open: 1, lagging: 1 });
  stalled.resume();
  const last = () => (JSON.parse(messages.at(-1)!) as { payload: ExecutionResult<{ moved: { text: string } }> }).payload.data!.moved.text;
  await until(async () => messages.length > 0 && lastOf(last()) === `${ENOUGH - 1}`);

  const { open, lagging, sent, dropped } = await counters('moved');
  expect({ open, lagging, all: sent + dropped }).toEqual({ open: 1, lagging: 0, all: ENOUGH });
  expect(messages.length).toBe(sent);
  expect(dropped).toBeGreaterThan(0);
  stalled.close();
});

test.each(['text/event-stream', 'multipart/mixed;boundary=graphql;subscriptionSpec=1.0'])(
  'a response of %s that is not read ends with SLOW_CONSUMER',
  async (accept) => {
    const asked = request(gateway.url, { method: 'POST', headers: { accept, 'content-type': 'application/json' } });
    asked.end(JSON.stringify({ query: subscription('said') }));
    const [response] = (await once(asked, 'response')) as [IncomingMessage];
    await until(async () => (await counters('said')).open === 1);

    while ((await counters('said')).open === 1) feeds.say('f1', LONG);
    expect(feeds.open()).toBeLessThanOrEqual(1);
    const text = String(Buffer.concat(await response.toArray()));

    expect(text.slice(-400)).toMatch(/SLOW_CONSUMER/);
    await feeds.streams(0);
  },
);

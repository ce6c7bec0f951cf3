import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { ExecutionResult } from 'graphql';
import { openGatewayForTest, type TestGateway } from '../testing/open-gateway.ts';
import { testFeeds, type TestFeeds } from './test-feeds.ts';

// oxlint-disable-next-line typescript/no-explicit-any -- answers of any operation
type Events = AsyncGenerator<ExecutionResult<any>, void, void>;

const SAID = 'subscription Said($feed: ID!, $after: String) { said(feed: $feed, after: $after) { text feed { name } } }';

let feeds: TestFeeds;
let gateway: TestGateway;
beforeEach(async () => {
  feeds = testFeeds();
  gateway = await openGatewayForTest({ subgraphs: feeds.all });
});
afterEach(() => gateway.close());

/** Streams whose first event is already requested. */
function listen(count: number, subscribe: () => Events): { streams: Events[]; firsts: ReturnType<Events['next']>[] } {
  const streams = Array.from({ length: count }, subscribe);
  return { streams, firsts: streams.map((stream) => stream.next()) };
}

const counters = async () => {
  const { websocket } = (await (await fetch(new URL('/health', gateway.url))).json()) as { websocket: { subscriptions: object } };
  return websocket.subscriptions;
};
const settled = async (open: number): Promise<void> => {
  while (((await counters()) as { said?: { open: number } }).said?.open !== open);
};
const textsOf = async (stream: Events, count: number): Promise<string[]> => {
  const texts: string[] = [];
  while (texts.length < count) texts.push((await stream.next()).value!.data.said.text);
  return texts;
};

describe('equal subscriptions', () => {
  test('share one upstream, and one execution per event', async () => {
    const { streams, firsts } = listen(3, () => gateway.subscribe(SAID, { feed: 'f1' }));
    const other = gateway.subscribe(SAID, { feed: 'f2' });
    void other.next();
    await settled(4);
    expect(feeds.open()).toBe(2);

    feeds.say('f1', 'one');

    const event = { data: { said: { text: 'one', feed: { name: 'feed f1' } } }, extensions: { cursor: '1' } };
    expect(await Promise.all(firsts)).toEqual([event, event, event].map((value) => ({ value, done: false })));
    expect(feeds.joins()).toBe(1);
    expect(await counters()).toEqual({ said: { open: 4, streams: 2, lagging: 0, sent: 3, dropped: 0 } });
    for (const stream of [...streams, other]) await stream.return();
    await feeds.streams(0);
    await settled(0);
  });

  test('may differ in how the cursor is written', async () => {
    const inline = 'subscription Said($feed: ID!) { said(feed: $feed) { text feed { name } } }';
    const fragment =
      'subscription Said($feed: ID!) { ...F } fragment F on Subscription { said(feed: $feed, after: null) { text feed { name } } }';
    const { firsts } = listen(1, () => gateway.subscribe(SAID, { feed: 'f1' }));
    firsts.push(gateway.subscribe(inline, { feed: 'f1' }).next(), gateway.subscribe(fragment, { feed: 'f1' }).next());
    await settled(3);

    feeds.say('f1', 'one');

    for (const first of firsts) expect((await first).value!.data.said).toEqual({ text: 'one', feed: { name: 'feed f1' } });
    expect(feeds.open()).toBe(2); // one text has a fragment
  });

  test('are separate for viewers with other rights', async () => {
    const [ann, bea] = [await gateway.tokenFor({ id: 'ann' }), await gateway.tokenFor({ id: 'bea' })];
    const SEEN = 'subscription { said(feed: "f1") { seenBy } }';
    const firsts = [ann, ann, bea, undefined].map((token) => gateway.subscribe(SEEN, {}, { token }).next());
    await settled(4);

    feeds.say('f1', 'one');

    const seen = (await Promise.all(firsts)).map(({ value }) => value!.data.said.seenBy);
    expect(seen).toEqual(['ann', 'ann', 'bea', null]);
    expect(feeds.open()).toBe(3);
  });

  test('continue when one of them leaves, also the first', async () => {
    const { streams, firsts } = listen(2, () => gateway.subscribe(SAID, { feed: 'f1' }));
    await settled(2);

    await streams[0]!.return();
    await settled(1);
    feeds.say('f1', 'one');

    expect((await firsts[1])!.value!.data.said.text).toBe('one');
    expect(feeds.open()).toBe(1);
  });

  test('all get the reason why they could not start', async () => {
    const answers = listen(3, () => gateway.subscribe(SAID, { feed: 'f1', after: '99' })).firsts;

    for (const { value } of await Promise.all(answers)) expect(value!.errors).toMatchObject([{ extensions: { code: 'CURSOR_EXPIRED' } }]);
    await feeds.streams(0);
  });
});

describe('a subscription with a cursor', () => {
  test('gets missed events, then new ones, and shares the stream from there', async () => {
    const { streams, firsts } = listen(1, () => gateway.subscribe(SAID, { feed: 'f1' }));
    await settled(1);
    for (const text of ['one', 'two', 'three']) feeds.say('f1', text);
    await firsts[0];

    const back = gateway.subscribe(SAID, { feed: 'f1', after: '1' });
    expect(await textsOf(back, 2)).toEqual(['two', 'three']);
    await feeds.streams(1);
    feeds.say('f1', 'four');

    expect(await textsOf(back, 1)).toEqual(['four']);
    expect(await textsOf(streams[0]!, 3)).toEqual(['two', 'three', 'four']);
    expect(await counters()).toMatchObject({ said: { open: 2, streams: 1 } });
  });

  test('joins the stream at the same cursor at once', async () => {
    const { firsts } = listen(1, () => gateway.subscribe(SAID, { feed: 'f1' }));
    await settled(1);
    feeds.say('f1', 'one');
    await firsts[0];
    const asked = feeds.feeds.asked.length;

    const back = gateway.subscribe(SAID, { feed: 'f1', after: '1' });
    const next = back.next();
    await settled(2);
    feeds.say('f1', 'two');

    expect((await next).value!.data.said.text).toBe('two');
    expect(feeds.feeds.asked.length).toBe(asked);
  });

  test('replays as fast as its client reads', async () => {
    for (let index = 0; index < 3_000; index += 1) feeds.say('f1', `${index}`);

    const texts = await textsOf(gateway.subscribe(SAID, { feed: 'f1', after: '0' }), 3_000);

    expect(texts).toEqual(Array.from({ length: 3_000 }, (_, index) => `${index}`));
  });

  const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31));
  test(`gets each event once and in order from any cursor (SEED=${seed})`, async () => {
    let state = seed;
    const random = (below: number): number => (state = (state * 48_271 + 1) % 2_147_483_647) % below;
    const seen: string[][] = [[], [], []];
    let said = 0;
    const readers = seen.map(async (texts) => {
      let after = '0';
      while (texts.length < 60) {
        const stream = gateway.subscribe(SAID, { feed: 'f1', after });
        for (let left = 1 + random(8); left > 0 && texts.length < 60; left -= 1) {
          const { value } = await stream.next();
          texts.push(value!.data.said.text);
          after = value!.extensions!['cursor'] as string;
          while (said < 60 && (said <= texts.length || random(3) > 0)) feeds.say('f1', `${said++}`);
        }
        await stream.return();
      }
    });
    feeds.say('f1', `${said++}`);
    await Promise.all(readers);

    for (const texts of seen) expect(texts).toEqual(Array.from({ length: 60 }, (_, index) => `${index}`));
  });
});

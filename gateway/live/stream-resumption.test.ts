import { afterEach, describe, expect, test } from '@jest/globals';
import { parse, type ExecutionResult } from 'graphql';
import { composeSupergraph } from '../../schema/compose.ts';
import { httpTransport } from '#shared/transport/http-transport.ts';
import { createLog } from '#shared/base/log.ts';
import { serve } from '#shared/transport/server.ts';
import type { SubgraphTransport } from '#shared/kit/transport.ts';
import { openApolloEngine } from '../apollo/apollo-engine.ts';
import { openEngine } from '../supergraph/open-engine.ts';
import type { Engine, EngineOptions, Operation } from '../engine/types.ts';
import { openGatewayForTest, type TestGateway } from '../testing/open-gateway.ts';
import { openStreams, type Streams, type Subscription } from './stream-registry.ts';
import { testFeeds, type TestFeeds } from './test-feeds.ts';

// oxlint-disable-next-line typescript/no-explicit-any -- answers of any operation
type Result = ExecutionResult<any>;

const SAID = 'subscription Said($feed: ID!, $after: String) { said(feed: $feed, after: $after) { text feed { name } } }';

const opened: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of opened.splice(0).toReversed()) await close();
});

const operation = (source: string, variables: Record<string, unknown>): Operation => ({
  source,
  document: parse(source),
  variables,
  identity: { issuer: 'gateway', viewer: null },
  correlationId: 'test',
  deadline: Date.now() + 10_000,
});

/** A client that takes everything at once. */
async function listen(streams: Streams, source: string, variables: Record<string, unknown>) {
  const results: Result[] = [];
  const over = Promise.withResolvers<void>();
  let wake = (): void => undefined;
  const sink = {
    unsentBytes: 0,
    send(text: string) {
      results.push(JSON.parse(text) as Result);
      wake();
    },
    end: over.resolve,
    closeSlow: over.resolve,
  };
  const subscription = (await streams.join(operation(source, variables), sink)) as Subscription;
  subscription.start();
  return {
    over: over.promise,
    results,
    leave: () => subscription.leave(),
    /** The texts of what was said, as soon as there are so many. */
    async texts(count: number): Promise<string[]> {
      while (results.length < count) await new Promise<void>((resolve) => (wake = resolve));
      return results.map(({ data }) => (Object.values(data)[0] as { text: string }).text);
    },
  };
}

describe('the loss of a subgraph', () => {
  /** The feeds in a process that can be stopped and started, as far as the gateway can tell. */
  async function served(feeds: TestFeeds) {
    let running = await serve(feeds.feeds, { port: 0 });
    const { port, url } = running;
    const transport = httpTransport('feeds', url);
    opened.push(
      () => running.close(),
      () => transport.close(),
    );
    return { transport, stop: () => running.close(), start: async () => void (running = await serve(feeds.feeds, { port })) };
  }

  /** What comes later over the same connection has come: then so has the beginning of every stream. */
  async function hasBegun(gateway: TestGateway, feeds: TestFeeds): Promise<void> {
    const probe = gateway.subscribe(SAID, { feed: 'probe' });
    const first = probe.next();
    await feeds.streams(2);
    feeds.say('probe', 'now');
    await first;
    await probe.return();
    await feeds.streams(1);
  }

  test.each(['before', 'after'])('%s the first event delays its listeners, and loses no event', async (when) => {
    const feeds = testFeeds();
    const { transport, stop, start } = await served(feeds);
    const gateway = await openGatewayForTest({ subgraphs: feeds.all, transports: { feeds: transport, names: feeds.names } });
    opened.push(() => gateway.close());
    const clients = [1, 2].map(() => gateway.subscribe(SAID, { feed: 'f1' }));
    const firsts = clients.map((client) => client.next());
    await feeds.streams(1);
    const expected = when === 'after' ? ['zero', 'one', 'two', 'three'] : ['one', 'two', 'three'];
    if (when === 'after') {
      feeds.say('f1', 'zero');
      await Promise.all(firsts);
    } else {
      await hasBegun(gateway, feeds);
    }

    await stop();
    feeds.say('f1', 'one');
    feeds.say('f2', 'for others');
    feeds.say('f1', 'two');
    await start();
    await feeds.streams(1);
    feeds.say('f1', 'three');

    for (const [index, client] of clients.entries()) {
      const texts = [(await firsts[index])!.value!.data.said.text];
      while (texts.length < expected.length) texts.push((await client.next()).value!.data.said.text);
      expect(texts).toEqual(expected);
    }
    expect(feeds.open()).toBe(1);
  });

  test('ends its streams with the error after the patience', async () => {
    const feeds = testFeeds();
    const { transport, stop } = await served(feeds);
    const streams = open(feeds, openEngine, { patienceMs: 300, transports: { feeds: transport, names: feeds.names } }).streams;
    const client = await listen(streams, SAID, { feed: 'f1' });
    await feeds.streams(1);
    feeds.say('f1', 'one');
    await client.texts(1);

    await stop();
    await client.over;

    expect(client.results.slice(1)).toMatchObject([{ errors: [{ extensions: { code: 'SUBGRAPH_UNAVAILABLE', retryable: true } }] }]);
    expect(streams.counters()).toMatchObject({ said: { open: 0, streams: 0 } });
  });

  test('ends a stream without a cursor with the error at once', async () => {
    const feeds = testFeeds();
    const { transport, stop } = await served(feeds);
    const { streams } = open(feeds, openEngine, { transports: { feeds: transport, names: feeds.names } });
    const client = await listen(streams, 'subscription { forgotten(feed: "f1") { text } }', {});
    await feeds.streams(1);

    await stop();
    await client.over;

    expect(client.results).toMatchObject([{ data: { forgotten: null }, errors: [{ extensions: { code: 'SUBGRAPH_UNAVAILABLE' } }] }]);
  });
});

interface Opened {
  engine: Engine;
  streams: Streams;
}

type OpenEngine = (options: EngineOptions) => Engine;
interface OpenedWith {
  patienceMs?: number;
  transports?: Record<string, SubgraphTransport>;
}

const engineOf = (feeds: TestFeeds, openIt: OpenEngine, transports?: OpenedWith['transports']): Engine =>
  openIt({
    supergraphSdl: composeSupergraph(feeds.all.map(({ name, typeDefs }) => ({ name, typeDefs, url: `http://${name}/graphql` }))),
    transports: transports ?? Object.fromEntries(feeds.all.map((subgraph) => [subgraph.name, subgraph])),
    log: createLog('gateway'),
  });

function open(feeds: TestFeeds, openIt: OpenEngine, { patienceMs, transports }: OpenedWith = {}): Opened {
  const engine = engineOf(feeds, openIt, transports);
  return { engine, streams: openStreams({ engine, format: (result) => result, timeoutMs: 10_000, patienceMs }) };
}

describe.each<[string, OpenEngine]>([
  ["Soko's own engine", openEngine],
  ["@apollo/gateway's executor", openApolloEngine],
])('another supergraph, on %s', (_name, openIt) => {
  test('takes streams over without losing or repeating an event', async () => {
    const feeds = testFeeds();
    const { engine, streams } = open(feeds, openIt);
    const clients = await Promise.all([1, 2, 3].map((feed) => listen(streams, SAID, { feed: `f${feed}` })));
    const all = Array.from({ length: 30 }, (_, index) => `${index}`);
    for (const text of all.slice(0, 10)) for (const feed of ['f1', 'f2', 'f3']) feeds.say(feed, text);

    const replaced = streams.replaceEngine(engineOf(feeds, openIt));
    for (const text of all.slice(10, 20)) for (const feed of ['f1', 'f2', 'f3']) feeds.say(feed, text);
    await replaced;
    await engine.close();
    for (const text of all.slice(20)) for (const feed of ['f1', 'f2', 'f3']) feeds.say(feed, text);

    for (const client of clients) expect(await client.texts(30)).toEqual(all);
    expect(feeds.open()).toBe(3);
    for (const client of clients) client.leave();
    await feeds.streams(0);
  });

  test('takes over a stream without a cursor as well', async () => {
    const feeds = testFeeds();
    const { streams } = open(feeds, openIt);
    const client = await listen(streams, 'subscription { forgotten(feed: "f1") { text } }', {});
    feeds.say('f1', 'before');
    expect(await client.texts(1)).toEqual(['before']);

    await streams.replaceEngine(engineOf(feeds, openIt));
    feeds.say('f1', 'after');

    expect(await client.texts(2)).toEqual(['before', 'after']);
    expect(feeds.open()).toBe(1);
    client.leave();
  });

  test('without the subscribed field ends the stream with the reason', async () => {
    const [feeds, other] = [testFeeds(), testFeeds()];
    const { streams } = open(feeds, openIt);
    const client = await listen(streams, SAID, { feed: 'f1' });
    other.feeds.typeDefs = other.feeds.typeDefs.replace('said(feed: ID!, after: String): Entry!', '');

    await streams.replaceEngine(engineOf(other, openIt));
    await client.over;

    expect(client.results).toMatchObject([{ errors: [{ message: expect.stringContaining('said') }] }]);
    await feeds.streams(0);
  });
});

import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { createClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import { openClient, percentile, rounded, type Client } from './reload/asking.ts';
import { startServer, type Server } from './reload/child.ts';

/** What clients notice while their gateway goes over to another supergraph, again and again, under load and with open streams. */
export async function run(args: string[]): Promise<Record<string, unknown>> {
  const { values } = parseArgs({
    args,
    options: {
      seconds: { type: 'string', default: '10' },
      reloads: { type: 'string', default: '5' },
      clients: { type: 'string', default: '8' },
      streams: { type: 'string', default: '20' },
    },
  });
  await using server = await startServer('worker');
  await using client = openClient(server.url, Number(values.clients));
  await warmUp(client);
  const streams = await listen(server, Number(values.streams));
  const load = startLoad(client, Number(values.clients));

  await delay(Number(values.seconds) * 1_000);
  const before = load.take();
  const reloads: number[] = [];
  for (let count = 0; count < Number(values.reloads); count += 1) {
    reloads.push(await server.reload());
    await delay((Number(values.seconds) * 1_000) / Number(values.reloads));
  }
  const during = load.take();
  const { failed } = await load.stop();
  const { said, lost, repeated } = await streams.stop();

  const [p99Before, p99During] = [percentile(before, 0.99), percentile(during, 0.99)];
  console.log(`p99 before ${rounded(p99Before)} ms, with a reload every ${values.seconds}/${values.reloads} s ${rounded(p99During)} ms`);
  console.log(
    `${before.length + during.length} requests, ${failed} failed; ${said} events on ${values.streams} streams, ${lost} lost, ${repeated} repeated`,
  );
  return {
    p99Before: rounded(p99Before),
    p99During: rounded(p99During),
    ratio: rounded(p99During / p99Before),
    requests: before.length + during.length,
    failedRequests: failed,
    events: said,
    lostEvents: lost,
    repeatedEvents: repeated,
    reloadMs: rounded(percentile(reloads, 0.5), 0),
  };
}

const OPERATIONS = 40;
/** Each client asks so often, so that the gateway is busy but keeps up. */
const PAUSE_MS = 5;
const SAY_EVERY_MS = 25;
const LAST_EVENT_MS = 2_000;

const operation = (number: number): string => `{ feed(id: "f${number}") { id name again${number % OPERATIONS}: name } }`;

async function warmUp(client: Client): Promise<void> {
  for (let number = 0; number < 50 * OPERATIONS; number += 1) await client.ask(operation(number % OPERATIONS));
}

/** Asks what was asked before, without a break. */
function startLoad(client: Client, clients: number) {
  let times: number[] = [];
  let failed = 0;
  let running = true;
  const work = async (_each: unknown, first: number): Promise<void> => {
    for (let number = first; running; number += clients) {
      await client.ask(operation(number % OPERATIONS)).then(
        (time) => times.push(time),
        () => (failed += 1),
      );
      await delay(PAUSE_MS);
    }
  };
  const done = Promise.all(Array.from({ length: clients }, work));
  return {
    take(): number[] {
      const taken = times;
      times = [];
      return taken;
    },
    async stop() {
      running = false;
      await done;
      return { failed };
    },
  };
}

/** Streams that hear a number after the other, and what each of them heard. */
async function listen(server: Server, count: number) {
  const client = createClient({ url: server.wsUrl, webSocketImpl: WebSocket, retryAttempts: 0 });
  const heard = Array.from({ length: count }, (): string[] => []);
  // Of each a text of its own, so that they share nothing.
  for (const [index, texts] of heard.entries()) {
    client.subscribe<{ said: { text: string } }>(
      { query: `subscription { said(feed: "f1") { text own${index}: text feed { name } } }` },
      {
        next: ({ data }) => texts.push(data?.said.text ?? 'an error'),
        error: (error) => texts.push(String(error)),
        complete: () => undefined,
      },
    );
  }
  let said = 0;
  server.say('begin');
  while (heard.some(({ length }) => length === 0)) {
    await delay(SAY_EVERY_MS);
    server.say('begin');
  }
  const talk = setInterval(() => server.say(String((said += 1))), SAY_EVERY_MS);
  return {
    async stop() {
      clearInterval(talk);
      await delay(LAST_EVENT_MS);
      await client.dispose();
      const numbers = heard.map((texts) => texts.filter((text) => text !== 'begin'));
      const lost = numbers.map((texts) => said - new Set(texts).size);
      const repeated = numbers.map((texts) => texts.length - new Set(texts).size);
      return { said, lost: sum(lost), repeated: sum(repeated) };
    },
  };
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { connectClients } from './live/clients.ts';
import { freePort, pinOurselves, startGateway } from './gateway/processes.ts';

interface Figures {
  messagesPerSecond: number;
  p99Ms: number;
  kibPerSocket: number;
  cpuMicrosPerMessage: number;
}

interface Case {
  clients: number;
  /** All on one topic, or each on its own. */
  topics: 'shared' | 'own';
}

const SERVER = join(import.meta.dirname, 'live/server.ts');
const CASES: Case[] = [1_000, 5_000].flatMap((clients): Case[] => [
  { clients, topics: 'shared' },
  { clients, topics: 'own' },
]);
const WARM_UP_ROUNDS = 5;
const BURSTS = 8;
const PAUSE_MS = 200;
const SETTLE_MS = 1_000;
const LOOP_MS = 4_000;

/** One event, joined with two other subgraphs, to 1,000 and 5,000 sockets of the whole gateway: all on one topic, and each on its own. */
export async function run(): Promise<Record<string, unknown>> {
  pinOurselves();
  const figures: Record<string, Figures> = {};
  for (const each of CASES) {
    const name = `${each.topics}${each.clients}`;
    figures[name] = await measure(each);
    console.log(name, figures[name]);
  }
  return { ...figures };
}

async function measure({ clients: count, topics }: Case): Promise<Figures> {
  const [port, controlPort] = [await freePort(), await freePort()];
  const command = { file: process.execPath, args: ['--expose-gc', SERVER, String(port), String(controlPort)], cwd: process.cwd() };
  const server = await startGateway(command, port);
  try {
    const control = controlOf(controlPort);
    const before = await control.look();
    const topicCount = topics === 'own' ? count : 1;
    const clients = await connectClients({ url: `ws://127.0.0.1:${port}/graphql`, count, topics: topicCount });
    await delay(SETTLE_MS);
    const after = await control.look();
    const round = (): Promise<number[]> => clients.hear(() => control.publish(topicCount));

    for (let rounds = 0; rounds < WARM_UP_ROUNDS; rounds += 1) await round();
    const delays = await bursts(round);
    const loop = await closedLoop(round, control);
    await clients.close();
    return {
      messagesPerSecond: Math.round((loop.rounds * count) / loop.seconds),
      p99Ms: tenths(delays.toSorted((one, other) => one - other)[Math.floor(delays.length * 0.99)]!),
      kibPerSocket: tenths((after.rssKib - before.rssKib) / count),
      cpuMicrosPerMessage: tenths(loop.cpuMicros / (loop.rounds * count)),
    };
  } finally {
    await server.close();
  }
}

/** One event at a time, on a server that has nothing else to do. */
async function bursts(round: () => Promise<number[]>): Promise<number[]> {
  const delays: number[] = [];
  for (let burst = 0; burst < BURSTS; burst += 1) {
    delays.push(...(await round()));
    await delay(PAUSE_MS);
  }
  return delays;
}

/** The next event as soon as everybody has heard of the last one. */
async function closedLoop(round: () => Promise<unknown>, { usage }: Control) {
  const start = performance.now();
  const before = await usage();
  let rounds = 0;
  for (; performance.now() - start < LOOP_MS; rounds += 1) await round();
  const seconds = (performance.now() - start) / 1_000;
  return { rounds, seconds, cpuMicros: (await usage()).cpuMicros - before.cpuMicros };
}

interface Usage {
  rssKib: number;
  cpuMicros: number;
}

interface Control {
  usage: () => Promise<Usage>;
  /** The same, after a collection. */
  look: () => Promise<Usage>;
  publish: (topics: number) => Promise<Usage>;
}

function controlOf(port: number): Control {
  const get = async (path: string): Promise<Usage> => (await (await fetch(`http://127.0.0.1:${port}${path}`)).json()) as Usage;
  return { usage: () => get('/publish?topics=0'), look: () => get('/look'), publish: (topics) => get(`/publish?topics=${topics}`) };
}

const tenths = (value: number): number => Math.round(value * 10) / 10;

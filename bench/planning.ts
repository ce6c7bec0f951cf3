import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { openClient, percentile, rounded, type Client } from './reload/asking.ts';
import { startServer } from './reload/child.ts';

/** What somebody who asks `{ __typename }` notices while new texts are planned: in a thread of their own, and where requests are served. */
export async function run(args: string[]): Promise<Record<string, unknown>> {
  const { values } = parseArgs({
    args,
    options: {
      texts: { type: 'string', default: '100' },
      rounds: { type: 'string', default: '20' },
      clients: { type: 'string', default: '4' },
    },
  });
  const settings = { texts: Number(values.texts), rounds: Number(values.rounds), clients: Number(values.clients) };
  const worker = await measure('worker', settings);
  const here = await measure('here', settings);
  for (const [name, { idle, during, ratio, control }] of Object.entries({ worker, here })) {
    console.log(`${name.padEnd(6)}  p95 idle ${idle} ms, while planning ${during} ms: ${ratio} times`);
    console.log(`        of a gateway beside it that plans nothing ${control.idle} and ${control.during} ms: ${control.ratio} times`);
  }
  return { ratio: worker.ratio, controlRatio: worker.control.ratio, worker, here };
}

interface Settings {
  texts: number;
  rounds: number;
  clients: number;
}

const EVERY_MS = 20;
const IDLE_MS = 5_000;
const WARM_UP = 20;

async function measure(planning: 'worker' | 'here', { texts, rounds, clients }: Settings) {
  await using server = await startServer(planning);
  await using client = openClient(server.url);
  // What it notices comes from the machine alone: too few cores for all who want to compute.
  await using control = await startServer('here');
  await using controlClient = openClient(control.url);
  await plan(client, { from: -WARM_UP, to: 0, clients }); // also warms everything that is not planning
  await plan(controlClient, { from: -WARM_UP, to: 0, clients });
  const both = async (work: Promise<unknown>) => Promise.all([bystander(client, work), bystander(controlClient, work)]);
  const idle = await both(delay(IDLE_MS));
  const during: Latencies = [[], []];
  const planned: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const began = performance.now();
    const [own, others] = await both(plan(client, { from: round * texts, to: (round + 1) * texts, clients }));
    during[0].push(...own);
    during[1].push(...others);
    planned.push(performance.now() - began);
  }
  return {
    ...compared(idle[0], during[0]),
    control: compared(idle[1], during[1]),
    samples: during[0].length,
    msPerRound: rounded(percentile(planned, 0.5), 0),
  };
}

/** Of the gateway that plans, and of the control. */
type Latencies = [number[], number[]];

function compared(idle: readonly number[], during: readonly number[]) {
  const [before, meanwhile] = [percentile(idle, 0.95), percentile(during, 0.95)];
  return { idle: rounded(before), during: rounded(meanwhile), ratio: rounded(meanwhile / before) };
}

/** Asks at a steady beat, whether the last answer has come or not, until the work is done. */
async function bystander(client: Client, work: Promise<unknown>): Promise<number[]> {
  const asked: Promise<number>[] = [];
  const beat = setInterval(() => asked.push(client.ask('{ __typename }')), EVERY_MS);
  await work;
  clearInterval(beat);
  return Promise.all(asked);
}

interface Texts {
  from: number;
  to: number;
  /** Of them each sends its next text when the last one is answered. */
  clients: number;
}

async function plan(client: Client, { from, to, clients }: Texts): Promise<void> {
  let next = from;
  const work = async (): Promise<void> => {
    while (next < to) {
      next += 1;
      await client.ask(newText(next));
    }
  };
  await Promise.all(Array.from({ length: clients }, work));
}

/** A page over four subgraphs: planned in whole, but left out when it is run, so that nothing but planning is measured. */
const newText = (number: number): string => `query Page($shown: Boolean = false) {
  products(first: ${1 + (Math.abs(number) % 50)}) @include(if: $shown) {
    nodes { page${number + 100}: name vendor { name isOpenNow } categories { name } variants { sku price { amount currency } stock { isAvailable } } }
  }
}`;

import { parseArgs } from 'node:util';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { mongo } from 'mongoose';
import { inParallel } from '../demo/load/door.ts';
import { provideSecrets } from '#shared/process/development-secrets.ts';
import { connectMongo } from '#shared/store/mongo.ts';
import { dropMarket, fillMarket, openMarket, openMarketHost, type Market } from './market.ts';
import { record, shapeOf, type Recorded } from './recording.ts';
import { prepareCopies, replay, sampleOf, targetsOf, type Sample } from './replay.ts';

/*
 * Orders per second and CPU per order through the whole of Soko's checkout (cart, saga, stock, events and their effects), beside the same
 * reads and writes asked of the store by the bare driver: in the same process and run, round after round, with the same settings.
 * CPU is this process's; the store's own is in neither.
 */

interface Round {
  orders: number;
  cpuMs: number;
  /** The part of it outside the kernel, whose work for the same commands is the same on both sides. */
  userMs: number;
  wallMs: number;
}

const WARM_UP_ORDERS = 40;
const RECORDING_WIDTH = 4;
/** Longer than the period of anything that is done when nobody orders. */
const IDLE_MS = 4_000;
const RECORDINGS = 10;

export async function run(args: string[], keepsStores: boolean): Promise<Record<string, unknown>> {
  const { values } = parseArgs({
    args,
    options: {
      orders: { type: 'string', default: '40' },
      rounds: { type: 'string', default: '5' },
      width: { type: 'string', default: '8' },
    },
  });
  const [orders, rounds, width] = [Number(values.orders), Number(values.rounds), Number(values.width)];
  provideSecrets(join(import.meta.dirname, '../.data/bench/secrets.json'));
  const bare = await connectMongo(process.env['MONGODB_URI']!);
  try {
    const sample = await recordSample();
    await orderRound(WARM_UP_ORDERS, width);
    await replayRound(bare.getClient(), sample, WARM_UP_ORDERS, width);
    const ours: Round[] = [];
    const theirs: Round[] = [];
    for (let round = 0; round < rounds; round += 1) {
      ours.push(await orderRound(orders, width));
      theirs.push(await replayRound(bare.getClient(), sample, orders, width));
      const [our, their] = [ours, theirs].map((each) => cpuPerOrder(each.at(-1)!).toFixed(1));
      console.log(`round ${round + 1} of ${rounds}: ${our} ms of CPU an order, ${their} by the bare driver`);
    }
    return { ...figures(ours, theirs), storeCommandsPerOrder: sample.commands.length };
  } finally {
    if (keepsStores) await dropMarket(bare.getClient());
    await bare.close();
  }
}

/** The commands of one order, from the first piece in the cart to the last effect of its events. */
async function recordSample(): Promise<Sample> {
  const host = await openMarketHost({ monitorCommands: true });
  try {
    await fillMarket(host);
    const market = await openMarket(host);
    // What is written once for a connection or a process is no part of an order.
    await manyOrders(market, WARM_UP_ORDERS, RECORDING_WIDTH);
    const idle = await recorded(market, () => delay(IDLE_MS));
    const isIdle = new Set(withoutSeals(idle).map(shapeOf));
    // What also happens when nobody orders is no part of an order, unless it found something.
    const belongs = (entry: Recorded): boolean => !isIdle.has(shapeOf(entry)) || (entry.name === 'find' && entry.outcome !== 'found 0');
    const one = async () => ({ since: Date.now(), commands: withoutSeals(await recorded(market, () => market.order(0))).filter(belongs) });
    let first = await one();
    for (let attempt = 1; attempt < RECORDINGS; attempt += 1) {
      const targets = targetsOf(first.commands, first.since);
      const before = await Promise.all(
        targets.map(async (target) => ({
          target,
          document: (await collectionOf(host.client.getClient(), target).findOne({ _id: target._id }))!,
        })),
      );
      const second = await one();
      if (shapesOf(second.commands) === shapesOf(first.commands)) return sampleOf(second.commands, second.since, before);
      first = second;
    }
    throw new Error('No two orders asked the same of the store');
  } finally {
    await host.close();
  }
}

/** Once a second, for all that happened in it: no part of one order. */
function withoutSeals(commands: Recorded[]): Recorded[] {
  const isSeal = ({ name, command }: Recorded): boolean =>
    command[name] === 'auditBlocks' || (name === 'find' && command[name] === 'audit');
  const transactions = new Set(commands.filter(isSeal).map(({ transaction }) => transaction));
  return commands.filter((entry) => !isSeal(entry) && (entry.transaction === null || !transactions.has(entry.transaction)));
}

const shapesOf = (commands: Recorded[]): string => commands.map(shapeOf).sort().join('\n');

const collectionOf = (client: mongo.MongoClient, { db, collection }: { db: string; collection: string }) =>
  client.db(db).collection<{ _id: string }>(collection);

async function recorded(market: Market, work: () => Promise<unknown>): Promise<Recorded[]> {
  const recording = record(market.host.client.getClient());
  await work();
  await market.settled();
  return recording.stop();
}

/** Opened for the round alone: what an open host does when nobody orders must not count for the bare driver. */
async function orderRound(orders: number, width: number): Promise<Round> {
  const host = await openMarketHost({ monitorCommands: false });
  try {
    const market = await openMarket(host);
    await market.settled();
    return await measured(orders, () => manyOrders(market, orders, width));
  } finally {
    await host.close();
  }
}

async function manyOrders(market: Market, orders: number, width: number): Promise<void> {
  await inParallel([...Array(orders).keys()], width, (number) => market.order(number));
  await market.settled();
}

async function replayRound(client: mongo.MongoClient, sample: Sample, orders: number, width: number): Promise<Round> {
  const copies = await prepareCopies(client, sample, orders);
  const failures: unknown[] = [];
  // The others end what they have begun: a transaction left open would keep the store from being emptied.
  const one = (commands: Recorded[]) => replay(client, commands).catch((error: unknown) => failures.push(error));
  const round = await measured(orders, () => inParallel(copies, width, one));
  if (failures.length > 0) throw failures[0];
  return round;
}

async function measured(orders: number, work: () => Promise<unknown>): Promise<Round> {
  const cpu = process.cpuUsage();
  const since = performance.now();
  await work();
  const { user, system } = process.cpuUsage(cpu);
  return { orders, cpuMs: (user + system) / 1_000, userMs: user / 1_000, wallMs: performance.now() - since };
}

/** A ratio is taken round by round: what else the machine does weighs on two rounds that follow each other about equally. */
function figures(ours: Round[], theirs: Round[]): Record<string, unknown> {
  const ratio = (of: (each: Round) => number): number => round(median(ours.map((each, index) => of(each) / of(theirs[index]!))));
  const rate = (rounds: Round[]): number => round(Math.max(...rounds.map(({ orders, wallMs }) => (orders / wallMs) * 1_000)));
  return {
    cpuRatio: ratio(cpuPerOrder),
    userCpuRatio: ratio(({ userMs }) => userMs),
    cpuMsPerOrder: round(median(ours.map(cpuPerOrder))),
    bareCpuMsPerOrder: round(median(theirs.map(cpuPerOrder))),
    ordersPerSecond: rate(ours),
    bareOrdersPerSecond: rate(theirs),
  };
}

const cpuPerOrder = ({ cpuMs, orders }: Round): number => cpuMs / orders;

const median = (values: number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;

const round = (value: number): number => Math.round(value * 100) / 100;

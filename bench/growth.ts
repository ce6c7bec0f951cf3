import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Redis } from 'ioredis';
import { provideSecrets } from '#shared/process/development-secrets.ts';
import { createConsumer } from '#shared/messaging/consumer.ts';
import { onEvent } from '#shared/kit/define-event.ts';
import type { Host } from '#shared/runtime/host.ts';
import { newId } from '#shared/base/ids.ts';
import { createLog } from '#shared/base/log.ts';
import { outboxOf, type OutboxRow } from '#shared/messaging/outbox.ts';
import { orderCreated } from '../subgraphs/orders/contract.ts';
import type { Store } from './bench.ts';
import { countRows, grow } from './history.ts';
import { dropMarket, fillMarket, MARKET_PREFIX, openMarket, openMarketHost, type Market } from './market.ts';

/*
 * Whether the system gets slower with its own history: the same orders, and the same idle time, with few and with many finished orders in
 * the store; then how fast an outbox full of new events leaves it, and how long one more waits meanwhile.
 */

const REAL_ORDERS = 20;
const PROBE_EVERY_MS = 500;
/** Of a clock tick of the kernel, as /proc counts. */
const TICK_MS = 10;
const QUEUE = 'bench-growth';

export async function run(args: string[], keepsStores: boolean, { engine, pid }: Store): Promise<Record<string, unknown>> {
  const { values } = parseArgs({
    args,
    options: {
      few: { type: 'string', default: '100' },
      many: { type: 'string', default: '20000' },
      orders: { type: 'string', default: '30' },
      idle: { type: 'string', default: '15' },
      events: { type: 'string', default: '20000' },
    },
  });
  const [few, many, orders, idle, events] = [values.few, values.many, values.orders, values.idle, values.events].map(Number) as number[];
  provideSecrets(join(import.meta.dirname, '../.data/bench/secrets.json'));
  const host = await openMarketHost({ monitorCommands: false });
  try {
    await fillMarket(host);
    const market = await openMarket(host);
    const before = await countRows(host);
    for (let number = 0; number < REAL_ORDERS; number += 1) await market.order(number);
    await market.settled();
    const rowsPerOrder = (await countRows(host)).map((count, kind) => (count - before[kind]!) / REAL_ORDERS);
    await grow(host, rowsPerOrder, few! - REAL_ORDERS);
    const young = await measured(market, orders!, idle!, pid);
    console.log(`${few} finished orders: ${said(young)}`);
    const rows = await grow(host, rowsPerOrder, many! - few! - orders!);
    const old = await measured(market, orders!, idle!, pid);
    console.log(`${many} finished orders, ${rows} rows more: ${said(old)}`);
    const drain = await drained(host, events!);
    return {
      store: engine,
      orderRatio: round(old.order / young.order),
      idleRatio: pid === undefined ? null : round(old.idle / young.idle),
      ...drain,
      orderMs: [young, old].map(({ order }) => round(order)),
      idleMsPerSecond: [young, old].map(({ idle: each }) => round(each)),
    };
  } finally {
    if (keepsStores) await dropMarket(host.client.getClient());
    await host.close();
  }
}

interface Measured {
  /** Median of `placeOrder` in ms. */
  order: number;
  /** CPU of the store in ms a second, while nobody asks anything. */
  idle: number;
}

const said = ({ order, idle }: Measured): string => `placeOrder ${round(order)} ms, idle store ${round(idle)} ms/s`;

async function measured(market: Market, orders: number, idleSeconds: number, pid: number | undefined): Promise<Measured> {
  // What was just written is settled first: cleaning up after a bulk is no idle time.
  await delay(5_000);
  const times: number[] = [];
  for (let number = 0; number < orders; number += 1) times.push(await market.order(number));
  await market.settled();
  await delay(3_000);
  const before = cpuMsOf(pid);
  await delay(idleSeconds * 1_000);
  return { order: median(times), idle: (cpuMsOf(pid) - before) / idleSeconds };
}

/** User and system time of a process; NaN where it is not ours or the kernel does not tell. */
function cpuMsOf(pid: number | undefined): number {
  if (pid === undefined) return Number.NaN;
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const [user, system] = text
    .slice(text.lastIndexOf(')') + 2)
    .split(' ')
    .slice(11, 13)
    .map(Number) as [number, number];
  return (user + system) * TICK_MS;
}

/** New events of as many users, heard by one consumer that does nothing, so that the relay is what is measured. */
async function drained(host: Host, events: number): Promise<Record<string, unknown>> {
  const { db } = host.runtimes.get('orders')!;
  const rows = outboxOf(db);
  const model = (await rows.findOne({ type: orderCreated.type, state: 'DONE' }))!;
  const workerConnection = new Redis(process.env['REDIS_URL']!, { maxRetriesPerRequest: null });
  const consumer = createConsumer({
    queue: QUEUE,
    handlers: [onEvent(orderCreated, async () => undefined, { idempotent: true })],
    db,
    workerConnection,
    queues: host.queues,
    autorun: true,
    prefix: MARKET_PREFIX,
    log: createLog('bench'),
    contextFor: () => host.runtimes.get('orders')!.context({ issuer: 'bench', viewer: null }),
  });
  try {
    const since = performance.now();
    for (let at = 0; at < events; at += 1_000)
      await rows.insertMany(Array.from({ length: Math.min(1_000, events - at) }, () => newEvent(model, newId('usr'))));
    const waits: Promise<number>[] = [];
    const isOpen = async (state: OutboxRow['state']) => (await rows.findOne({ state }, { projection: { _id: 1 } })) !== null;
    while ((await isOpen('NEW')) || (await isOpen('SENT'))) {
      waits.push(probe(host, model));
      await Promise.race([waits.at(-1), delay(PROBE_EVERY_MS)]);
      await delay(PROBE_EVERY_MS);
    }
    const seconds = (performance.now() - since) / 1_000;
    const waited = await Promise.all(waits);
    return {
      eventsPerSecond: Math.round(events / seconds),
      newEventSeconds: round(Math.max(...waited) / 1_000),
      newEventMedianSeconds: round(median(waited) / 1_000),
    };
  } finally {
    await consumer.close();
    workerConnection.disconnect();
  }
}

const newEvent = (model: OutboxRow, userId: string): OutboxRow => ({
  ...model,
  _id: newId('evt'),
  data: { ...(model.data as object), userId },
  topics: [`user:${userId}:orders`],
  tags: [],
  cursors: {},
  waiting: [QUEUE],
  state: 'NEW',
  checkAt: null,
  checks: 0,
  doneAt: null,
});

/** From the commit of an event to its arrival at somebody who listens, in ms. */
async function probe(host: Host, model: OutboxRow): Promise<number> {
  const userId = newId('usr');
  const heard = host.live.subscribe(`user:${userId}:orders`);
  await heard.position();
  const since = performance.now();
  await outboxOf(host.runtimes.get('orders')!.db).insertOne(newEvent(model, userId));
  host.runtimes.get('orders')!.relay.notify();
  await heard.next();
  await heard.return();
  return performance.now() - since;
}

const median = (values: number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;

const round = (value: number): number => Math.round(value * 100) / 100;

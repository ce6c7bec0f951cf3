import { parseArgs } from 'node:util';
import { createDoor, inParallel, type Door } from '../demo/load/door.ts';
import { loadAttributes, loadCategories, loadProducts } from '../demo/load/goods.ts';
import { loadPeople } from '../demo/load/people.ts';
import { loadStores } from '../demo/load/stores.ts';
import { provideSecrets } from '../demo/secrets.ts';
import { loadSubgraphs } from '../demo/together.ts';
import { openHost, type Host } from '../shared/host.ts';
import type { Viewer } from '../shared/identity.ts';
import { outboxOf } from '../shared/outbox.ts';
import { connectMonitored, createRenaming, record, replay, type Recorded } from './recording.ts';
import { join } from 'node:path';

/*
 * Orders per second and CPU per order through the whole of Soko's checkout (cart, saga, stock, events and their effects), beside the same
 * reads and writes asked of the store by the bare driver, in the same process and run, round after round.
 */

const ADDRESS = { recipient: 'Bench', phone: '+260971234567', line1: 'Plot 1', city: 'Lusaka', country: 'ZM' };
const PLACE = 'mutation ($input: PlaceOrderInput!) { placeOrder(input: $input) { order { id status } userErrors { code message path } } }';
const ADD = 'mutation ($input: AddToCartInput!) { addToCart(input: $input) { cart { id } userErrors { code message path } } }';

interface Round {
  orders: number;
  cpuMs: number;
  wallMs: number;
}

export async function run(args: string[]): Promise<Record<string, unknown>> {
  const { values } = parseArgs({
    args,
    options: {
      orders: { type: 'string', default: '100' },
      rounds: { type: 'string', default: '4' },
      width: { type: 'string', default: '8' },
    },
  });
  const [orders, rounds, width] = [Number(values.orders), Number(values.rounds), Number(values.width)];
  provideSecrets(join(import.meta.dirname, '../.data/bench/secrets.json'));
  const host = await openMarket();
  const bare = await connectMonitored(process.env['MONGODB_URI']!);
  try {
    const shop = await stock(host);
    await checkout(host, shop, 40, width);
    const sample = await recordOne(host, shop);
    await replayMany(bare.getClient(), sample, 40, width);
    const ours: Round[] = [];
    const theirs: Round[] = [];
    for (let round = 0; round < rounds; round += 1) {
      ours.push(await checkout(host, shop, orders, width));
      theirs.push(await replayMany(bare.getClient(), sample, orders, width));
    }
    return figures(ours, theirs, sample.commands.length);
  } finally {
    await bare.close();
    for (const { db } of host.runtimes.values()) await db.dropDatabase();
    await host.close();
  }
}

async function openMarket(): Promise<Host> {
  const subgraphs = await loadSubgraphs();
  return openHost(subgraphs, {
    mongodbUri: process.env['MONGODB_URI']!,
    redisUrl: process.env['REDIS_URL']!,
    databasePrefix: 'bench_',
    queuePrefix: 'bench',
    monitorCommands: true,
  });
}

interface Shop {
  door: Door;
  /** Of two vendors each; plenty in stock. */
  variants: string[];
  buyer(): Viewer;
}

async function stock(host: Host): Promise<Shop> {
  const door = createDoor(host);
  const people = await loadPeople(host);
  const stores = await loadStores(host, door, people);
  const admin = people.get('admin')!;
  await loadProducts(door, stores, await loadCategories(door, admin), await loadAttributes(door, admin));
  const variants: string[] = [];
  for (const slug of ['tiyende-grocers', 'malata-hardware']) {
    const { vendorBySlug } = { vendorBySlug: stores.get(slug)! };
    const { products } = await door.ask(
      'catalog',
      null,
      'query ($id: ID!) { products(first: 20, where: { vendorId: { eq: $id } }) { nodes { variants { id } } } }',
      { id: vendorBySlug.id },
    );
    const ids: string[] = products.nodes
      .flatMap(({ variants: own }: { variants: { id: string }[] }) => own.map(({ id }) => id))
      .slice(0, 20);
    const lines = ids.map((variantId) => ({ variantId, warehouseId: [...vendorBySlug.warehouses.values()][0], onHand: 1_000_000 }));
    await door.run('inventory', vendorBySlug.owner, 'bulkSetStock', { lines, reason: 'Bench' }, 'results { userErrors { code } }');
    variants.push(...ids);
  }
  let buyers = 0;
  return { door, variants, buyer: () => ({ id: `usr_bench${(buyers += 1)}`, roles: ['customer'], scopes: [] }) };
}

async function orderOnce({ door, variants, buyer }: Shop, number: number): Promise<void> {
  const as = buyer();
  const half = variants.length / 2;
  for (const variantId of [variants[number % half]!, variants[half + (number % half)]!]) {
    const { addToCart } = await door.ask('orders', as, ADD, { input: { variantId, quantity: 1 } });
    if (addToCart.userErrors.length > 0) throw new Error(JSON.stringify(addToCart));
  }
  const input = { paymentMethod: 'CASH_ON_DELIVERY', address: ADDRESS, idempotencyKey: `bench-${as.id}-${Date.now()}` };
  const { placeOrder } = await door.ask('orders', as, PLACE, { input });
  if (placeOrder.order?.status !== 'CONFIRMED') throw new Error(JSON.stringify(placeOrder));
}

async function checkout(host: Host, shop: Shop, orders: number, width: number): Promise<Round> {
  return measured(orders, async () => {
    await inParallel(
      Array.from({ length: orders }, (_, index) => index),
      width,
      (index) => orderOnce(shop, index),
    );
    await settled(host);
  });
}

/** Events and their effects belong to an order as much as its rows do. */
async function settled({ runtimes }: Host): Promise<void> {
  for (;;) {
    const pending = await Promise.all([...runtimes.values()].map(({ db }) => outboxOf(db).countDocuments({ state: 'NEW' })));
    if (pending.every((count) => count === 0)) return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

interface Sample {
  commands: Recorded[];
  isOld(id: string): boolean;
}

/** The commands of one order, from the first line in the cart to the last effect of its events. */
async function recordOne(host: Host, shop: Shop): Promise<Sample> {
  await settled(host);
  const mark = new Date().getTime();
  const recording = record(host.client.getClient());
  await orderOnce(shop, 0);
  await settled(host);
  const commands = recording.stop();
  return { commands, isOld: (id) => timeOf(id) < mark };
}

/** The moment an id was made: its first ten characters after the prefix, in Crockford's base32. */
function timeOf(id: string): number {
  const letters = id.slice(id.indexOf('_') + 1).slice(0, 10);
  return [...letters].reduce((time, letter) => time * 32 + '0123456789ABCDEFGHJKMNPQRSTVWXYZ'.indexOf(letter), 0);
}

let replays = 0;

async function replayMany(
  client: Parameters<typeof replay>[0],
  { commands, isOld }: Sample,
  orders: number,
  width: number,
): Promise<Round> {
  const numbers = Array.from({ length: orders }, () => (replays += 1));
  return measured(orders, () => inParallel(numbers, width, (number) => replay(client, commands, createRenaming(isOld, number))));
}

async function measured(orders: number, work: () => Promise<unknown>): Promise<Round> {
  const cpu = process.cpuUsage();
  const since = performance.now();
  await work();
  const { user, system } = process.cpuUsage(cpu);
  return { orders, cpuMs: (user + system) / 1_000, wallMs: performance.now() - since };
}

function figures(ours: Round[], theirs: Round[], commands: number): Record<string, unknown> {
  const cpu = (rounds: Round[]): number => median(rounds.map(({ cpuMs, orders }) => cpuMs / orders));
  const rate = (rounds: Round[]): number => median(rounds.map(({ orders, wallMs }) => (orders / wallMs) * 1_000));
  const [ourCpu, bareCpu] = [cpu(ours), cpu(theirs)];
  return {
    cpuRatio: round(ourCpu / bareCpu),
    cpuMsPerOrder: round(ourCpu),
    bareCpuMsPerOrder: round(bareCpu),
    ordersPerSecond: round(rate(ours)),
    bareOrdersPerSecond: round(rate(theirs)),
    storeCommandsPerOrder: commands,
  };
}

const median = (values: number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;

const round = (value: number): number => Math.round(value * 100) / 100;

import type { mongo } from 'mongoose';
import { createDoor, type Door } from '../demo/load/door.ts';
import { loadMarketplace } from '../demo/load.ts';
import { loadSubgraphs } from '../demo/together.ts';
import { openHost, type Host } from '#shared/runtime/host.ts';
import { newId } from '#shared/base/ids.ts';
import { outboxOf } from '#shared/messaging/outbox.ts';

/** The demo marketplace with two shops that cannot run out of stock, and buyers who order from both at once. */
export interface Market {
  host: Host;
  /** A new buyer fills a cart with one piece of each shop and places the order; answers how many ms `placeOrder` took. */
  order(number: number): Promise<number>;
  /** Waits until everything the orders said has had its effects. */
  settled(): Promise<void>;
}

/** Of this run: what an earlier one has left is not met again. */
export const MARKET_PREFIX = `bench_${Date.now().toString(36)}_`;
const SHOPS = ['tiyende-grocers', 'malata-hardware'];
const PIECES = 20;
const PLENTY = 1_000_000;
const POLL_MS = 10;

const ADDRESS = { recipient: 'Bench', phone: '+260971234567', line1: 'Plot 1', city: 'Lusaka', country: 'ZM' };
const PLACE = 'mutation ($input: PlaceOrderInput!) { placeOrder(input: $input) { order { id status } userErrors { code message path } } }';
const ADD = 'mutation ($input: AddToCartInput!) { addToCart(input: $input) { cart { id } userErrors { code message path } } }';
const SHOP = 'query ($slug: String!) { vendorBySlug(slug: $slug) { id } }';
const GOODS = `query ($id: ID!) { products(first: ${PIECES}, where: { vendorId: { eq: $id } }) { nodes { variants { id } } } }`;

/** Every subgraph in this process; with `monitorCommands` the store's client tells what it sends, which costs time. */
export const openMarketHost = async (options: { monitorCommands: boolean }): Promise<Host> =>
  openHost(await loadSubgraphs(), {
    mongodbUri: process.env['MONGODB_URI']!,
    redisUrl: process.env['REDIS_URL']!,
    databasePrefix: MARKET_PREFIX,
    redisPrefix: MARKET_PREFIX,
    ...options,
  });

/** Loads the demo marketplace and gives two of its shops plenty of everything. */
export async function fillMarket(host: Host): Promise<void> {
  const { stores } = await loadMarketplace(host);
  const door = createDoor(host);
  for (const slug of SHOPS) {
    const { owner, warehouses } = stores.get(slug)!;
    const [warehouseId] = warehouses.values();
    const lines = (await piecesOf(door, slug)).map((variantId) => ({ variantId, warehouseId, onHand: PLENTY }));
    await door.run('inventory', owner, 'bulkSetStock', { lines, reason: 'Bench' }, 'results { userErrors { code } }');
  }
}

/** The databases of this run. Slow on a store that syncs each removed document to its disk. */
export async function dropMarket(client: mongo.MongoClient): Promise<void> {
  const { databases } = await client.db().admin().listDatabases({ nameOnly: true });
  for (const { name } of databases) if (name.startsWith(MARKET_PREFIX)) await client.db(name).dropDatabase();
}

export async function openMarket(host: Host): Promise<Market> {
  const door = createDoor(host);
  const pieces = await Promise.all(SHOPS.map((slug) => piecesOf(door, slug)));
  return { host, order: (number) => order(door, pieces, number), settled: () => settled(host) };
}

async function piecesOf(door: Door, slug: string): Promise<string[]> {
  const { vendorBySlug } = await door.ask('vendors', null, SHOP, { slug });
  const { products } = await door.ask('catalog', null, GOODS, { id: vendorBySlug.id });
  const ids = products.nodes.flatMap(({ variants }: { variants: { id: string }[] }) => variants.map(({ id }) => id)) as string[];
  return ids.slice(0, PIECES);
}

async function order(door: Door, pieces: string[][], number: number): Promise<number> {
  const as = { id: newId('usr'), roles: ['customer'], scopes: [] };
  for (const shop of pieces) {
    const { addToCart } = await door.ask('orders', as, ADD, { input: { variantId: shop[number % shop.length], quantity: 1 } });
    if (addToCart.userErrors.length > 0) throw new Error(JSON.stringify(addToCart));
  }
  const input = { paymentMethod: 'CASH_ON_DELIVERY', address: ADDRESS, idempotencyKey: as.id };
  const since = performance.now();
  const { placeOrder } = await door.ask('orders', as, PLACE, { input });
  if (placeOrder.order?.status !== 'CONFIRMED') throw new Error(JSON.stringify(placeOrder));
  return performance.now() - since;
}

async function settled({ runtimes, queues }: Host): Promise<void> {
  const consumed = [...runtimes.values()].flatMap(({ consumers }) => consumers.map(({ queue }) => queue));
  for (;;) {
    // In this order: what has left an outbox is on its queues.
    const unsent = await Promise.all([...runtimes.values()].map(({ db }) => outboxOf(db).countDocuments({ state: 'NEW' })));
    const waiting = await Promise.all(consumed.map((name) => queues.queue(name).getJobCountByTypes('waiting', 'active', 'delayed')));
    if ([...unsent, ...waiting].every((count) => count === 0)) return;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createDoor, type Door } from '../demo/load/door.ts';
import { provideSecrets } from '#shared/process/development-secrets.ts';
import type { Host } from '#shared/runtime/host.ts';
import { newId } from '#shared/base/ids.ts';
import type { Viewer } from '#shared/base/identity.ts';
import type { Store } from './bench.ts';
import { dropMarket, fillMarket, openMarket, openMarketHost } from './market.ts';

/*
 * How long the first page of each list takes with few and with many rows behind it, through the subgraph's resolvers and rules. What is the
 * same for everyone is kept in Redis: each page is asked for in a size of its own, so that the store is what answers.
 */

const REAL_ORDERS = 12;
const AT_ONCE = 500;
const MIN_PAGE_SIZE = 15;
const ADMIN: Viewer = { id: 'usr_bench', roles: ['admin'], scopes: [], sessionId: 'ses_bench' };

interface List {
  name: string;
  ask(door: Door, first: number): Promise<unknown>;
}

export async function run(args: string[], keepsStores: boolean, { engine }: Store): Promise<Record<string, unknown>> {
  const { values } = parseArgs({
    args,
    options: {
      few: { type: 'string', default: '300' },
      many: { type: 'string', default: '20000' },
      orders: { type: 'string', default: '5000' },
      times: { type: 'string', default: '20' },
    },
  });
  const [few, many, orders, times] = [values.few, values.many, values.orders, values.times].map(Number) as number[];
  provideSecrets(join(import.meta.dirname, '../.data/bench/secrets.json'));
  const host = await openMarketHost({ monitorCommands: false });
  try {
    await fillMarket(host);
    const market = await openMarket(host);
    for (let number = 0; number < REAL_ORDERS; number += 1) await market.order(number);
    await market.settled();
    const lists = await listsOf(host);
    await copyProducts(host, few!);
    const short = await measured(host, lists, times!);
    await copyProducts(host, many!);
    await copyOrders(host, orders!);
    const long = await measured(host, lists, times!);
    return { store: engine, products: [few, many], orders, shortMs: short, longMs: long };
  } finally {
    if (keepsStores) await dropMarket(host.client.getClient());
    await host.close();
  }
}

async function listsOf({ runtimes }: Host): Promise<List[]> {
  const part = (await rowsOf(runtimes, 'orders', 'vendororders').findOne({}))!;
  const product = (await rowsOf(runtimes, 'catalog', 'products').findOne({ state: 'PUBLISHED', 'categoryIds.0': { $exists: true } }))!;
  const [categoryId] = product['categoryIds'] as string[];
  const products = (name: string, rest: string, variables: object = {}): List => ({
    name,
    ask: (door, first) =>
      door.ask(
        'catalog',
        null,
        `query ($first: Int${'id' in variables ? ', $id: ID' : ''}) { products(first: $first${rest}) { nodes { id name } } }`,
        {
          first,
          ...variables,
        },
      ),
  });
  const buyer: Viewer = { id: String(part['buyerId']), roles: ['customer'], scopes: [], sessionId: 'ses_bench' };
  return [
    products('newest', ''),
    products('byPrice', ', sort: [{ field: PRICE }]'),
    products('byCategory', ', where: { categoryId: $id }', { id: categoryId }),
    {
      name: 'vendorOrders',
      ask: (door, first) =>
        door.ask('orders', ADMIN, 'query ($id: ID!, $first: Int) { vendorOrders(vendorId: $id, first: $first) { nodes { id } } }', {
          id: part['vendorId'],
          first,
        }),
    },
    {
      name: 'orderHistory',
      ask: (door, first) => door.ask('orders', buyer, 'query ($first: Int) { orders(first: $first) { nodes { id } } }', { first }),
    },
  ];
}

async function measured(host: Host, lists: List[], times: number): Promise<Record<string, { p50: number; p95: number }>> {
  const door = createDoor(host);
  const figures: Record<string, { p50: number; p95: number }> = {};
  for (const { name, ask } of lists) {
    const took: number[] = [];
    for (let time = 0; time < times; time += 1) {
      const since = performance.now();
      await ask(door, MIN_PAGE_SIZE + time);
      took.push(performance.now() - since);
    }
    took.sort((a, b) => a - b);
    const at = (share: number): number => Math.round(took[Math.min(Math.floor(took.length * share), took.length - 1)]! * 10) / 10;
    figures[name] = { p50: at(0.5), p95: at(0.95) };
    console.log(`${name}: p50 ${figures[name].p50} ms, p95 ${figures[name].p95} ms`);
  }
  return figures;
}

interface Row {
  _id: string;
  [field: string]: unknown;
}

const rowsOf = (runtimes: Host['runtimes'], subgraph: string, collection: string) => runtimes.get(subgraph)!.db.collection<Row>(collection);

async function copyProducts({ runtimes }: Host, wanted: number): Promise<void> {
  await copy(rowsOf(runtimes, 'catalog', 'products'), { state: 'PUBLISHED' }, wanted, (row, _id) => ({
    ...row,
    _id,
    slug: _id.toLowerCase(),
    slugKey: _id,
    skuKeys: [_id],
    variants: (row['variants'] as Row[]).map((variant) => ({ ...variant, _id: newId('var') })),
    createdAt: new Date(Date.now() - Math.random() * 30 * 24 * 3_600_000),
  }));
}

/** Of the same buyers and vendors as the real ones. */
async function copyOrders({ runtimes }: Host, wanted: number): Promise<void> {
  const placed = () => new Date(Date.now() - Math.random() * 30 * 24 * 3_600_000);
  for (const collection of ['orders', 'vendororders'])
    await copy(rowsOf(runtimes, 'orders', collection), {}, wanted, (row, _id) => ({ ...row, _id, placedAt: placed() }));
}

type Rows = ReturnType<typeof rowsOf>;

async function copy(rows: Rows, filter: object, wanted: number, change: (row: Row, id: string) => Row): Promise<void> {
  const models = await rows.find(filter).sort({ _id: 1 }).limit(50).toArray();
  const missing = wanted - (await rows.countDocuments(filter));
  for (let at = 0; at < missing; at += AT_ONCE) {
    const count = Math.min(AT_ONCE, missing - at);
    const next = (index: number): Row => {
      const model = models[(at + index) % models.length]!;
      return change(model, newId(model._id.split('_')[0]!));
    };
    await rows.insertMany(Array.from({ length: count }, (_, index) => next(index)));
  }
}

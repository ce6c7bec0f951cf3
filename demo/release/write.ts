import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { mongo } from 'mongoose';
import { newId } from '#shared/base/ids.ts';
import { openServices, type Services } from '#shared/services/services.ts';
import type { Host } from '#shared/runtime/host.ts';
import type { Answer } from '../load/door.ts';

/*
 * `node demo/release/write.ts NAME`, in the checkout of a release: writes `demo/release/NAME.json.gz`, what its demo leaves in the stores, with an
 * order that is confirmed and one whose process died in the middle of the checkout. Tests open later builds on it.
 */

export interface ReleaseData {
  /** By subgraph, then by collection; rows as canonical extended JSON. */
  databases: Record<string, Record<string, { indexes: object[]; rows: object[] }>>;
  /** Of the order whose checkout was interrupted, and of the one before. */
  orders: { interrupted: string; confirmed: string };
}

const PREFIX = 'release_';
const BUYER = 'buyer1';
const CRASH_AT = 'checkout.pay:after';

async function openMarket(): Promise<Host> {
  const { openWholeHost } = await import('../together.ts');
  return openWholeHost();
}

/** Orders two pieces of the first product that is for sale, as the demo's first buyer. */
async function order(host: Host): Promise<string> {
  const { createDoor } = await import('../load/door.ts');
  const door = createDoor(host);
  const user = await host.runtimes
    .get('accounts')!
    .db.collection('users')
    .findOne({ email: `${BUYER}@soko.example` });
  const buyer = { id: String(user!['_id']), roles: ['customer'], scopes: [] };
  const found: Answer = await door.ask('catalog', null, '{ products(first: 1) { nodes { variants { id } } } }');
  await door.run('orders', buyer, 'addToCart', { variantId: found.products.nodes[0].variants[0].id, quantity: 2 }, 'cart { id }');
  const address = { recipient: 'Thandiwe Ngoma', phone: '+260971234567', line1: 'Plot 5, Great East Road', city: 'Lusaka', country: 'ZM' };
  const input = { idempotencyKey: newId('key'), paymentMethod: 'CASH_ON_DELIVERY', address };
  return (await door.run('orders', buyer, 'placeOrder', input, 'order { id }'))['order'].id as string;
}

async function write(name: string): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'release-'));
  const services = await openServices({ dataDir: folder, fresh: true, log: console.log });
  setEnvironment(services, folder);
  try {
    const { loadDemo } = await import('../load.ts');
    const host = await openMarket();
    await loadDemo(host, { databasePrefix: PREFIX, say: console.log });
    const confirmed = await order(host);
    await settled(host);
    await host.close();
    const child = fork(import.meta.filename, ['--interrupted'], { env: { ...process.env, CRASH_AT } });
    const [, signal] = (await once(child, 'exit')) as [number | null, string | null];
    if (signal !== 'SIGKILL') throw new Error('The checkout was not interrupted.');
    const file = join(import.meta.dirname, `${name}.json.gz`);
    const text = mongo.BSON.EJSON.stringify(await dump(services.mongodb.uri, confirmed), { relaxed: false });
    writeFileSync(file, gzipSync(text, { level: 9 }));
    console.log(`${file}: ${text.length} characters`);
  } finally {
    await services.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

function setEnvironment({ mongodb, redis }: Services, folder: string): void {
  Object.assign(process.env, {
    NODE_ENV: 'test',
    MONGODB_URI: mongodb.uri,
    REDIS_URL: redis.uri,
    DATABASE_PREFIX: PREFIX,
    LOG_LEVEL: 'warn',
    UPLOADS_DIR: join(folder, 'uploads'),
    UPLOADS_URL: 'http://127.0.0.1:4000/uploads',
  });
}

async function settled(host: Host): Promise<void> {
  for (;;) {
    const pending = await Promise.all([...host.runtimes.values()].map(({ relay }) => relay.pending()));
    if (pending.every((count) => count === 0)) return;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

/** What a later build needs and what is small: no history of the load itself. */
async function dump(uri: string, confirmed: string): Promise<ReleaseData> {
  const client = await mongo.MongoClient.connect(uri);
  const { databases } = await client.db().admin().listDatabases({ nameOnly: true });
  const data: ReleaseData['databases'] = {};
  for (const { name } of databases.filter((each) => each.name.startsWith(PREFIX))) {
    const db = client.db(name);
    const collections = await db.listCollections({}, { nameOnly: true }).toArray();
    const entries = collections
      .filter((each) => !each.name.startsWith('system.'))
      .map(async (each) => {
        const rows = db.collection(each.name);
        return [each.name, { indexes: await rows.indexes(), rows: await rows.find().toArray() }] as const;
      });
    data[name.slice(PREFIX.length)] = Object.fromEntries(await Promise.all(entries));
  }
  const open = await client.db(`${PREFIX}orders`).collection('sagas').findOne({ state: 'RUNNING' });
  await client.close();
  return { databases: data, orders: { confirmed, interrupted: open!['input'].orderId as string } };
}

if (import.meta.main) {
  const [argument] = process.argv.slice(2);
  if (argument === undefined) throw new Error('Usage: node demo/release/write.ts NAME');
  await (argument === '--interrupted' ? order(await openMarket()) : write(argument));
}

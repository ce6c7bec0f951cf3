import type { Host } from '../shared/host.ts';
import { StartError } from '../shared/start-error.ts';
import { connectMongo } from '../shared/store.ts';
import { createDoor } from './load/door.ts';
import { loadAttributes, loadCategories, loadProducts } from './load/goods.ts';
import { loadPeople } from './load/people.ts';
import { loadStores, type Store } from './load/stores.ts';
import { marketplace } from './data/marketplace.ts';
import { InterruptedLoad } from './mishaps.ts';

interface Mark {
  _id: string;
  state: 'BEGUN' | 'DONE';
}

interface Options {
  databasePrefix: string;
  say: (line: string) => void;
}

/**
 * The accounts of the demo have public passwords, one of them an admin's. A store with accounts that no demo made is somebody's own, and
 * refused before anything is written.
 */
export async function refuseForeignData(mongodbUri: string, databasePrefix: string): Promise<void> {
  const client = await connectMongo(mongodbUri);
  try {
    const database = (name: string) => client.useDb(`${databasePrefix}${name}`, { useCache: false });
    const isDemo = (await database('demo').collection<Mark>('marks').findOne({ _id: 'marketplace' })) !== null;
    const hasAccounts = (await database('accounts').collection('users').findOne({})) !== null;
    if (isDemo || !hasAccounts) return;
    throw new StartError(
      `The database ${databasePrefix}accounts holds accounts that are not this demo's, and the demo's passwords are public. Set DATABASE_PREFIX to a name of its own.`,
    );
  } finally {
    await client.close();
  }
}

/**
 * Fills empty stores with the demo marketplace, through the same actions as real use. Does nothing when it is there already; half of it is
 * an InterruptedLoad.
 */
export async function loadDemo(host: Host, { databasePrefix, say }: Options): Promise<void> {
  const marks = host.client.useDb(`${databasePrefix}demo`, { useCache: false }).collection<Mark>('marks');
  const mark = await marks.findOne({ _id: 'marketplace' });
  if (mark?.state === 'DONE') return;
  if (mark) throw new InterruptedLoad();
  await marks.insertOne({ _id: 'marketplace', state: 'BEGUN' });
  const since = performance.now();
  await loadMarketplace(host);
  await marks.updateOne({ _id: 'marketplace' }, { $set: { state: 'DONE' } });
  const { vendors, products, categories, users } = marketplace;
  const seconds = ((performance.now() - since) / 1_000).toFixed(1);
  say(
    `demo: ${vendors.length} vendors, ${categories.length} categories, ${products.length} products and ${users.length} accounts loaded in ${seconds} s`,
  );
}

/** The marketplace into stores that have none of it. */
export async function loadMarketplace(host: Host): Promise<{ stores: Map<string, Store> }> {
  const door = createDoor(host);
  const people = await loadPeople(host);
  const admin = people.get('admin')!;
  const [stores, categoryIds, attributeIds] = await Promise.all([
    loadStores(host, door, people),
    loadCategories(door, admin),
    loadAttributes(door, admin),
  ]);
  await loadProducts(door, stores, categoryIds, attributeIds);
  return { stores };
}

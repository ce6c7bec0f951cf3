import type { Host } from '#shared/runtime/host.ts';
import type { Viewer } from '#shared/base/identity.ts';
import { StartError } from '#shared/base/start-error.ts';
import { connectMongo } from '#shared/store/mongo.ts';
import { createDoor } from './load/door.ts';
import { loadAttributes, loadCategories, loadProducts } from './load/goods.ts';
import { loadChecklist } from './load/checklist.ts';
import { loadLowStock } from './load/low-stock.ts';
import { loadPeople } from './load/people.ts';
import { loadPictures } from './load/pictures.ts';
import { loadStores, type Store } from './load/stores.ts';
import { marketplace } from './data/marketplace.ts';
import { InterruptedLoad } from './startup-errors.ts';

interface Mark {
  _id: string;
  state: 'BEGUN' | 'DONE';
  /** Where uploads were read when the pictures were made. */
  address?: string | undefined;
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
  const address = process.env['UPLOADS_URL'];
  if (mark?.state === 'DONE') {
    if (mark.address === address) return;
    await loadPictures(host);
    await marks.updateOne({ _id: 'marketplace' }, { $set: { address } });
    return;
  }
  if (mark) throw new InterruptedLoad();
  await marks.insertOne({ _id: 'marketplace', state: 'BEGUN' });
  const since = performance.now();
  const { stores, people } = await loadMarketplace(host);
  const door = createDoor(host);
  await Promise.all([loadPictures(host), loadLowStock(host, door, stores), loadChecklist(door, people.get('admin')!)]);
  await marks.updateOne({ _id: 'marketplace' }, { $set: { state: 'DONE', address } });
  const { vendors, products, categories, users } = marketplace;
  const seconds = ((performance.now() - since) / 1_000).toFixed(1);
  say(
    `demo: ${vendors.length} vendors, ${categories.length} categories, ${products.length} products and ${users.length} accounts loaded in ${seconds} s`,
  );
}

/** The marketplace into stores that have none of it. */
export async function loadMarketplace(host: Host): Promise<{ stores: Map<string, Store>; people: Map<string, Viewer> }> {
  const door = createDoor(host);
  const people = await loadPeople(host);
  const admin = people.get('admin')!;
  const [stores, categoryIds, attributeIds] = await Promise.all([
    loadStores(host, door, people),
    loadCategories(door, admin),
    loadAttributes(door, admin),
  ]);
  await loadProducts(door, stores, categoryIds, attributeIds);
  return { stores, people };
}

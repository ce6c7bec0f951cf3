import type { Host } from '../shared/host.ts';
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

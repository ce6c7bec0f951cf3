import type { Host } from '#shared/runtime/host.ts';
import { newId } from '#shared/base/ids.ts';
import type { Ctx } from '../../subgraphs/inventory/loaders.ts';
import { inParallel, type Door } from './door.ts';
import type { Store } from './stores.ts';

const WIDTH = 4;
const ITEMS_PER_STORE = 2;

/** In every store some goods are running out: a threshold is set, and one piece sold at the counter brings the stock to it. */
export async function loadLowStock({ runtimes }: Host, door: Door, stores: Map<string, Store>): Promise<void> {
  const { models } = runtimes.get('inventory')!.context({ issuer: 'demo', viewer: null }) as Ctx;
  await inParallel([...stores.values()], WIDTH, async ({ id: vendorId, owner }) => {
    const items = await models.StockItem.find({ vendorId, onHand: { $gte: 2 } })
      .sort({ onHand: 1, _id: 1 })
      .limit(ITEMS_PER_STORE)
      .lean();
    for (const { variantId, warehouseId, onHand, version } of items) {
      const threshold = { variantId, warehouseId, threshold: onHand - 1, expectedVersion: version };
      await door.run('inventory', owner, 'setLowStockThreshold', threshold, 'stockItem { id }');
      const sale = { variantId, warehouseId, delta: -1, reason: 'Sold at the counter', idempotencyKey: newId('demo') };
      await door.run('inventory', owner, 'adjustStock', sale, 'stockItem { id }');
    }
  });
}

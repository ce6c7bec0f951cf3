import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { newId } from '#shared/base/ids.ts';
import type { Data } from '#shared/testing/open.ts';
import { productDeleted } from '../catalog/contract.ts';
import { admin, ann, bob, clerk, closeSoundly, codeOf, openShop, type Shop, stranger } from './testing/shop.ts';

let shop: Shop;
beforeAll(async () => {
  shop = await openShop();
});
afterAll(() => closeSoundly(shop));

const saidOf = async (type: string, variantId: string): Promise<Data[]> =>
  (await shop.app.said(type)).map(({ data }) => data).filter((data: Data) => data.variantId === variantId);
const set = (variantId: string, onHand: number, expectedVersion: number) => shop.run('setStock', { variantId, onHand, expectedVersion });
const watch = (variantId: string, threshold: number, expectedVersion = 1) =>
  shop.run('setLowStockThreshold', { variantId, threshold, expectedVersion });

describe('Inventory.Updated', () => {
  test('tells what is available in the warehouse whenever that changes, and only then', async () => {
    const warehouse = await shop.warehouse();
    const cup = await shop.stocked({ [warehouse]: 5 });
    const reference = shop.reference();

    await shop.reserve(reference, { [cup]: 2 });
    await shop.commit(reference);
    await shop.release(reference);

    const said = await saidOf('Inventory.Updated', cup);
    expect(said.map(({ quantity }) => quantity)).toEqual([5, 3, 5]);
    expect(said[0]).toEqual({
      productId: cup.replace('var', 'prd'),
      variantId: cup,
      vendorId: 'ven_ann',
      quantity: 5,
      warehouse,
      timestamp: expect.any(String),
    });
  });
});

describe('Product.BackInStock', () => {
  test('is said when there is something of a variant again in any warehouse, not when it is stocked first', async () => {
    const [near, far] = [await shop.warehouse(1), await shop.warehouse(2)];
    const cup = await shop.stocked({ [near]: 1, [far]: 1 });
    const [one, both] = [shop.reference(), shop.reference()];
    await shop.reserve(one, { [cup]: 1 });
    await shop.release(one);
    expect(await saidOf('Product.BackInStock', cup)).toEqual([]);

    await shop.reserve(both, { [cup]: 2 });
    await shop.release(both);

    expect(await saidOf('Product.BackInStock', cup)).toMatchObject([
      { productId: cup.replace('var', 'prd'), variantId: cup, vendorId: 'ven_ann' },
    ]);
  });

  test('is said of what was counted as none before', async () => {
    const cup = await shop.stocked(0);

    await set(cup, 3, 1);
    await set(cup, 4, 2);

    expect(await saidOf('Product.BackInStock', cup)).toHaveLength(1);
  });

  test('is not said when pieces only go to another warehouse', async () => {
    const [fromWarehouseId, toWarehouseId] = [await shop.warehouse(), await shop.warehouse()];
    const cup = await shop.stocked({ [fromWarehouseId]: 2, [toWarehouseId]: 0 });

    await shop.run('transferStock', { variantId: cup, fromWarehouseId, toWarehouseId, quantity: 2, idempotencyKey: `all-${cup}` });

    expect(await saidOf('Product.BackInStock', cup)).toEqual([]);
  });
});

describe('Inventory.LowStockReached', () => {
  test('is said once for each time available falls to the threshold', async () => {
    const cup = await shop.stocked(10);
    await watch(cup, 3);
    const [a, b, c] = [shop.reference(), shop.reference(), shop.reference()];

    await shop.reserve(a, { [cup]: 6 });
    expect(await saidOf('Inventory.LowStockReached', cup)).toEqual([]);
    await shop.reserve(b, { [cup]: 1 });
    await shop.reserve(c, { [cup]: 1 });
    await shop.commit(b);

    expect(await saidOf('Inventory.LowStockReached', cup)).toMatchObject([{ available: 3, threshold: 3, vendorId: 'ven_ann' }]);
    await shop.release(a);
    await shop.reserve(shop.reference(), { [cup]: 8 });
    expect(await saidOf('Inventory.LowStockReached', cup)).toMatchObject([{ available: 3 }, { available: 0 }]);
  });

  test('is said once when the threshold is set above what is there, and not again while it falls further', async () => {
    const cup = await shop.stocked(3);

    await watch(cup, 5);
    await watch(cup, 6, 2);
    await shop.reserve(shop.reference(), { [cup]: 1 });

    expect(await saidOf('Inventory.LowStockReached', cup)).toMatchObject([{ available: 3, threshold: 5 }]);
  });

  test('is said when the last piece goes, with a threshold or without', async () => {
    const [cup, bowl] = [await shop.stocked(3), await shop.stocked(3)];
    await watch(cup, 2);

    for (const each of [cup, bowl]) for (let piece = 0; piece < 3; piece += 1) await shop.reserve(shop.reference(), { [each]: 1 });

    expect(await saidOf('Inventory.LowStockReached', cup)).toMatchObject([{ available: 2 }, { available: 0 }]);
    expect(await saidOf('Inventory.LowStockReached', bowl)).toMatchObject([{ available: 0, threshold: 0 }]);
  });
});

describe('stock alerts', () => {
  const LIST = `query ($where: StockAlertWhere) { stockAlerts(first: 50, where: $where) { totalCount nodes { id state available threshold timesRaised
    variant { id } warehouse { name } stockItem { id available } raisedAt lastRaisedAt acknowledgedAt acknowledgedBy { id } } } }`;
  const alertsOf = async (variantId: string, as = ann): Promise<Data[]> =>
    (await shop.app.ask(LIST, { where: { variantId: { eq: variantId } } }, { as })).data.stockAlerts.nodes;
  const acknowledge = (id: string, as?: typeof ann) => shop.run('acknowledgeStockAlert', { id }, as);

  async function lowCup(): Promise<string> {
    const cup = await shop.stocked(5);
    await watch(cup, 3);
    await set(cup, 2, 2);
    await shop.app.settled();
    return cup;
  }

  test('are recorded through the queue inventory-alerts, and raised again while they are open', async () => {
    const cup = await lowCup();
    expect(await alertsOf(cup)).toMatchObject([
      { state: 'OPEN', available: 2, threshold: 3, timesRaised: 1, warehouse: { name: expect.any(String) } },
    ]);

    await set(cup, 9, 3);
    await set(cup, 1, 4);
    await shop.app.settled();

    expect(await alertsOf(cup)).toMatchObject([{ state: 'OPEN', available: 1, timesRaised: 2, stockItem: { available: 1 } }]);
  });

  test('are recorded once when the work is delivered again', async () => {
    const cup = await lowCup();
    const [envelope] = (await shop.app.said('inventory-alerts')).filter(({ data }) => (data as Data).variantId === cup);
    const { jobs } = shop.app.runtime();

    await Promise.all([1, 2, 3].map(() => jobs.takeIn({ envelope: envelope!, from: 'inventory' })));
    await shop.app.settled();

    expect(await alertsOf(cup)).toMatchObject([{ timesRaised: 1 }]);
  });

  test('are acknowledged once, and the next fall is a new one', async () => {
    const cup = await lowCup();
    const [{ id }] = (await alertsOf(cup)) as [Data];

    const { stockAlert } = await acknowledge(id);
    expect(stockAlert).toMatchObject({ id, state: 'ACKNOWLEDGED', acknowledgedBy: { id: 'usr_ann' } });
    expect((await acknowledge(id)).stockAlert).toEqual(stockAlert);

    await set(cup, 9, 3);
    await set(cup, 1, 4);
    await shop.app.settled();
    expect((await alertsOf(cup)).map(({ state }) => state)).toEqual(['OPEN', 'ACKNOWLEDGED']);
  });

  test('are raised when the threshold is set to what is there, and show today’s figure while they are open', async () => {
    const cup = await shop.stocked(4);
    await watch(cup, 4);
    await shop.app.settled();
    expect(await alertsOf(cup)).toMatchObject([{ state: 'OPEN', available: 4, threshold: 4, timesRaised: 1 }]);

    await shop.reserve(shop.reference(), { [cup]: 3 });
    expect(await alertsOf(cup)).toMatchObject([{ state: 'OPEN', available: 1 }]);
    await shop.reserve(shop.reference(), { [cup]: 1 });
    await shop.app.settled();
    expect(await alertsOf(cup)).toMatchObject([{ state: 'OPEN', available: 0, timesRaised: 3 }]);
  });

  test('that were seen are opened again when the last piece goes, and not before', async () => {
    const cup = await shop.stocked(10);
    await watch(cup, 4);
    await shop.reserve(shop.reference(), { [cup]: 7 });
    await shop.app.settled();
    const [{ id }] = (await alertsOf(cup)) as [Data];
    await acknowledge(id);

    await shop.reserve(shop.reference(), { [cup]: 1 });
    await shop.app.settled();
    expect(await alertsOf(cup)).toMatchObject([{ id, state: 'ACKNOWLEDGED', available: 3 }]);
    await shop.reserve(shop.reference(), { [cup]: 2 });
    await shop.app.settled();

    expect(await alertsOf(cup)).toMatchObject([{ id, state: 'OPEN', available: 0, acknowledgedAt: null, acknowledgedBy: null }]);
  });

  test('are raised at nothing also for what has no threshold', async () => {
    const cup = await shop.stocked(2);

    await set(cup, 0, 1);
    await shop.app.settled();

    expect(await alertsOf(cup)).toMatchObject([{ state: 'OPEN', available: 0, threshold: 0 }]);
  });

  test('are seen by members and admins, and acknowledged by members with the permission STOCK', async () => {
    const cup = await lowCup();
    const [{ id }] = (await alertsOf(cup)) as [Data];

    for (const as of [clerk, admin]) {
      expect(await alertsOf(cup, as)).toHaveLength(1);
      expect(await codeOf(acknowledge(id, as))).toBe('FORBIDDEN');
    }
    for (const as of [bob, stranger]) {
      expect(await alertsOf(cup, as)).toEqual([]);
      expect((await acknowledge(id, as)).userErrors).toMatchObject([{ code: 'NOT_FOUND', path: ['input', 'id'] }]);
    }
    expect((await acknowledge('sal_no')).userErrors).toMatchObject([{ code: 'NOT_FOUND', path: ['input', 'id'] }]);
    expect(await codeOf(shop.run('acknowledgeStockAlert', { id }, null))).toBe('UNAUTHENTICATED');
  });
});

describe('Product.Deleted', () => {
  const deliver = async (variantId: string) => {
    const productId = variantId.replace('var', 'prd');
    const said = productDeleted({ productId, vendorId: 'ven_ann', variantIds: [variantId], timestamp: new Date().toISOString() });
    const envelope = {
      id: newId('evt'),
      type: 'Product.Deleted',
      version: 1,
      occurredAt: said.data.timestamp,
      correlationId: 'test',
      data: said.data,
    };
    const consumer = shop.app.runtime().consumers.find(({ queue }) => queue === 'inventory');
    for (let times = 0; times < 2; times += 1) await consumer!.deliver({ envelope, from: 'catalog' }, 1);
  };

  test('lets nobody reserve any more, keeps what lies there, and ends what is under way as ever', async () => {
    const cup = await shop.stocked(5);
    const [sold, released] = [shop.reference(), shop.reference()];
    for (const reference of [sold, released]) await shop.reserve(reference, { [cup]: 1 });

    await deliver(cup);

    await expect(shop.reserve(shop.reference(), { [cup]: 1 })).rejects.toMatchObject({
      code: 'INSUFFICIENT_STOCK',
      facts: { available: 0 },
    });
    expect(await shop.available(cup)).toBe(0);
    await shop.commit(sold);
    await shop.release(released);
    expect(await shop.item(cup)).toMatchObject({ onHand: 4, reserved: 0, available: 4, isDiscontinued: true });
    const { data } = await shop.app.entities(
      [{ __typename: 'ProductVariant', id: cup }],
      '... on ProductVariant { stock { isAvailable availableToBuy } }',
    );
    expect(data._entities[0].stock).toEqual({ isAvailable: false, availableToBuy: 0 });
  });

  test('holds for places where it is put afterwards, too', async () => {
    const [fromWarehouseId, toWarehouseId] = [await shop.warehouse(), await shop.warehouse()];
    const cup = await shop.stocked({ [fromWarehouseId]: 5 });
    await deliver(cup);

    const { to } = await shop.run('transferStock', {
      variantId: cup,
      fromWarehouseId,
      toWarehouseId,
      quantity: 5,
      idempotencyKey: `gone-${cup}`,
    });

    expect(to).toMatchObject({ onHand: 5, isDiscontinued: true });
    expect(await shop.available(cup)).toBe(0);
  });
});

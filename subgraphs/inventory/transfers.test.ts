import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Data } from '#shared/testing/open.ts';
import { bob, closeSoundly, codeOf, openShop, type Shop } from './testing/shop.ts';

let shop: Shop;
beforeAll(async () => {
  shop = await openShop();
});
afterAll(() => closeSoundly(shop));

const transfer = (input: object) => shop.run('transferStock', { idempotencyKey: `transfer-${shop.reference()}`, ...input });
const threshold = (input: object) => shop.run('setLowStockThreshold', input);
const refusal = ({ userErrors }: Data) => userErrors.map(({ code, path }: Data) => [code, path.join('.')]);
const movementsOf = (variantId: string) => shop.ctx().models.StockMovement.find({ variantId }).sort({ sequence: 1 }).lean();
const hold = (variantId: string, quantity: number) => shop.reserve(shop.reference(), { [variantId]: quantity });

describe('transferStock', () => {
  test('moves pieces between warehouses, and both ledgers name the same transfer', async () => {
    const [fromWarehouseId, toWarehouseId] = [await shop.warehouse(), await shop.warehouse()];
    const cup = await shop.stocked({ [fromWarehouseId]: 10 });
    const input = {
      variantId: cup,
      fromWarehouseId,
      toWarehouseId,
      quantity: 4,
      reason: 'shop is empty',
      idempotencyKey: `transfer-${cup}`,
    };

    const { from, to } = await transfer(input);
    await transfer(input);

    expect([from, to]).toMatchObject([{ onHand: 6 }, { onHand: 4, warehouse: { id: toWarehouseId } }]);
    const [out, into] = (await movementsOf(cup))
      .filter(({ cause }) => cause === 'TRANSFERRED')
      .sort((a, b) => a.onHandChange - b.onHandChange);
    expect([out, into]).toMatchObject([
      { onHandChange: -4, reason: 'shop is empty' },
      { onHandChange: 4, onHand: 4 },
    ]);
    expect(out!.reference).toMatch(/^trf_/);
    expect(into!.reference).toBe(out!.reference);
    expect(await shop.available(cup)).toBe(10);
  });

  test('moves no more than is available', async () => {
    const [fromWarehouseId, toWarehouseId] = [await shop.warehouse(), await shop.warehouse()];
    const cup = await shop.stocked({ [fromWarehouseId]: 3 });
    await hold(cup, 2);

    const { userErrors } = await transfer({ variantId: cup, fromWarehouseId, toWarehouseId, quantity: 2 });

    expect(userErrors).toMatchObject([{ code: 'INSUFFICIENT_STOCK', path: ['input', 'quantity'], variantId: cup, available: 1 }]);
    const back = { variantId: cup, fromWarehouseId: toWarehouseId, toWarehouseId: fromWarehouseId, quantity: 1 };
    expect((await transfer(back)).userErrors).toMatchObject([{ code: 'INSUFFICIENT_STOCK', available: 0 }]);
  });

  test('refuses the same warehouse, unknown ones, those of others, and quantities that are none', async () => {
    const mine = await shop.warehouse();
    const cup = await shop.stocked({ [mine]: 3 });
    const { warehouse: theirs } = await shop.run('createWarehouse', { vendorId: 'ven_bob', name: `Barn ${cup}` }, bob);
    const move = async (wrong: object) =>
      refusal(await transfer({ variantId: cup, fromWarehouseId: mine, toWarehouseId: 'wrh_no', quantity: 1, ...wrong }));

    expect(await move({ toWarehouseId: mine })).toEqual([['INVALID', 'input.toWarehouseId']]);
    expect(await move({})).toEqual([['NOT_FOUND', 'input.toWarehouseId']]);
    expect(await move({ toWarehouseId: theirs.id })).toEqual([['NOT_FOUND', 'input.toWarehouseId']]);
    expect(await move({ fromWarehouseId: 'wrh_no', toWarehouseId: mine })).toEqual([['NOT_FOUND', 'input.fromWarehouseId']]);
    expect(await move({ variantId: 'var_no' })).toEqual([['NOT_FOUND', 'input.variantId']]);
    for (const quantity of [0, -1, 10_000_001]) expect(await move({ quantity })).toEqual([['INVALID', 'input.quantity']]);
    expect(await codeOf(transfer({ variantId: cup, fromWarehouseId: mine, toWarehouseId: 'wrh_no', quantity: 0.5 }))).toBe(
      'BAD_USER_INPUT',
    );
  });
});

describe('setLowStockThreshold', () => {
  test('marks what is low, and takes the mark away again', async () => {
    const cup = await shop.stocked(5);

    const { stockItem } = await threshold({ variantId: cup, threshold: 5, expectedVersion: 1 });
    const { stockItem: without } = await threshold({ variantId: cup, expectedVersion: 2 });

    expect(stockItem).toMatchObject({ lowStockThreshold: 5, isLow: true, version: 2 });
    expect(without).toMatchObject({ lowStockThreshold: null, isLow: false, version: 3 });
  });

  test('refuses what was never stocked, an old version and thresholds that are none', async () => {
    const cup = await shop.stocked(5);
    const set_ = async (wrong: object) => refusal(await threshold({ variantId: cup, threshold: 1, expectedVersion: 1, ...wrong }));

    expect(await set_({ variantId: shop.variant() })).toEqual([['NOT_FOUND', 'input.variantId']]);
    expect(await set_({ warehouseId: 'wrh_no' })).toEqual([['NOT_FOUND', 'input.warehouseId']]);
    expect(await set_({ expectedVersion: 0 })).toEqual([['STALE_VERSION', 'input.expectedVersion']]);
    expect(await set_({ threshold: -1 })).toEqual([['INVALID', 'input.threshold']]);
    expect(await set_({ threshold: 10_000_001 })).toEqual([['INVALID', 'input.threshold']]);
  });
});

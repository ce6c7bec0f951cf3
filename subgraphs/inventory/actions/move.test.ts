import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { StockItem } from '../model.ts';
import { closeSoundly, openShop, type Shop } from '../testing/shop.ts';
import { move, type Move } from './move.ts';
import { newItem } from './slots.ts';

let shop: Shop;
beforeAll(async () => {
  shop = await openShop();
});
afterAll(() => closeSoundly(shop));

const moving = (item: StockItem, rest: Partial<Move>, second?: Move) =>
  shop.ctx().transaction((inner) => move(inner, [{ item, cause: 'ADJUSTED', ...rest }, ...(second ? [second] : [])], {}));

describe('move', () => {
  test('changes nothing when it was handed a balance that is not the last one', async () => {
    const cup = await shop.stocked(5);
    const stale = await shop.item(cup);
    await shop.reserve(shop.reference(), { [cup]: 1 });

    await expect(moving(stale, { onHand: 1 })).rejects.toMatchObject({ code: 'UNAVAILABLE', retryable: true });

    expect(await shop.item(cup)).toMatchObject({ onHand: 5, reserved: 1, available: 4, sequence: 2 });
  });

  test.each<[string, Partial<Move>]>([
    ['available', { cause: 'RESERVED', reserved: 6 }],
    ['on hand', { cause: 'ADJUSTED', onHand: -6 }],
    ['reserved', { cause: 'RELEASED', reserved: -1 }],
  ])('lets nothing that is %s become negative, whatever its caller checked, and takes the other moves back', async (_case, wrong) => {
    const [cup, plate] = [await shop.stocked(5), await shop.stocked(5)];
    const before = (await shop.app.said()).length;

    await expect(moving(await shop.item(cup), wrong, { item: await shop.item(plate), cause: 'ADJUSTED', onHand: 2 })).rejects.toMatchObject(
      {
        code: 'UNAVAILABLE',
      },
    );

    expect([await shop.available(cup), await shop.available(plate)]).toEqual([5, 5]);
    expect((await shop.app.said()).length).toBe(before);
  });

  test('stores a new item with what its first movement brings, never with less than nothing', async () => {
    const cup = shop.variant();
    const owner = { vendorId: 'ven_ann', productId: 'prd_ann_new', isDiscontinued: false };
    const item = newItem(shop.ctx(), cup, owner, await shop.warehouse());

    await expect(moving(item, { onHand: -1 })).rejects.toMatchObject({ code: 'UNAVAILABLE', retryable: true });
    expect(await shop.item(cup)).toBeNull();

    await moving(item, { cause: 'RECEIVED', onHand: 3 });
    expect(await shop.item(cup)).toMatchObject({ onHand: 3, available: 3, sequence: 1, version: 1 });
    await expect(moving(item, { cause: 'RECEIVED', onHand: 3 })).rejects.toThrow();
  });

  test('leaves no trace of a transaction that ends before its commit', async () => {
    const cup = await shop.stocked(5);
    const item = await shop.item(cup);
    const before = (await shop.app.said()).length;

    const crashing = shop.ctx().transaction(async (inner) => {
      await move(inner, [{ item, cause: 'RESERVED', reserved: 5 }], {});
      throw new Error('the process is gone');
    });

    await expect(crashing).rejects.toThrow('the process is gone');
    expect(await shop.item(cup)).toEqual(item);
    expect((await shop.app.said()).length).toBe(before);
  });

  test('has its effect once when the store makes the transaction run twice', async () => {
    const cup = await shop.stocked(5);
    const { StockItem, StockMovement } = shop.ctx().models;
    let attempts = 0;

    await shop.ctx().transaction(async (inner) => {
      attempts += 1;
      const item = (await inner.models.StockItem.findOne({ variantId: cup }).lean())!;
      // Somebody else writes the item after it was read: the store refuses this attempt.
      if (attempts === 1) await StockItem.collection.updateOne({ _id: item._id as never }, { $set: { changedAt: new Date() } });
      await move(inner, [{ item, cause: 'RESERVED', reserved: 2 }], {});
    });

    expect(attempts).toBe(2);
    expect(await shop.item(cup)).toMatchObject({ reserved: 2, available: 3 });
    expect(await StockMovement.countDocuments({ variantId: cup, cause: 'RESERVED' })).toBe(1);
    expect((await shop.app.said('Inventory.Updated')).filter(({ data }) => data.variantId === cup)).toHaveLength(2);
    await StockItem.updateOne({ variantId: cup }, { $set: { reserved: 0, available: 5, sequence: 1 } });
    await StockMovement.collection.deleteMany({ variantId: cup, cause: 'RESERVED' });
  });
});

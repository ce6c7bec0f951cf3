import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Data } from '#shared/testing/open.ts';
import { extendReservation, restockReservation } from './contract.ts';
import { admin, ann, closeSoundly, codeOf, openShop, type Shop } from './testing/shop.ts';

let shop: Shop;
beforeAll(async () => {
  shop = await openShop();
});
afterAll(() => closeSoundly(shop));

const restock = (reference: string, returnId: string, lines: Record<string, number>) =>
  shop.app.call(restockReservation, {
    reference,
    returnId,
    lines: Object.entries(lines).map(([variantId, quantity]) => ({ variantId, quantity })),
    reason: 'did not fit',
  });
const extend = (reference: string, ttlSeconds: number) => shop.app.call(extendReservation, { reference, ttlSeconds });
const itemsOf = (variantId: string) => shop.ctx().models.StockItem.find({ variantId }).sort({ _id: 1 }).lean();
const minutes = (count: number) => count * 60_000;

describe('commitReservation', () => {
  test('takes the goods off the shelf, once', async () => {
    const cup = await shop.stocked(5);
    const reference = shop.reference();
    await shop.reserve(reference, { [cup]: 2 });

    expect(await shop.commit(reference)).toEqual({ committed: true });
    expect(await shop.commit(reference)).toEqual({ committed: true });

    expect(await shop.item(cup)).toMatchObject({ onHand: 3, reserved: 0, available: 3 });
  });

  test('refuses a reference nothing was ever held for', async () => {
    expect(await codeOf(shop.commit(shop.reference()))).toBe('RESERVATION_ENDED');
  });

  test('refuses what has expired, before and after the job has come round', async () => {
    const cup = await shop.stocked(5);
    const reference = shop.reference();
    await shop.reserve(reference, { [cup]: 5 });
    shop.app.clock.advance(minutes(10) + 1_000);

    expect(await codeOf(shop.commit(reference))).toBe('RESERVATION_ENDED');
    expect(await codeOf(shop.reserve(reference, { [cup]: 5 }))).toBe('RESERVATION_ENDED');
    await shop.app.runJob('expire-reservations');
    expect(await codeOf(shop.commit(reference))).toBe('RESERVATION_ENDED');

    expect(await shop.item(cup)).toMatchObject({ onHand: 5, reserved: 0, available: 5 });
  });

  test('refuses what was released', async () => {
    const cup = await shop.stocked(5);
    const reference = shop.reference();
    await shop.reserve(reference, { [cup]: 5 });
    await shop.release(reference);

    expect(await codeOf(shop.commit(reference))).toBe('RESERVATION_ENDED');
  });
});

describe('extendReservation', () => {
  test('prolongs and never shortens', async () => {
    const cup = await shop.stocked(5);
    const reference = shop.reference();
    const { expiresAt } = await shop.reserve(reference, { [cup]: 1 });

    expect((await extend(reference, 1)).expiresAt).toBe(expiresAt);
    await extend(reference, 1_800);
    shop.app.clock.advance(minutes(25));
    await shop.app.runJob('expire-reservations');

    expect(await shop.commit(reference)).toEqual({ committed: true });
  });

  test('refuses what is over and what never was', async () => {
    const cup = await shop.stocked(9);
    const [sold, released, expired] = [shop.reference(), shop.reference(), shop.reference()];
    for (const reference of [sold, released, expired]) await shop.reserve(reference, { [cup]: 1 });
    await shop.commit(sold);
    await shop.release(released);
    shop.app.clock.advance(minutes(11));

    for (const reference of [sold, released, expired, shop.reference()])
      expect(await codeOf(extend(reference, 600))).toBe('RESERVATION_ENDED');
  });
});

describe('releaseReservation', () => {
  test('sets free what is held, once', async () => {
    const cup = await shop.stocked(5);
    const reference = shop.reference();
    await shop.reserve(reference, { [cup]: 2 });

    for (let times = 0; times < 2; times += 1) expect(await shop.release(reference)).toEqual({ released: true });

    expect(await shop.item(cup)).toMatchObject({ onHand: 5, reserved: 0, available: 5 });
  });

  test('brings back what was sold, once, less what came back already', async () => {
    const cup = await shop.stocked(5);
    const reference = shop.reference();
    await shop.reserve(reference, { [cup]: 3 });
    await shop.commit(reference);
    await restock(reference, 'ret_1', { [cup]: 1 });

    for (let times = 0; times < 2; times += 1) await shop.release(reference);

    expect(await shop.item(cup)).toMatchObject({ onHand: 5, reserved: 0 });
    expect(await codeOf(restock(reference, 'ret_2', { [cup]: 1 }))).toBe('RESERVATION_NOT_COMMITTED');
  });

  test('comes before the reservation, which then holds nothing', async () => {
    const cup = await shop.stocked(5);
    const reference = shop.reference();
    await shop.release(reference);

    expect(await codeOf(shop.reserve(reference, { [cup]: 1 }))).toBe('RESERVATION_ENDED');
    expect(await shop.release(reference)).toEqual({ released: true });
    expect(await shop.available(cup)).toBe(5);
  });
});

describe('restockReservation', () => {
  test('puts pieces back where they came from, once for each return', async () => {
    const [near, far] = [await shop.warehouse(1), await shop.warehouse(2)];
    const cup = await shop.stocked({ [near]: 2, [far]: 2 });
    const reference = shop.reference();
    await shop.reserve(reference, { [cup]: 4 });
    await shop.commit(reference);

    for (const returnId of ['ret_a', 'ret_a', 'ret_b'])
      expect(await restock(reference, returnId, { [cup]: 1 })).toEqual({ restocked: true });
    await restock(reference, 'ret_c', { [cup]: 2 });

    expect((await itemsOf(cup)).map(({ onHand }) => onHand)).toEqual([2, 2]);
  });

  test('takes back no more than was sold, and only what was sold', async () => {
    const [cup, plate] = [await shop.stocked(5), await shop.stocked(5)];
    const reference = shop.reference();
    await shop.reserve(reference, { [cup]: 2 });

    expect(await codeOf(restock(reference, 'ret_1', { [cup]: 1 }))).toBe('RESERVATION_NOT_COMMITTED');
    await shop.commit(reference);
    await expect(restock(reference, 'ret_1', { [cup]: 3 })).rejects.toMatchObject({
      code: 'RETURN_EXCEEDS_SOLD',
      facts: { variantId: cup, returnable: 2 },
    });
    expect(await codeOf(restock(reference, 'ret_1', { [plate]: 1 }))).toBe('RETURN_EXCEEDS_SOLD');
    expect(await codeOf(restock(shop.reference(), 'ret_1', { [cup]: 1 }))).toBe('RESERVATION_NOT_COMMITTED');
    expect(await shop.item(cup)).toMatchObject({ onHand: 3 });
  });

  test('brings pieces to another warehouse when theirs was closed', async () => {
    const [closing, open] = [await shop.warehouse(0), await shop.warehouse(1)];
    const cup = await shop.stocked({ [closing]: 2 });
    const reference = shop.reference();
    await shop.reserve(reference, { [cup]: 2 });
    await shop.commit(reference);
    const { warehouse } = await shop.run('deactivateWarehouse', { id: closing, expectedVersion: 1 });

    await restock(reference, 'ret_1', { [cup]: 1 });
    await shop.release(reference);

    expect(warehouse.isActive).toBe(false);
    const lying = (await itemsOf(cup)).filter(({ onHand }) => onHand > 0);
    expect(lying).toMatchObject([{ onHand: 2 }]);
    expect(lying[0]!.warehouseId).not.toBe(closing);
    expect(open).toMatch(/^wrh_/);
  });
});

describe('expire-reservations', () => {
  test('sets free what nobody paid for and says so, once', async () => {
    const cup = await shop.stocked(3);
    const [late, early] = [shop.reference(), shop.reference()];
    const { reservationId } = await shop.reserve(early, { [cup]: 2 }, { ttlSeconds: 60 });
    await shop.reserve(late, { [cup]: 1 }, { ttlSeconds: 3_600 });
    shop.app.clock.advance(minutes(2));

    await shop.app.runJob('expire-reservations');
    await shop.app.runJob('expire-reservations');

    expect(await shop.item(cup)).toMatchObject({ reserved: 1, available: 2 });
    const said = (await shop.app.said('Reservation.Expired')).filter(({ data }) => data.reference === early);
    expect(said.map(({ data }) => data)).toEqual([{ reservationId, reference: early, timestamp: expect.any(String) }]);
    expect(await codeOf(shop.reserve(early, { [cup]: 2 }))).toBe('RESERVATION_ENDED');
  });

  test('is not waited for: what is past its time can be held by somebody else', async () => {
    const cup = await shop.stocked(3);
    const [slow, quick] = [shop.reference(), shop.reference()];
    await shop.reserve(slow, { [cup]: 3 });
    expect(await codeOf(shop.reserve(quick, { [cup]: 1 }))).toBe('INSUFFICIENT_STOCK');
    shop.app.clock.advance(minutes(11));

    expect(await codeOf(shop.reserve(quick, { [cup]: 3 }))).toBe('ok');
    expect(await codeOf(shop.commit(slow))).toBe('RESERVATION_ENDED');
    expect(await codeOf(shop.commit(quick))).toBe('ok');
  });

  test('goes on when one reservation cannot be ended', async () => {
    const [cup, plate] = [await shop.stocked(1), await shop.stocked(1)];
    const [broken, sound] = [shop.reference(), shop.reference()];
    await shop.reserve(broken, { [cup]: 1 }, { ttlSeconds: 1 });
    await shop.reserve(sound, { [plate]: 1 }, { ttlSeconds: 2 });
    const { StockItem } = shop.ctx().models;
    await StockItem.updateOne({ variantId: cup }, { $set: { reserved: 0 } });
    shop.app.clock.advance(minutes(1));

    const done = await shop.app.runJob('expire-reservations');

    expect(done).toMatchObject({ failed: 1 });
    expect(await shop.available(plate)).toBe(1);
    await StockItem.updateOne({ variantId: cup }, { $set: { reserved: 1 } });
    expect(await shop.app.runJob('expire-reservations')).toMatchObject({ failed: 0 });
    expect(await shop.item(cup)).toMatchObject({ reserved: 0, available: 1 });
  });
});

describe('reservation', () => {
  const QUERY =
    'query ($reference: String!) { reservation(reference: $reference) { id reference holder status reason expiresAt committedAt endedAt lines { quantity returned variant { id } warehouse { name } } } }';
  const ask = async (reference: string, as = admin) => shop.app.ask(QUERY, { reference }, { as });

  test('shows admins what is held, and that its time is up before the job has come round', async () => {
    const cup = await shop.stocked(3);
    const reference = shop.reference();
    await shop.reserve(reference, { [cup]: 3 }, { holder: 'usr_buyer' });

    const { data } = await ask(reference);
    expect(data.reservation).toMatchObject({
      reference,
      holder: 'usr_buyer',
      status: 'HELD',
      lines: [{ quantity: 3, returned: 0, variant: { id: cup }, warehouse: { name: expect.any(String) } }],
    });
    shop.app.clock.advance(minutes(11));
    expect((await ask(reference)).data.reservation.status).toBe('EXPIRED');
    expect((await ask('ord_never')).data.reservation).toBeNull();
  });

  test('is closed to everyone else', async () => {
    const { data, errors } = await ask('ord_1', ann);

    expect((data as Data)?.reservation ?? null).toBeNull();
    expect(errors![0]!.extensions['code']).toBe('FORBIDDEN');
  });
});

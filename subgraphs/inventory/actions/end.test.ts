import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { extendReservation } from '../contract.ts';
import type { Reservation } from '../model.ts';
import { closeSoundly, openShop, type Shop } from '../testing/shop.ts';
import { endHold } from './end.ts';

let shop: Shop;
beforeAll(async () => {
  shop = await openShop();
});
afterAll(() => closeSoundly(shop));

const read = async (reference: string): Promise<Reservation> => (await shop.ctx().models.Reservation.findOne({ reference }).lean())!;
const expire = (reservation: Reservation) => shop.ctx().transaction((inner) => endHold(inner, reservation, { state: 'EXPIRED' }));

describe('endHold, handed a reservation that was read a moment ago', () => {
  test('ends it once', async () => {
    const cup = await shop.stocked(3);
    const reference = shop.reference();
    await shop.reserve(reference, { [cup]: 2 });
    const reservation = await read(reference);

    const ended = await Promise.all([expire(reservation), expire(reservation), expire(reservation)]);

    expect(ended.filter(Boolean)).toHaveLength(1);
    expect(await shop.item(cup)).toMatchObject({ reserved: 0, available: 3 });
    expect((await shop.app.said('Reservation.Expired')).filter(({ data }) => data.reference === reference)).toHaveLength(1);
  });

  test.each(['commit', 'release'] as const)('leaves it alone after a %s', async (what) => {
    const [cup, reference] = [await shop.stocked(3), shop.reference()];
    await shop.reserve(shop.reference(), { [cup]: 1 });
    await shop.reserve(reference, { [cup]: 1 });
    const reservation = await read(reference);
    await shop[what](reference);

    expect(await expire(reservation)).toBe(false);
    expect(await shop.item(cup)).toMatchObject({ reserved: 1 });
  });

  test('does not expire it when it was prolonged', async () => {
    const [cup, reference] = [await shop.stocked(3), shop.reference()];
    await shop.reserve(reference, { [cup]: 1 }, { ttlSeconds: 1 });
    const reservation = await read(reference);
    await shop.app.call(extendReservation, { reference, ttlSeconds: 600 });

    expect(await expire(reservation)).toBe(false);
    expect(await shop.commit(reference)).toEqual({ committed: true });
  });
});

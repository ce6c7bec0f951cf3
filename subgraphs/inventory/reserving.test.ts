import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { reserveStock } from './contract.ts';
import { closeSoundly, codeOf, openShop, type Shop } from './testing/shop.ts';

let shop: Shop;
beforeAll(async () => {
  shop = await openShop();
});
afterAll(() => closeSoundly(shop));

const itemsOf = (variantId: string) => shop.ctx().models.StockItem.find({ variantId }).sort({ _id: 1 }).lean();
const minutes = (count: number) => count * 60_000;

describe('reserveStock', () => {
  test('holds for 10 minutes unless told otherwise, and nothing leaves the shelf', async () => {
    const cup = await shop.stocked(5);
    const lines = [{ variantId: cup, quantity: 2 }];

    const { reservationId, expiresAt } = await shop.app.call(reserveStock, {
      reference: shop.reference(),
      holder: 'cart_1',
      lines,
    } as never);

    expect(reservationId).toMatch(/^rsv_/);
    expect(Math.abs(Date.parse(expiresAt) - shop.app.clock.now().getTime() - minutes(10))).toBeLessThan(5_000);
    expect(await shop.item(cup)).toMatchObject({ onHand: 5, reserved: 2, available: 3 });
  });

  test('answers the same again and holds once, under any idempotency key', async () => {
    const cup = await shop.stocked(5);
    const input = { reference: shop.reference(), holder: 'cart_2', ttlSeconds: 600, lines: [{ variantId: cup, quantity: 2 }] };
    const answers = [];
    for (const idempotencyKey of ['key-number-1', 'key-number-1', 'key-number-2'])
      answers.push(await shop.app.call(reserveStock, input, { idempotencyKey }));
    answers.push(await shop.app.call(reserveStock, input));

    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
    expect(await shop.available(cup)).toBe(3);
  });

  test('answers the same also after the goods were sold', async () => {
    const cup = await shop.stocked(5);
    const reference = shop.reference();
    const first = await shop.reserve(reference, { [cup]: 2 });
    await shop.commit(reference);

    expect(await shop.reserve(reference, { [cup]: 2 })).toEqual(first);
    expect(await shop.item(cup)).toMatchObject({ onHand: 3, reserved: 0 });
  });

  test('refuses other goods for the same reference', async () => {
    const cup = await shop.stocked(5);
    const reference = shop.reference();
    await shop.reserve(reference, { [cup]: 2 });

    expect(await codeOf(shop.reserve(reference, { [cup]: 3 }))).toBe('RESERVATION_DIFFERS');
    expect(await shop.available(cup)).toBe(3);
  });

  test('holds nothing when one of many lines is short, and says which and how many there are', async () => {
    const [cup, plate, bowl] = [await shop.stocked(5), await shop.stocked(1), await shop.stocked(5)];
    const failing = shop.reserve(shop.reference(), { [cup]: 2, [plate]: 2, [bowl]: 9 });

    await expect(failing).rejects.toMatchObject({
      code: 'INSUFFICIENT_STOCK',
      typename: 'InsufficientStockError',
      inputPath: ['lines', 1],
      facts: { variantId: plate, available: 1 },
    });
    expect([await shop.available(cup), await shop.available(plate), await shop.available(bowl)]).toEqual([5, 1, 5]);
  });

  test('has nothing of what was never stocked', async () => {
    await expect(shop.reserve(shop.reference(), { var_nowhere: 1 })).rejects.toMatchObject({
      code: 'INSUFFICIENT_STOCK',
      facts: { variantId: 'var_nowhere', available: 0 },
    });
  });

  test('adds up lines of the same variant', async () => {
    const cup = await shop.stocked(5);
    const lines = [2, 2].map((quantity) => ({ variantId: cup, quantity }));
    const ask = (more: { variantId: string; quantity: number }[]) =>
      shop.app.call(reserveStock, { reference: shop.reference(), holder: 'cart_3', ttlSeconds: 600, lines: [...lines, ...more] });

    expect(await codeOf(ask(lines))).toBe('INSUFFICIENT_STOCK');
    expect(await codeOf(ask([]))).toBe('ok');
    expect(await shop.available(cup)).toBe(1);
  });

  test('takes from the warehouse with the smallest priority first, and splits', async () => {
    const [far, near, middle] = [await shop.warehouse(30), await shop.warehouse(10), await shop.warehouse(20)];
    const cup = await shop.stocked({ [far]: 5, [near]: 2, [middle]: 3 });

    await shop.reserve(shop.reference(), { [cup]: 6 });

    const held = Object.fromEntries((await itemsOf(cup)).map(({ warehouseId, reserved }) => [warehouseId, reserved]));
    expect(held).toEqual({ [near]: 2, [middle]: 3, [far]: 1 });
    expect(await shop.available(cup)).toBe(4);
  });

  test('lets one buyer hold 20 times at once, and again when one of them has ended', async () => {
    const cup = await shop.stocked(100);
    const holder = 'usr_hoarder';
    const references = Array.from({ length: 21 }, () => shop.reference());

    const codes = await Promise.all(references.map((reference) => codeOf(shop.reserve(reference, { [cup]: 1 }, { holder }))));

    expect(codes.filter((code) => code === 'ok')).toHaveLength(20);
    expect(codes.filter((code) => code === 'TOO_MANY_RESERVATIONS')).toHaveLength(1);
    await shop.release(references[codes.indexOf('ok')]!);
    expect(await codeOf(shop.reserve(shop.reference(), { [cup]: 1 }, { holder }))).toBe('ok');
    expect(await codeOf(shop.reserve(shop.reference(), { [cup]: 1 }, { holder }))).toBe('TOO_MANY_RESERVATIONS');
    expect(await shop.available(cup)).toBe(80);
    shop.app.clock.advance(minutes(11));
    expect(await codeOf(shop.reserve(shop.reference(), { [cup]: 1 }, { holder }))).toBe('ok');
  });

  test.each([
    ['no piece', 0],
    ['a negative quantity', -1],
    ['half a piece', 0.5],
    ['10,001 pieces', 10_001],
    ['more than can be counted', 2 ** 53],
    ['an object', { $gt: 0 }],
  ])('refuses %s', async (_case, quantity) => {
    const lines = [{ variantId: 'var_ann_x', quantity }] as never;

    expect(await codeOf(shop.app.call(reserveStock, { reference: shop.reference(), holder: 'h', ttlSeconds: 600, lines }))).toBe('INVALID');
  });

  test('refuses no line, 251 lines, an empty reference and a variant that is no text', async () => {
    const line = { variantId: 'var_ann_x', quantity: 1 };
    const good = { reference: shop.reference(), holder: 'h', ttlSeconds: 600, lines: [line] };
    const bad = [
      { ...good, lines: [] },
      { ...good, lines: Array.from({ length: 251 }, () => line) },
      { ...good, reference: '' },
      { ...good, lines: [{ ...line, variantId: { $ne: null } }] },
      { ...good, ttlSeconds: 0 },
    ];

    for (const input of bad) expect(await codeOf(shop.app.call(reserveStock, input as never))).toBe('INVALID');
  });
});

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Data } from '#shared/testing/open.ts';
import { ann, bob, clerk, closeSoundly, codeOf, openShop, type Shop, stranger } from './testing/shop.ts';

let shop: Shop;
beforeAll(async () => {
  shop = await openShop();
});
afterAll(() => closeSoundly(shop));

const set = (input: object, as?: typeof ann) => shop.run('setStock', input, as);
const adjust = (input: object, as?: typeof ann) =>
  shop.run('adjustStock', { reason: 'count', idempotencyKey: `adjust-${shop.reference()}`, ...input }, as);
const transfer = (input: object, as?: typeof ann) =>
  shop.run('transferStock', { idempotencyKey: `transfer-${shop.reference()}`, ...input }, as);
const threshold = (input: object, as?: typeof ann) => shop.run('setLowStockThreshold', input, as);
const refusal = ({ userErrors }: Data) => userErrors.map(({ code, path }: Data) => [code, path.join('.')]);
const movementsOf = (variantId: string) => shop.ctx().models.StockMovement.find({ variantId }).sort({ sequence: 1 }).lean();
const hold = async (variantId: string, quantity: number) => {
  const reference = shop.reference();
  await shop.reserve(reference, { [variantId]: quantity });
  return reference;
};

/** What no number of pieces can be, for each field that takes one. */
const BAD_NUMBERS: [string, unknown][] = [
  ['a negative number', -1],
  ['a fraction', 1.5],
  ['more than an Int', 2 ** 31],
  ['a text', '5'],
  ['an operator', { $gt: 0 }],
];

/** Refused by the schema (a top-level BAD_USER_INPUT) or by the action (a userError INVALID at this path). */
async function isRefused(asking: Promise<Data>, path: string): Promise<void> {
  const answer = await asking.catch((error: { code: string }) => error);
  if ('code' in answer) expect(answer.code).toBe('BAD_USER_INPUT');
  else expect(refusal(answer)).toEqual([['INVALID', path]]);
}

describe('setStock', () => {
  test('stocks a variant in a main warehouse that is made for it, and asks the catalog once whose it is', async () => {
    const cup = shop.variant();
    const before = shop.asked.catalog;

    const { stockItem, userErrors } = await set({ variantId: cup, onHand: 12, expectedVersion: 0 });
    await set({ variantId: cup, onHand: 9, expectedVersion: 1, reason: 'counted again' });

    expect(userErrors).toEqual([]);
    expect(stockItem).toMatchObject({ onHand: 12, reserved: 0, available: 12, version: 1, warehouse: { name: 'Main warehouse' } });
    expect(shop.asked.catalog).toBe(before + 1);
    expect(await shop.item(cup)).toMatchObject({ vendorId: 'ven_ann', productId: cup.replace('var', 'prd'), onHand: 9, version: 2 });
    expect(await movementsOf(cup)).toMatchObject([
      { sequence: 1, cause: 'RECEIVED', quantity: 12, onHandChange: 12, onHand: 12, available: 12, actorId: 'usr_ann', reason: null },
      {
        sequence: 2,
        cause: 'ADJUSTED',
        quantity: 3,
        onHandChange: -3,
        onHand: 9,
        available: 9,
        actorId: 'usr_ann',
        reason: 'counted again',
      },
    ]);
  });

  test('leaves what is as counted as it is', async () => {
    const cup = await shop.stocked(4);

    const { stockItem } = await set({ variantId: cup, onHand: 4, expectedVersion: 1 });

    expect(stockItem).toMatchObject({ onHand: 4, version: 1 });
    expect(await movementsOf(cup)).toHaveLength(1);
  });

  test('is not made stale by buyers who hold pieces, only by those who change the shelf', async () => {
    const cup = await shop.stocked(10);
    const reference = await hold(cup, 3);
    expect((await set({ variantId: cup, onHand: 20, expectedVersion: 1 })).stockItem).toMatchObject({
      onHand: 20,
      reserved: 3,
      available: 17,
      version: 2,
    });

    await shop.commit(reference);

    expect(refusal(await set({ variantId: cup, onHand: 20, expectedVersion: 2 }))).toEqual([['STALE_VERSION', 'input.expectedVersion']]);
  });

  test('lets one of two who counted at the same time win, and tells the other the version', async () => {
    const cup = await shop.stocked(10);

    const answers = await Promise.all([7, 8].map((onHand) => set({ variantId: cup, onHand, expectedVersion: 1 })));

    const [loser] = answers.filter(({ stockItem }) => !stockItem);
    expect(answers.filter(({ stockItem }) => stockItem)).toHaveLength(1);
    expect(loser.userErrors).toMatchObject([{ code: 'STALE_VERSION', path: ['input', 'expectedVersion'], currentVersion: 2 }]);
  });

  test('makes one item and one main warehouse of ten who stock a variant first', async () => {
    const cup = 'var_bob_first';

    const answers = await Promise.all(Array.from({ length: 10 }, () => set({ variantId: cup, onHand: 5, expectedVersion: 0 }, bob)));

    expect(answers.filter(({ stockItem }) => stockItem)).toHaveLength(1);
    expect(answers.flatMap(refusal)).toEqual(Array.from({ length: 9 }, () => ['STALE_VERSION', 'input.expectedVersion']));
    expect(await shop.ctx().models.Warehouse.countDocuments({ vendorId: 'ven_bob' })).toBe(1);
  });

  test('leaves what is held for orders', async () => {
    const cup = await shop.stocked(10);
    await hold(cup, 4);

    const { userErrors } = await set({ variantId: cup, onHand: 3, expectedVersion: 1 });

    expect(userErrors).toMatchObject([{ code: 'STOCK_RESERVED', path: ['input', 'onHand'], reserved: 4 }]);
    expect((await set({ variantId: cup, onHand: 4, expectedVersion: 1 })).stockItem).toMatchObject({ available: 0 });
  });

  test('does it once for each idempotency key', async () => {
    const cup = shop.variant();
    const input = { variantId: cup, onHand: 3, expectedVersion: 0, idempotencyKey: `set-${cup}` };

    const [first, second] = [await set(input), await set(input)];

    expect(second).toEqual(first);
    expect(refusal(await set({ ...input, onHand: 4 }))).toEqual([['IDEMPOTENCY_KEY_REUSED', 'input.idempotencyKey']]);
    expect(await movementsOf(cup)).toHaveLength(1);
  });

  test.each(BAD_NUMBERS)('refuses %s of pieces', async (_case, onHand) => {
    await isRefused(set({ variantId: shop.variant(), onHand, expectedVersion: 0 }), 'input.onHand');
  });

  test.each([
    ['more pieces than fit', { onHand: 10_000_001 }, 'input.onHand'],
    ['a version below 0', { expectedVersion: -1 }, 'input.expectedVersion'],
    ['a reason of 10,000 characters', { reason: 'x'.repeat(10_000) }, 'input.reason'],
    ['a NUL in the reason', { reason: 'a\u0000' }, 'input.reason'],
    ['a lone surrogate in the reason', { reason: 'a\uD800' }, 'input.reason'],
    ['a variant id of 10,000 characters', { variantId: 'x'.repeat(10_000) }, 'input.variantId'],
    ['a NUL in the variant id', { variantId: 'var\u0000' }, 'input.variantId'],
    ['an operator as warehouse', { warehouseId: { $ne: null } }, 'input.warehouseId'],
    ['a short idempotency key', { idempotencyKey: 'x' }, 'input.idempotencyKey'],
  ])('refuses %s', async (_case, wrong, path) => {
    await isRefused(set({ variantId: shop.variant(), onHand: 1, expectedVersion: 0, ...wrong }), path);
  });
});

describe('adjustStock', () => {
  test('adds and takes away, and says why in the ledger', async () => {
    const cup = await shop.stocked(5);

    await adjust({ variantId: cup, delta: 20, kind: 'RECEIVED', reason: 'delivery', reference: 'note 77' });
    const { stockItem } = await adjust({ variantId: cup, delta: -2, reason: 'broken' });

    expect(stockItem).toMatchObject({ onHand: 23, available: 23 });
    expect((await movementsOf(cup)).slice(1)).toMatchObject([
      { cause: 'RECEIVED', quantity: 20, reason: 'delivery', reference: 'note 77', onHand: 25 },
      { cause: 'ADJUSTED', quantity: 2, onHandChange: -2, reason: 'broken', reference: null, onHand: 23 },
    ]);
  });

  test('does it once for each idempotency key, also of 10 at once', async () => {
    const cup = await shop.stocked(0);
    const input = { variantId: cup, delta: 5, idempotencyKey: `delta-${cup}` };

    await Promise.all(Array.from({ length: 10 }, () => adjust(input)));
    await adjust(input);

    expect(await shop.available(cup)).toBe(5);
  });

  test('takes no more than is available', async () => {
    const cup = await shop.stocked(5);
    await hold(cup, 2);

    const { userErrors } = await adjust({ variantId: cup, delta: -4 });

    expect(userErrors).toMatchObject([{ code: 'INSUFFICIENT_STOCK', path: ['input', 'delta'], variantId: cup, available: 3 }]);
    expect(refusal(await adjust({ variantId: cup, delta: 9_999_999 }))).toEqual([['INVALID', 'input.delta']]);
  });

  test.each([
    ['a change of nothing', { delta: 0 }, 'input.delta'],
    ['goods that come in and are fewer', { delta: -1, kind: 'RECEIVED' }, 'input.delta'],
    ['a fraction', { delta: 0.5 }, 'input.delta'],
    ['too many', { delta: 10_000_001 }, 'input.delta'],
    ['no reason', { delta: 1, reason: ' ' }, 'input.reason'],
    ['a kind that is none', { delta: 1, kind: 'STOLEN' }, 'input.kind'],
    ['a long reference', { delta: 1, reference: 'x'.repeat(101) }, 'input.reference'],
  ])('refuses %s', async (_case, wrong, path) => {
    await isRefused(adjust({ variantId: await shop.stocked(1), ...wrong }), path);
  });
});

describe('the right to change stock', () => {
  const attempts = (cup: string): [string, (as: typeof ann) => Promise<unknown>][] => [
    ['setStock', (as) => set({ variantId: cup, onHand: 1, expectedVersion: 1 }, as)],
    ['adjustStock', (as) => adjust({ variantId: cup, delta: 1 }, as)],
    ['transferStock', (as) => transfer({ variantId: cup, fromWarehouseId: 'wrh_a', toWarehouseId: 'wrh_b', quantity: 1 }, as)],
    ['setLowStockThreshold', (as) => threshold({ variantId: cup, threshold: 1, expectedVersion: 1 }, as)],
    ['bulkSetStock', (as) => shop.run('bulkSetStock', { lines: [{ variantId: cup, onHand: 1 }] }, as)],
  ];

  test('belongs to members of the vendor with the permission STOCK', async () => {
    const cup = await shop.stocked(5);

    for (const [, attempt] of attempts(cup)) {
      for (const as of [bob, clerk, stranger]) expect(await codeOf(attempt(as))).toBe('FORBIDDEN');
      expect(await codeOf(attempt(null as never))).toBe('UNAUTHENTICATED');
    }
    expect(await shop.item(cup)).toMatchObject({ onHand: 5, version: 1 });
  });

  test('is not asked for a variant that does not exist', async () => {
    expect(refusal(await set({ variantId: 'var_no', onHand: 1, expectedVersion: 0 }))).toEqual([['NOT_FOUND', 'input.variantId']]);
  });
});

test('a movement is never changed or removed, whatever the code asks for', async () => {
  const { StockMovement } = shop.ctx().models;

  await expect(StockMovement.updateMany({}, { quantity: 0 })).rejects.toMatchObject({ name: 'AppendOnlyError' });
  await expect(StockMovement.deleteMany({})).rejects.toMatchObject({ name: 'AppendOnlyError' });
});

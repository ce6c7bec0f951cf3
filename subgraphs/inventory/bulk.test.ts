import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Data } from '#shared/testing/open.ts';
import { ann, bob, closeSoundly, codeOf, openShop, type Shop } from './testing/shop.ts';

let shop: Shop;
beforeAll(async () => {
  shop = await openShop();
});
afterAll(() => closeSoundly(shop));

const bulk = (lines: object[], rest: object = {}, as = ann) => shop.run('bulkSetStock', { lines, ...rest }, as);
const refusal = ({ userErrors }: Data) => userErrors.map(({ code, path }: Data) => [code, path.join('.')]);

describe('bulkSetStock', () => {
  test('sets 250 lines in one go, asking the catalog and the vendors once', async () => {
    const before = { ...shop.asked };
    const lines = Array.from({ length: 250 }, (_line, index) => ({ variantId: shop.variant(), onHand: index }));

    const { results } = await bulk(lines);

    expect(results.map(({ stockItem }: Data) => stockItem.onHand)).toEqual(lines.map(({ onHand }) => onHand));
    expect(results.every(({ stockItem }: Data) => stockItem.version === 1)).toBe(true);
    expect(shop.asked.catalog - before.catalog).toBe(1);
    expect(shop.asked.vendors - before.vendors).toBeLessThanOrEqual(2);
  });

  test('needs no version where none is given, and keeps to it where it is', async () => {
    const [cup, plate] = [await shop.stocked(3), await shop.stocked(3)];

    expect(
      (
        await bulk([
          { variantId: cup, onHand: 8 },
          { variantId: plate, onHand: 8, expectedVersion: 1 },
        ])
      ).userErrors,
    ).toEqual([]);
    const { results, userErrors } = await bulk([
      { variantId: cup, onHand: 9 },
      { variantId: plate, onHand: 9, expectedVersion: 1 },
    ]);

    expect(results).toBeNull();
    expect(userErrors).toMatchObject([{ code: 'STALE_VERSION', path: ['input', 'lines', '1', 'expectedVersion'], currentVersion: 2 }]);
    expect([await shop.available(cup), await shop.available(plate)]).toEqual([8, 8]);
  });

  test('does the good lines and says of each other one why, when it shall', async () => {
    const [good, held, twice] = [shop.variant(), await shop.stocked(5), shop.variant()];
    await shop.reserve(shop.reference(), { [held]: 5 });
    const lines = [
      { variantId: good, onHand: 4 },
      { variantId: held, onHand: 2 },
      { variantId: 'var_no', onHand: 1 },
      { variantId: twice, onHand: 1 },
      { variantId: twice, onHand: 2 },
      { variantId: good, warehouseId: 'wrh_no', onHand: 1 },
    ];

    const { results, userErrors } = await bulk(lines, { errorPolicy: 'REJECT_FAILED_LINES', reason: 'stocktaking' });

    expect(userErrors).toEqual([]);
    expect(results.map(({ stockItem }: Data) => stockItem?.onHand ?? null)).toEqual([4, null, null, 1, null, null]);
    expect(results.flatMap(refusal)).toEqual([
      ['STOCK_RESERVED', 'input.lines.1.onHand'],
      ['NOT_FOUND', 'input.lines.2.variantId'],
      ['INVALID', 'input.lines.4.variantId'],
      ['NOT_FOUND', 'input.lines.5.warehouseId'],
    ]);
    expect(results[1].userErrors[0]).toMatchObject({ reserved: 5 });
  });

  test('does nothing when one line is refused, unless told otherwise', async () => {
    const cup = shop.variant();

    expect(
      refusal(
        await bulk([
          { variantId: cup, onHand: 4 },
          { variantId: 'var_no', onHand: 1 },
        ]),
      ),
    ).toEqual([['NOT_FOUND', 'input.lines.1.variantId']]);
    expect(await shop.item(cup)).toBeNull();
  });

  test('does it once for each idempotency key', async () => {
    const cup = await shop.stocked(1);
    const rest = { idempotencyKey: `bulk-${cup}` };
    const first = await bulk([{ variantId: cup, onHand: 6 }], rest);
    await shop.run('setStock', { variantId: cup, onHand: 2, expectedVersion: 2 });

    expect(await bulk([{ variantId: cup, onHand: 6 }], rest)).toEqual(first);
    expect(await shop.available(cup)).toBe(2);
  });

  test('is forbidden when one of the variants is another vendor’s, whatever the policy', async () => {
    const cup = shop.variant();
    const lines = [
      { variantId: cup, onHand: 1 },
      { variantId: 'var_bob_bulk', onHand: 1 },
    ];

    expect(await codeOf(bulk(lines, { errorPolicy: 'REJECT_FAILED_LINES' }))).toBe('FORBIDDEN');
    expect(await codeOf(bulk(lines, {}, bob))).toBe('FORBIDDEN');
    expect(await shop.item(cup)).toBeNull();
  });

  test('refuses no line, 251 lines, and a bad line with its place', async () => {
    const lines = Array.from({ length: 251 }, () => ({ variantId: 'var_ann_x', onHand: 1 }));

    expect(refusal(await bulk([]))).toEqual([['INVALID', 'input.lines']]);
    expect(refusal(await bulk(lines))).toEqual([['INVALID', 'input.lines']]);
    expect(refusal(await bulk([lines[0]!, { ...lines[0]!, onHand: -1 }]))).toEqual([['INVALID', 'input.lines.1.onHand']]);
  });
});

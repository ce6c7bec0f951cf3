import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import type { Data } from '#shared/testing/open.ts';
import { findStock } from './contract.ts';
import { admin, ann, bob, clerk, codeOf, openShop, stranger, type Shop } from './testing/shop.ts';

let shop: Shop;
beforeAll(async () => {
  shop = await openShop();
});
afterAll(() => shop.app.close());

const PUBLIC = '... on ProductVariant { id stock { isAvailable availableToBuy isLow } }';
const PRIVATE =
  '... on ProductVariant { id stock { available items { onHand reserved available version lowStockThreshold warehouse { name } } } }';
const variants = (ids: string[], selection: string, as: typeof ann | null = null) =>
  shop.app.entities(
    ids.map((id) => ({ __typename: 'ProductVariant', id })),
    selection,
    { as },
  );

describe('ProductVariant.stock', () => {
  test('tells everyone whether it can be bought and how many, up to 100', async () => {
    const [many, some, none, never] = [await shop.stocked(250), await shop.stocked(7), await shop.stocked(0), shop.variant()];
    await shop.reserve(shop.reference(), { [some]: 3 });

    const { data, errors } = await variants([many, some, none, never], PUBLIC);

    expect(errors).toBeUndefined();
    expect(data._entities.map(({ stock }: Data) => stock)).toEqual([
      { isAvailable: true, availableToBuy: 100, isLow: false },
      { isAvailable: true, availableToBuy: 4, isLow: false },
      { isAvailable: false, availableToBuy: 0, isLow: false },
      { isAvailable: false, availableToBuy: 0, isLow: false },
    ]);
  });

  test('tells members and admins exactly, and by warehouse', async () => {
    const [near, far] = [await shop.warehouse(), await shop.warehouse()];
    const cup = await shop.stocked({ [near]: 200, [far]: 50 });
    await shop.reserve(shop.reference(), { [cup]: 10 });

    for (const as of [ann, clerk, admin]) {
      const { stock } = (await variants([cup], PRIVATE, as)).data._entities[0];
      expect(stock.available).toBe(240);
      expect(stock.items.map(({ onHand, reserved }: Data) => [onHand, reserved])).toEqual([
        [200, 10],
        [50, 0],
      ]);
    }
  });

  test('tells strangers nothing more, and leaves the rest of their answer alone', async () => {
    const cup = await shop.stocked(7);

    for (const as of [bob, stranger, null]) {
      const { data, errors } = await variants([cup], '... on ProductVariant { stock { isAvailable available items { id onHand } } }', as);
      expect(data._entities[0].stock).toEqual({ isAvailable: true, available: null, items: null });
      expect(errors!.map(({ extensions }) => extensions['code'])).toEqual(['FORBIDDEN', 'FORBIDDEN']);
    }
  });

  test('tells members 0 of their own variant that was never stocked, and strangers still nothing', async () => {
    const cup = shop.variant();

    expect((await variants([cup], PRIVATE, ann)).data._entities[0].stock).toEqual({ available: 0, items: [] });
    expect((await variants([cup], PRIVATE, bob)).errors).toHaveLength(2);
  });

  test('is one query for many variants', async () => {
    const ids = [];
    for (let count = 0; count < 5; count += 1) ids.push(await shop.stocked(count));
    const find = jest.spyOn(shop.ctx().models.StockItem, 'find');

    const { data } = await variants(ids, PUBLIC);

    expect(data._entities).toHaveLength(5);
    expect(find).toHaveBeenCalledTimes(1);
    find.mockRestore();
  });
});

test('Product.stock adds up all variants, up to 100', async () => {
  const cup = await shop.stocked(3);
  const productId = cup.replace('var', 'prd');
  await shop
    .ctx()
    .models.StockItem.updateMany({ variantId: { $in: [await shop.stocked(4), await shop.stocked(400)] } }, { $set: { productId } });

  const { data } = await shop.app.entities(
    [
      { __typename: 'Product', id: productId },
      { __typename: 'Product', id: 'prd_no' },
    ],
    '... on Product { stock { isAvailable totalAvailable } }',
    { as: null },
  );

  expect(data._entities.map(({ stock }: Data) => stock)).toEqual([
    { isAvailable: true, totalAvailable: 100 },
    { isAvailable: false, totalAvailable: 0 },
  ]);
});

test('findStock tells what can be reserved, 0 for what was never stocked, for at most 250', async () => {
  const cup = await shop.stocked(9);
  await shop.reserve(shop.reference(), { [cup]: 2 });

  expect((await shop.app.call(findStock, { variantIds: ['var_no', cup] })).stock).toEqual([
    { variantId: 'var_no', available: 0 },
    { variantId: cup, available: 7 },
  ]);
  expect(await codeOf(shop.app.call(findStock, { variantIds: Array.from({ length: 251 }, () => cup) }))).toBe('INVALID');
});

describe('the entity door', () => {
  test('shows a vendor’s things to its members and admins, and hides from others that they exist', async () => {
    const cup = await shop.stocked(5);
    const item = await shop.item(cup);
    await shop.run('setLowStockThreshold', { variantId: cup, threshold: 3, expectedVersion: 1 });
    await shop.run('setStock', { variantId: cup, onHand: 1, expectedVersion: 2 });
    await shop.app.settled();
    const alert = await shop.ctx().models.StockAlert.findOne({ variantId: cup }).lean();
    const things: [string, string, string][] = [
      ['StockItem', item._id, 'id onHand variant { id } product { id } vendor { id }'],
      ['Warehouse', item.warehouseId, 'id name'],
      ['StockAlert', alert!._id, 'id available'],
    ];

    for (const [__typename, id, fields] of things) {
      const ask = (as: typeof ann | null) =>
        shop.app.entities(
          [
            { __typename, id },
            { __typename, id: 'no' },
          ],
          `... on ${__typename} { ${fields} }`,
          { as },
        );
      for (const as of [ann, clerk, admin]) expect((await ask(as)).data._entities).toMatchObject([{ id }, null]);
      for (const as of [bob, stranger, null]) {
        const { data, errors } = await ask(as);
        expect(errors).toBeUndefined();
        expect(data._entities).toEqual([null, null]);
      }
    }
  });
});

describe('stockItem and stockItems', () => {
  const LIST = `query ($where: StockItemWhere, $first: Int, $after: Cursor, $sort: [StockItemSort!]) { stockItems(where: $where, first: $first, after: $after, sort: $sort) {
    totalCount nodes { id onHand available isLow vendor { id } variant { id } } edges { cursor } pageInfo { hasNextPage endCursor } } }`;
  const list = async (variables: object, as = ann): Promise<Data> => shop.app.ask(LIST, { ...variables }, { as });
  const variantsOf = ({ data }: Data) => data.stockItems.nodes.map(({ variant }: Data) => variant.id);

  test('are limited to the viewer’s vendors', async () => {
    const cup = await shop.stocked(5);
    await shop.run('setStock', { variantId: 'var_bob_list', onHand: 3, expectedVersion: 0 }, bob);
    const { _id: id } = await shop.item(cup);

    expect(new Set((await list({ first: 100 })).data.stockItems.nodes.map(({ vendor }: Data) => vendor.id))).toEqual(new Set(['ven_ann']));
    expect(variantsOf(await list({}, bob))).toEqual(['var_bob_list']);
    expect(variantsOf(await list({ where: { vendorId: { eq: 'ven_ann' } } }, bob))).toEqual([]);
    expect(variantsOf(await list({ where: { variantId: { in: [cup, 'var_bob_list'] } } }, admin)).sort()).toEqual(
      [cup, 'var_bob_list'].sort(),
    );
    expect(variantsOf(await list({}, stranger))).toEqual([]);
    expect((await list({}, null as never)).errors![0]!.extensions['code']).toBe('UNAUTHENTICATED');
    const one = async (as: typeof ann) =>
      (await shop.app.ask('query ($id: ID!) { stockItem(id: $id) { onHand } }', { id }, { as })).data.stockItem;
    expect([await one(ann), await one(admin), await one(bob), await one(stranger)]).toEqual([{ onHand: 5 }, { onHand: 5 }, null, null]);
  });

  test('find by warehouse, variant and what is low, sort, and page without a gap', async () => {
    const warehouseId = await shop.warehouse();
    const ids = [];
    for (const onHand of [8, 2, 5]) ids.push(await shop.stocked({ [warehouseId]: onHand }));
    await shop.run('setLowStockThreshold', { variantId: ids[1], warehouseId, threshold: 4, expectedVersion: 1 });
    const where = { warehouseId: { eq: warehouseId } };
    const sort = [{ field: 'AVAILABLE', direction: 'ASC' }];

    expect(variantsOf(await list({ where: { ...where, isLow: { eq: true } } }))).toEqual([ids[1]]);
    const first = await list({ where, sort, first: 2 });
    const second = await list({ where, sort, first: 2, after: first.data.stockItems.pageInfo.endCursor });

    expect([...variantsOf(first), ...variantsOf(second)]).toEqual([ids[1], ids[2], ids[0]]);
    expect(first.data.stockItems.totalCount).toBe(3);
    expect(second.data.stockItems.pageInfo.hasNextPage).toBe(false);
  });

  test.each([
    ['a page of 101', { first: 101 }, 'INVALID'],
    ['a cursor that was made up', { after: 'garbage' }, 'INVALID_CURSOR'],
    ['251 ids', { where: { variantId: { in: Array.from({ length: 251 }, String) } } }, 'INVALID'],
    ['an operator', { where: { variantId: { eq: { $ne: null } } } }, 'BAD_USER_INPUT'],
  ])('refuse %s', async (_case, variables, code) => {
    expect((await list(variables)).errors![0]!.extensions['code']).toBe(code);
  });
});

describe('stockMovements', () => {
  const LIST = `query ($where: StockMovementWhere) { stockMovements(first: 100, where: $where) { nodes { sequence cause quantity onHandChange reservedChange onHand reserved
    available reference reason occurredAt actor { id } variant { id } warehouse { id } stockItem { id } } } }`;
  const list = async (where: object, as = ann): Promise<Data[]> => (await shop.app.ask(LIST, { where }, { as })).data.stockMovements.nodes;

  test('tell what happened, newest first, to members and admins only', async () => {
    const cup = await shop.stocked(5);
    const reference = shop.reference();
    await shop.reserve(reference, { [cup]: 2 });
    await shop.commit(reference);

    const where = { variantId: { eq: cup } };
    for (const as of [ann, clerk, admin]) {
      expect(await list(where, as)).toMatchObject([
        {
          sequence: 3,
          cause: 'COMMITTED',
          quantity: 2,
          onHandChange: -2,
          reservedChange: -2,
          onHand: 3,
          reserved: 0,
          reference,
          actor: null,
        },
        { sequence: 2, cause: 'RESERVED', quantity: 2, onHandChange: 0, reservedChange: 2, available: 3, reference, actor: null },
        { sequence: 1, cause: 'RECEIVED', quantity: 5, reference: null, actor: { id: 'usr_ann' } },
      ]);
    }
    for (const as of [bob, stranger]) expect(await list(where, as)).toEqual([]);
    expect(await list({ reference: { eq: reference }, cause: { eq: 'COMMITTED' } })).toHaveLength(1);
  });

  test('of one item are in the order of their numbers', async () => {
    const cup = await shop.stocked(5);
    const { _id: id } = await shop.item(cup);
    await shop.run('setStock', { variantId: cup, onHand: 6, expectedVersion: 1 });

    const query =
      'query ($id: ID!) { stockItem(id: $id) { movements(first: 1) { totalCount nodes { sequence } pageInfo { hasNextPage } } } }';
    const { data } = await shop.app.ask(query, { id });

    expect(data.stockItem.movements).toEqual({ totalCount: 2, nodes: [{ sequence: 2 }], pageInfo: { hasNextPage: true } });
  });
});

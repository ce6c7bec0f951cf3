import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Data } from '#shared/testing/open.ts';
import { permissions } from './permissions.ts';
import { admin, ann, bob, clerk, closeSoundly, codeOf, MUTATIONS, openShop, randomOf, type Shop, stranger } from './testing/shop.ts';

let shop: Shop;
beforeAll(async () => {
  shop = await openShop();
});
afterAll(() => closeSoundly(shop));

const create = (input: object, as?: typeof ann | null) => shop.run('createWarehouse', { vendorId: 'ven_ann', ...input }, as);
const update = (input: object, as?: typeof ann) => shop.run('updateWarehouse', input, as);
const deactivate = (input: object, as?: typeof ann) => shop.run('deactivateWarehouse', input, as);
const activate = (input: object, as?: typeof ann) => shop.run('activateWarehouse', input, as);
const refusal = ({ userErrors }: Data) => userErrors.map(({ code, path }: Data) => [code, path.join('.')]);
const made = async (input: object, as?: typeof ann): Promise<Data> => (await create(input, as)).warehouse;

const address = { line1: 'Plot 12, Cairo Road', city: 'Lusaka', country: 'ZM', location: { longitude: 28.28, latitude: -15.41 } };

test('a suspended store changes nothing of its stock, whatever it asks for', async () => {
  const id = await shop.warehouse();
  const other = await shop.warehouse();
  const cup = await shop.stocked(5);
  const alertId = 'sal_suspended';
  await shop.ctx().models.StockAlert.create([
    {
      _id: alertId,
      stockItemId: 'sti_x',
      vendorId: 'ven_ann',
      variantId: cup,
      warehouseId: id,
      available: 1,
      threshold: 2,
      raisedAt: new Date(),
      lastRaisedAt: new Date(),
      timesRaised: 1,
      state: 'OPEN',
    },
  ]);
  const before = await shop.item(cup);
  const [version, place] = [
    { id, expectedVersion: 1 },
    { variantId: cup, expectedVersion: 1 },
  ];
  const inputs: Record<keyof typeof MUTATIONS, object> = {
    createWarehouse: { vendorId: 'ven_ann', name: 'New' },
    updateWarehouse: { ...version, name: 'x' },
    deactivateWarehouse: version,
    activateWarehouse: version,
    setStock: { ...place, onHand: 1 },
    adjustStock: { variantId: cup, delta: 1, reason: 'x', idempotencyKey: 'suspended-1' },
    transferStock: { variantId: cup, fromWarehouseId: other, toWarehouseId: id, quantity: 1, idempotencyKey: 'suspended-2' },
    setLowStockThreshold: { ...place, threshold: 1 },
    bulkSetStock: { lines: [{ ...place, onHand: 1 }] },
    acknowledgeStockAlert: { id: alertId },
  };
  shop.suspended.add('ven_ann');

  for (const name of Object.keys(permissions.Mutation) as (keyof typeof MUTATIONS)[])
    expect([name, refusal(await shop.run(name, inputs[name]))]).toEqual([name, [['VENDOR_SUSPENDED', 'input']]]);

  shop.suspended.clear();
  expect(await shop.item(cup)).toEqual(before);
});

describe('createWarehouse', () => {
  test('opens one with its place on the map, used after all others', async () => {
    const first = await made({ name: 'Shop', address, priority: 7 });
    const second = await made({ name: 'Store room' });

    expect(first).toMatchObject({ name: 'Shop', priority: 7, isActive: true, version: 1, address });
    expect(second).toMatchObject({ priority: 8, address: null });
  });

  test('makes one for each idempotency key', async () => {
    const input = { name: 'Once', idempotencyKey: 'warehouse-once' };

    expect(await create(input)).toEqual(await create(input));
  });

  test('refuses a name that is taken, even of many at once, but not that of another vendor', async () => {
    const answers = await Promise.all(Array.from({ length: 5 }, () => create({ name: 'Twin' })));

    expect(answers.filter(({ warehouse }) => warehouse)).toHaveLength(1);
    expect(answers.flatMap(refusal)).toEqual(Array.from({ length: 4 }, () => ['WAREHOUSE_NAME_TAKEN', 'input.name']));
    expect((await create({ name: 'Twin', vendorId: 'ven_bob' }, bob)).userErrors).toEqual([]);
  });

  test.each([
    ['an empty name', { name: ' ' }, 'input.name'],
    ['a name of 10,000 characters', { name: 'x'.repeat(10_000) }, 'input.name'],
    ['a NUL in the name', { name: 'a\u0000' }, 'input.name'],
    ['a lone surrogate', { name: 'a\uDC00' }, 'input.name'],
    ['a negative priority', { priority: -1 }, 'input.priority'],
    ['a huge priority', { priority: 1_000_001 }, 'input.priority'],
    ['a country that is none', { address: { ...address, country: 'QQ' } }, 'input.address.country'],
    ['a country in small letters', { address: { ...address, country: 'zm' } }, 'input.address.country'],
    ['an address without a street', { address: { ...address, line1: '' } }, 'input.address.line1'],
    ['a place beyond the pole', { address: { ...address, location: { longitude: 0, latitude: 90.1 } } }, 'input.address.location.latitude'],
    [
      'a place beyond the date line',
      { address: { ...address, location: { longitude: -181, latitude: 0 } } },
      'input.address.location.longitude',
    ],
  ])('refuses %s', async (_case, wrong, path) => {
    expect(refusal(await create({ name: 'Wrong', ...wrong }))).toEqual([['INVALID', path]]);
  });

  test('refuses the 51st', async () => {
    const known = await shop.ctx().models.Warehouse.countDocuments({ vendorId: 'ven_bob' });
    for (let count = known; count < 50; count += 1) await create({ name: `Barn ${count}`, vendorId: 'ven_bob' }, bob);

    expect(refusal(await create({ name: 'One more', vendorId: 'ven_bob' }, bob))).toEqual([['TOO_MANY_WAREHOUSES', 'input.vendorId']]);
  });

  test('is for members of the vendor with the permission STOCK', async () => {
    for (const as of [bob, clerk, stranger, admin]) expect(await codeOf(create({ name: 'Theirs' }, as))).toBe('FORBIDDEN');
    expect(await codeOf(create({ name: 'Theirs' }, null))).toBe('UNAUTHENTICATED');
  });
});

describe('updateWarehouse', () => {
  test('changes what is given and leaves the rest', async () => {
    const { id } = await made({ name: 'Old name', address, priority: 3 });

    const { warehouse } = await update({ id, expectedVersion: 1, name: 'New name' });
    const { warehouse: moved } = await update({ id, expectedVersion: 2, address: null, priority: 4 });

    expect(warehouse).toMatchObject({ name: 'New name', priority: 3, version: 2, address: { city: 'Lusaka' } });
    expect(moved).toMatchObject({ name: 'New name', priority: 4, version: 3, address: null });
  });

  test('refuses an old version, a taken name and what does not exist', async () => {
    const [{ id }] = [await made({ name: 'Contested' }), await made({ name: 'Taken' })];

    expect((await update({ id, expectedVersion: 4, name: 'Mine' })).userErrors).toMatchObject([
      { code: 'STALE_VERSION', currentVersion: 1 },
    ]);
    expect(refusal(await update({ id, expectedVersion: 1, name: 'Taken' }))).toEqual([['WAREHOUSE_NAME_TAKEN', 'input.name']]);
    expect(refusal(await update({ id: 'wrh_no', expectedVersion: 1 }))).toEqual([['NOT_FOUND', 'input.id']]);
    expect(refusal(await update({ id, expectedVersion: 1, name: '' }))).toEqual([['INVALID', 'input.name']]);
  });

  test('does not tell strangers that it exists', async () => {
    const { id } = await made({ name: 'Secret' });
    const changes: ((as: typeof ann) => Promise<Data>)[] = [
      (as) => update({ id, expectedVersion: 1, name: 'Mine now' }, as),
      (as) => deactivate({ id, expectedVersion: 1 }, as),
      (as) => activate({ id, expectedVersion: 1 }, as),
    ];

    for (const change of changes) {
      for (const as of [bob, stranger]) expect(refusal(await change(as))).toEqual([['NOT_FOUND', 'input.id']]);
      for (const as of [clerk, admin]) expect(await codeOf(change(as))).toBe('FORBIDDEN');
    }
  });
});

describe('deactivateWarehouse', () => {
  test('closes one in which nothing lies, and nothing comes in any more', async () => {
    const { id } = await made({ name: 'Closing' });
    const cup = await shop.stocked({ [id]: 5 });
    const other = await shop.warehouse();
    await shop.run('transferStock', {
      variantId: cup,
      fromWarehouseId: id,
      toWarehouseId: other,
      quantity: 5,
      idempotencyKey: `empty-${id}`,
    });

    const { warehouse } = await deactivate({ id, expectedVersion: 1 });
    const again = await deactivate({ id, expectedVersion: 1 });

    expect(warehouse).toMatchObject({ isActive: false, version: 2 });
    expect(again.warehouse).toEqual(warehouse);
    const into = { variantId: cup, warehouseId: id };
    const closed = async (answer: Promise<Data>, field: string) => expect(refusal(await answer)).toEqual([['WAREHOUSE_INACTIVE', field]]);
    await closed(shop.run('setStock', { ...into, onHand: 1, expectedVersion: 2 }), 'input.warehouseId');
    await closed(shop.run('setStock', { variantId: shop.variant(), warehouseId: id, onHand: 0, expectedVersion: 0 }), 'input.warehouseId');
    await closed(shop.run('adjustStock', { ...into, delta: 1, reason: 'found', idempotencyKey: `found-${id}` }), 'input.warehouseId');
    const back = { variantId: cup, fromWarehouseId: other, toWarehouseId: id, quantity: 1, idempotencyKey: `back-${id}` };
    await closed(shop.run('transferStock', back), 'input.toWarehouseId');
  });

  test('refuses one in which something lies, and an old version', async () => {
    const { id } = await made({ name: 'Full' });
    await shop.stocked({ [id]: 1 });
    const empty = await made({ name: 'Empty' });

    expect(refusal(await deactivate({ id, expectedVersion: 1 }))).toEqual([['WAREHOUSE_NOT_EMPTY', 'input.id']]);
    expect(refusal(await deactivate({ id: empty.id, expectedVersion: 9 }))).toEqual([['STALE_VERSION', 'input.expectedVersion']]);
  });

  test('and whoever stocks something there at the same moment do not pass each other', async () => {
    const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000);
    console.info(`seed ${seed}`);
    const random = randomOf(seed);
    for (let round = 0; round < 8; round += 1) {
      const { id } = await made({ name: `Contested ${round}` });
      const cup = random() < 0.5 ? await shop.stocked({ [id]: 0 }) : shop.variant();
      const expectedVersion = (await shop.item(cup))?.version ?? 0;
      const stock = () => shop.run('setStock', { variantId: cup, warehouseId: id, onHand: 3, expectedVersion });
      const close = () => deactivate({ id, expectedVersion: 1 });

      await Promise.all(random() < 0.5 ? [stock(), close()] : [close(), stock()]);

      const warehouse = await shop.ctx().models.Warehouse.findById(id).lean();
      expect(warehouse!.isActive).toBe(((await shop.item(cup))?.onHand ?? 0) === 3);
    }
  });
});

describe('activateWarehouse', () => {
  test('opens a closed one again', async () => {
    const { id } = await made({ name: 'Reopened' });
    await deactivate({ id, expectedVersion: 1 });

    expect(refusal(await activate({ id, expectedVersion: 1 }))).toEqual([['STALE_VERSION', 'input.expectedVersion']]);
    const { warehouse } = await activate({ id, expectedVersion: 2 });

    expect(warehouse).toMatchObject({ isActive: true, version: 3 });
    expect((await activate({ id, expectedVersion: 3 })).warehouse).toEqual(warehouse);
    await shop.stocked({ [id]: 1 });
  });
});

describe('reading', () => {
  const list = async (as: typeof ann) =>
    (await shop.app.ask('{ warehouses(vendorId: "ven_ann") { id name priority isActive vendor { id } createdAt } }', {}, { as })).data
      ?.warehouses;
  const one = async (id: string, as: typeof ann) =>
    (await shop.app.ask('query ($id: ID!) { warehouse(id: $id) { name } }', { id }, { as })).data?.warehouse;

  test('gives members and admins the list in the order of use, and others nothing', async () => {
    const { id } = await made({ name: 'Listed' });

    for (const as of [ann, clerk, admin]) {
      const found = await list(as);
      expect(found.find((each: Data) => each.id === id)).toMatchObject({ name: 'Listed', vendor: { id: 'ven_ann' } });
      expect(found.map(({ priority }: Data) => priority)).toEqual(
        found.map(({ priority }: Data) => priority).toSorted((a: number, b: number) => a - b),
      );
      expect(await one(id, as)).toEqual({ name: 'Listed' });
    }
    for (const as of [bob, stranger]) {
      expect(await list(as)).toEqual([]);
      expect(await one(id, as)).toBeNull();
    }
    expect((await shop.app.ask('{ warehouses(vendorId: "ven_ann") { id } }', {}, { as: null })).errors![0]!.extensions['code']).toBe(
      'UNAUTHENTICATED',
    );
  });
});

import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { idempotencyOf } from '#shared/kit/idempotency.ts';
import { viewer, type Data, type TestApp } from '#shared/testing/open.ts';
import { buyer, createMarket, openOrders, run, stranger } from './fixtures.ts';
import type { Ctx } from './loaders.ts';

const market = createMarket();
let app: TestApp;
beforeAll(async () => {
  app = await openOrders(market);
});
afterAll(() => app.close());
beforeEach(async () => {
  await (app.context() as Ctx).models.Cart.deleteMany({});
});

const add = (variantId: string, quantity: number, rest: object = {}, as?: Parameters<typeof run>[3]): Promise<Data> =>
  run(app, 'addToCart', { variantId, quantity, ...rest }, as);
const cartOf = async (as: Parameters<typeof run>[3], guestToken?: string): Promise<Data> =>
  (
    await app.ask(
      'query ($guestToken: String) { cart(guestToken: $guestToken) { id totalQuantity problems { code lineId available previousPrice { amount } } subtotal { amount currency } lines { quantity } } }',
      { guestToken },
      as === undefined ? {} : { as },
    )
  ).data.cart;

describe('a cart', () => {
  test.each([
    ['findVariants', null],
    ['findStock', '371.00'],
  ])('is shown with its own facts while %s cannot be asked, and says what it does not know', async (command, subtotal) => {
    await add('var_meal', 2);
    market.outages.set(command, 1);

    expect(await cartOf(undefined)).toMatchObject({
      totalQuantity: 2,
      lines: [{ quantity: 2 }],
      problems: [{ code: 'NOT_CHECKED', lineId: null }],
      subtotal: subtotal && { amount: subtotal },
    });
    expect((await cartOf(undefined)).problems).toEqual([]);
  });

  test('holds goods of many vendors at today’s prices', async () => {
    await add('var_meal', 2);
    const { cart } = await add('var_dress', 1);

    expect(cart).toMatchObject({
      totalQuantity: 3,
      subtotal: { amount: '821.00', currency: 'ZMW' },
      user: { id: buyer.id },
      groups: [
        { vendor: { id: 'vnd_grocer' }, subtotal: { amount: '371.00' } },
        { vendor: { id: 'vnd_tailor' }, subtotal: { amount: '450.00' } },
      ],
      problems: [],
    });
  });

  test('adds pieces to the line that is there', async () => {
    await add('var_meal', 2);
    const { cart } = await add('var_meal', 3);

    expect(cart.lines).toEqual([expect.objectContaining({ quantity: 5, total: { amount: '927.50' } })]);
  });

  test('loses no piece when it is filled from many places at once', async () => {
    await add('var_meal', 1);
    await Promise.all(Array.from({ length: 10 }, () => add('var_oil', 1)));

    expect((await cartOf(undefined)).totalQuantity).toBe(11);
  });

  test('is one for each user, even if two requests open it at once', async () => {
    await Promise.all([add('var_meal', 1), add('var_oil', 1)]);

    expect(await (app.context() as Ctx).models.Cart.countDocuments({ userId: buyer.id })).toBe(1);
    expect((await cartOf(undefined)).totalQuantity).toBe(2);
  });

  test.each([
    ['no piece', { variantId: 'var_meal', quantity: 0 }, 'INVALID', ['input', 'quantity']],
    ['less than nothing', { variantId: 'var_meal', quantity: -3 }, 'INVALID', ['input', 'quantity']],
    ['more than 10,000', { variantId: 'var_meal', quantity: 10_001 }, 'INVALID', ['input', 'quantity']],
    ['a variant nobody knows', { variantId: 'var_none', quantity: 1 }, 'NOT_FOUND', ['input', 'variantId']],
    ['an id of 10,000 characters', { variantId: 'v'.repeat(10_000), quantity: 1 }, 'INVALID', ['input', 'variantId']],
    ['the secret of no cart', { variantId: 'var_meal', quantity: 1, guestToken: 'made-up' }, 'NOT_FOUND', ['input', 'guestToken']],
  ])('refuses %s', async (_case, input, code, path) => {
    const { cart, userErrors } = await run(app, 'addToCart', input);

    expect(cart).toBeNull();
    expect(userErrors).toEqual([expect.objectContaining({ code, path })]);
  });

  test.each([
    ['a fraction', 1.5],
    ['a number beyond 32 bits', 2 ** 31],
    ['an object', { $gt: 0 }],
  ])('refuses %s as a quantity before anything runs', async (_case, quantity) => {
    const { errors } = await add('var_meal', quantity as number);

    expect(errors[0].extensions.code).toBe('BAD_USER_INPUT');
    expect(await cartOf(undefined)).toBeNull();
  });

  test('refuses a sum of pieces beyond 10,000, and line 101', async () => {
    await add('var_meal', 9_000);
    expect((await add('var_meal', 2_000)).userErrors[0]).toMatchObject({ code: 'INVALID', path: ['input', 'quantity'] });

    for (let i = 0; i < 101; i += 1)
      market.goods.set(`var_many${i}`, { vendorId: 'vnd_grocer', amount: 100, currency: 'ZMW', isForSale: true, stock: 5 });
    const { models } = app.context() as Ctx;
    const lines = Array.from({ length: 100 }, (_, i) => ({
      variantId: `var_many${i}`,
      vendorId: 'vnd_grocer',
      quantity: 1,
      priceSeen: { amount: 100, currency: 'ZMW' },
    }));
    await models.Cart.create([{ userId: stranger.id, lines }]);
    expect((await add('var_many100', 1, {}, stranger)).userErrors[0].code).toBe('CART_FULL');
  });

  test('follows the settings of its limits, and one that is fuller than a new limit can be emptied', async () => {
    const values = { 'orders.cartLines': 1, 'orders.cartUnits': 3 };
    await using other = await openOrders(market, {}, values);
    const { models } = other.context() as Ctx;
    const seen = { vendorId: 'vnd_grocer', priceSeen: { amount: 100, currency: 'ZMW' } };
    await models.Cart.create([
      {
        userId: stranger.id,
        lines: [
          { _id: 'lin_1', variantId: 'var_meal', quantity: 5, ...seen },
          { _id: 'lin_2', variantId: 'var_oil', quantity: 1, ...seen },
          { _id: 'lin_3', variantId: 'var_dress', quantity: 1, ...seen },
        ],
      },
    ]);

    expect((await run(other, 'addToCart', { variantId: 'var_meal', quantity: 1 }, stranger)).userErrors[0]).toMatchObject({
      code: 'INVALID',
    });
    expect((await run(other, 'addToCart', { variantId: 'var_meal', quantity: 4 })).userErrors[0]).toMatchObject({
      message: 'A line holds at most 3 pieces.',
    });
    expect((await run(other, 'removeCartLine', { lineId: 'lin_1' }, stranger)).cart.lines).toHaveLength(2);
    await run(other, 'addToCart', { variantId: 'var_meal', quantity: 1 });
    expect((await run(other, 'addToCart', { variantId: 'var_oil', quantity: 1 })).userErrors[0]).toMatchObject({
      code: 'CART_FULL',
      message: 'A cart holds at most 1 line.',
    });
  });

  test('changes, removes and clears its lines; a line that is gone is no mistake', async () => {
    const { cart } = await add('var_meal', 2);
    await add('var_oil', 1);
    const lineId = cart.lines[0].id;

    expect((await run(app, 'updateCartLine', { lineId, quantity: 7 })).cart.totalQuantity).toBe(8);
    expect((await run(app, 'updateCartLine', { lineId: 'lin_none', quantity: 7 })).userErrors[0]).toMatchObject({
      code: 'NOT_FOUND',
      path: ['input', 'lineId'],
    });
    expect((await run(app, 'updateCartLine', { lineId, quantity: 0 })).userErrors[0].code).toBe('INVALID');
    expect((await run(app, 'removeCartLine', { lineId })).cart.totalQuantity).toBe(1);
    expect((await run(app, 'removeCartLine', { lineId })).cart.totalQuantity).toBe(1);
    expect((await run(app, 'clearCart', {})).cart).toMatchObject({ totalQuantity: 0, subtotal: null, lines: [] });
    for (const name of ['removeCartLine', 'clearCart']) {
      const input = name === 'clearCart' ? {} : { lineId };
      expect(await run(app, name, input, stranger)).toMatchObject({ cart: null, userErrors: [] });
      const guest = await run(app, name, { ...input, guestToken: 'nobody' }, null);
      expect(guest.userErrors).toMatchObject([{ code: 'NOT_FOUND', path: ['input', 'guestToken'] }]);
    }
  });

  test('shows its problems as data', async () => {
    const broken = createMarket();
    await using other = await openOrders(broken);
    for (const variantId of ['var_meal', 'var_oil', 'var_dress', 'var_tea']) await run(other, 'addToCart', { variantId, quantity: 4 });
    broken.goods.get('var_meal')!.stock = 3;
    broken.goods.get('var_oil')!.amount = 12_000;
    broken.suspended.add('vnd_tailor');

    const { data } = await other.ask(
      '{ cart { subtotal { amount } problems { code available previousPrice { amount } } lines { id unitPrice { amount } } } }',
    );
    expect(data.cart.problems).toEqual([
      { code: 'INSUFFICIENT_STOCK', available: 3, previousPrice: null },
      { code: 'PRICE_CHANGED', available: null, previousPrice: { amount: '99.99' } },
      { code: 'VENDOR_SUSPENDED', available: null, previousPrice: null },
      { code: 'CURRENCY_MIXED', available: null, previousPrice: null },
    ]);
    expect(data.cart.subtotal).toBeNull();

    broken.goods.get('var_meal')!.isForSale = false;
    const after = await other.ask('{ cart { problems { code } lines { unitPrice { amount } } } }');
    expect(after.data.cart.problems[0]).toEqual({ code: 'NOT_FOR_SALE' });
    expect(after.data.cart.lines[0]).toEqual({ unitPrice: null });
  });

  test('with a price beyond counting stays readable, and the line can be taken out', async () => {
    const broken = createMarket();
    await using other = await openOrders(broken);
    const { cart: before } = await run(other, 'addToCart', { variantId: 'var_meal', quantity: 2 });
    await run(other, 'addToCart', { variantId: 'var_dress', quantity: 2 });
    broken.goods.get('var_dress')!.amount = Number.MAX_SAFE_INTEGER;

    const { cart, userErrors } = await run(other, 'updateCartLine', { lineId: before.lines[0].id, quantity: 1 });
    const [meal, dress] = cart.lines;

    expect(userErrors).toEqual([]);
    expect([meal.total, dress.total]).toEqual([{ amount: '185.50' }, null]);
    expect(cart).toMatchObject({ subtotal: null, groups: [{ subtotal: { amount: '185.50' } }, { subtotal: null }] });
    expect(cart.problems.map(({ code, lineId }: Data) => [code, lineId])).toEqual([
      ['AMOUNT_TOO_LARGE', dress.id],
      ['PRICE_CHANGED', dress.id],
    ]);
    expect((await run(other, 'removeCartLine', { lineId: dress.id })).cart).toMatchObject({ subtotal: { amount: '185.50' }, problems: [] });
  });

  test('whose sum is beyond counting says so, each line with its own total', async () => {
    const broken = createMarket();
    await using other = await openOrders(broken);
    for (const variantId of ['var_meal', 'var_oil']) {
      broken.goods.get(variantId)!.amount = Number.MAX_SAFE_INTEGER;
      await run(other, 'addToCart', { variantId, quantity: 1 });
    }

    const { data } = await other.ask('{ cart { subtotal { amount } problems { code lineId } lines { total { amount } } } }');

    expect(data.cart).toMatchObject({ subtotal: null, problems: [{ code: 'AMOUNT_TOO_LARGE', lineId: null }] });
    expect(data.cart.lines.map(({ total }: Data) => total)).toEqual(Array(2).fill({ amount: '90071992547409.91' }));
  });

  test('still says what a line was when it is not sold any more', async () => {
    await add('var_oil', 1);
    const oil = market.goods.get('var_oil')!;
    market.goods.delete('var_oil');

    const { data } = await app.ask('{ cart { lines { productName variantName imageUrl total { amount } } } }');
    market.goods.set('var_oil', oil);

    expect(data.cart.lines).toEqual([
      { productName: 'The oil', variantName: '', imageUrl: 'https://pictures.example/oil.jpg', total: null },
    ]);
  });

  test('refuses what is not for sale', async () => {
    market.goods.set('var_gone', { vendorId: 'vnd_grocer', amount: 1, currency: 'ZMW', isForSale: false, stock: 1 });

    expect((await add('var_gone', 1)).userErrors[0].code).toBe('NOT_FOR_SALE');
  });
});

describe('a guest', () => {
  test('gets a cart and its secret once, and needs it from then on', async () => {
    const first = await add('var_meal', 1, {}, null);
    const second = await add('var_meal', 1, { guestToken: first.guestToken }, null);

    expect(first.guestToken).toMatch(/^[\w-]{32}$/);
    expect(second).toMatchObject({ guestToken: null, cart: { id: first.cart.id, totalQuantity: 2, user: null } });
    expect(await cartOf(null, first.guestToken)).toMatchObject({ totalQuantity: 2 });
    expect(await cartOf(null)).toBeNull();
    expect(await cartOf(null, 'guessed')).toBeNull();
    const { data } = await app.entities([{ __typename: 'Cart', id: first.cart.id }], '... on Cart { totalQuantity }', { as: null });
    expect(data._entities).toEqual([null]);
  });

  test('is not told the secret of another who sent the same request from the same place', async () => {
    const key = { idempotencyKey: 'guest-key-1' };
    const first = await add('var_meal', 1, key, null);
    const again = await add('var_meal', 1, key, null);

    expect(again).toMatchObject({ cart: { totalQuantity: 1 }, userErrors: [] });
    expect(again.guestToken).toMatch(/^[\w-]{32}$/);
    expect(again.cart.id).not.toBe(first.cart.id);
    expect(again.guestToken).not.toBe(first.guestToken);
  });

  test('who holds a cart adds once for each key', async () => {
    const { guestToken } = await add('var_meal', 1, {}, null);
    const key = { idempotencyKey: 'guest-key-2', guestToken };
    const first = await add('var_meal', 1, key, null);

    expect(await add('var_meal', 1, key, null)).toEqual(first);
    expect(await cartOf(null, guestToken)).toMatchObject({ totalQuantity: 2 });
    const rows = await idempotencyOf(app.runtime().db).find().toArray();
    expect(JSON.stringify(rows)).not.toContain(guestToken);
  });

  describe('who signs in', () => {
    const both = async (): Promise<string> => {
      await add('var_meal', 1);
      await add('var_dress', 1);
      const { guestToken } = await add('var_meal', 2, {}, null);
      await add('var_oil', 5, { guestToken }, null);
      return guestToken;
    };

    test.each([
      ['keeps the own cart', 'KEEP_MINE', { var_meal: 1, var_dress: 1 }],
      ['keeps the guest’s cart', 'KEEP_GUEST', { var_meal: 2, var_oil: 5 }],
      ['merges both', 'MERGE', { var_meal: 3, var_dress: 1, var_oil: 5 }],
    ])('%s', async (_case, strategy, expected) => {
      const guestToken = await both();

      const { cart } = await run(app, 'mergeCarts', { guestToken, strategy });
      const again = await run(app, 'mergeCarts', { guestToken, strategy });

      expect(Object.fromEntries(cart.lines.map((line: Data) => [line.variant.id, line.quantity]))).toEqual(expected);
      expect(again.cart).toEqual(cart);
      expect(await cartOf(null, guestToken)).toBeNull();
    });

    test('is told when a secret is wrong, also with a cart of the own, and when somebody else merged it', async () => {
      const guestToken = await both();
      await run(app, 'mergeCarts', { guestToken, strategy: 'MERGE' });
      await add('var_meal', 1, {}, stranger);

      for (const [token, as] of [['mistyped', buyer] as const, [guestToken, stranger] as const]) {
        const { cart, userErrors } = await run(app, 'mergeCarts', { guestToken: token, strategy: 'MERGE' }, as);
        expect([cart, userErrors[0]]).toMatchObject([null, { code: 'NOT_FOUND', path: ['input', 'guestToken'] }]);
      }
    });

    test('cannot merge without a cart of that secret, nor without signing in', async () => {
      const input = { guestToken: 'made-up', strategy: 'MERGE' };

      expect((await run(app, 'mergeCarts', input, viewer('usr_new'))).userErrors[0].code).toBe('NOT_FOUND');
      expect((await run(app, 'mergeCarts', input, null)).errors[0].extensions.code).toBe('UNAUTHENTICATED');
    });
  });
});

test('a cart is its owner’s alone, on the entity door too', async () => {
  const { cart } = await add('var_meal', 1);

  const reference = [{ __typename: 'Cart', id: cart.id }];
  const own = await app.entities(reference, '... on Cart { totalQuantity }');
  const foreign = await app.entities(reference, '... on Cart { totalQuantity }', { as: stranger });
  const asUser = await app.entities([{ __typename: 'User', id: buyer.id }], '... on User { cart { id } }', { as: stranger });

  expect(own.data._entities[0].totalQuantity).toBe(1);
  expect(foreign.data?._entities?.[0]?.totalQuantity).toBeUndefined();
  expect(foreign.errors![0]!.extensions['code']).toBe('FORBIDDEN');
  expect(asUser.data._entities[0].cart).toBeNull();
  expect(asUser.errors![0]!.extensions['code']).toBe('FORBIDDEN');
});

import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { idempotencyOf } from '#shared/kit/idempotency.ts';
import { viewer, type Data, type TestApp } from '#shared/testing/open.ts';
import { createMarket, newKey, openOrders, pending, run } from './fixtures.ts';
import type { Ctx } from './loaders.ts';

const market = createMarket();
let app: TestApp;
beforeAll(async () => {
  app = await openOrders(market);
});
afterAll(() => app.close());

let people = 0;
let who = viewer('usr_retries');
let idempotencyKey = '';
beforeEach(() => {
  who = viewer(`usr_retries${(people += 1)}`);
  idempotencyKey = newKey();
});

const HOUSE = { recipient: 'Chanda', phone: '+260971234567', line1: 'House 4', city: 'Lusaka', country: 'ZM' };
const place = (input: object = {}): Promise<Data> =>
  run(app, 'placeOrder', { paymentMethod: 'CASH_ON_DELIVERY', address: HOUSE, idempotencyKey, ...input }, who);
const add = (variantId: string, quantity: number): Promise<Data> => run(app, 'addToCart', { variantId, quantity }, who);
const ordersOf = (): Promise<{ status: string }[]> =>
  (app.context() as Ctx).models.Order.find({ buyerId: who.id }, { status: 1 }).sort({ placedAt: 1 }).lean();
/** What happens by itself after a day. */
const forgetRequests = () => idempotencyOf(app.runtime().db).deleteMany({});

describe('the key of a placeOrder that was refused', () => {
  test.each([
    ['at once', () => undefined],
    ['a day later', forgetRequests],
  ])('orders once the cart is corrected, %s', async (_case, wait) => {
    expect((await place()).userErrors).toMatchObject([{ code: 'CART_EMPTY' }]);
    const { cart } = await add('var_dress', 9_000);
    await wait();
    expect((await place()).userErrors).toMatchObject([{ code: 'INSUFFICIENT_STOCK' }]);
    await run(app, 'updateCartLine', { lineId: cart.lines[0].id, quantity: 1 }, who);
    await wait();

    const { order } = await place();

    expect(order).toMatchObject({ status: 'CONFIRMED', total: { amount: '450.00' } });
    await wait();
    expect((await place()).order.id).toBe(order.id);
    expect(await ordersOf()).toHaveLength(1);
  });

  test('tells today’s refusal, not the one of then', async () => {
    const { cart } = await add('var_dress', 9_000);
    await place();
    await run(app, 'removeCartLine', { lineId: cart.lines[0].id }, who);

    expect((await place()).userErrors).toMatchObject([{ code: 'CART_EMPTY' }]);
  });

  test('orders after an outage that turned the order back', async () => {
    await add('var_meal', 1);
    market.outages.set('reserveStock', 100);
    expect((await place()).errors).toMatchObject([{ extensions: { code: 'UNAVAILABLE', retryable: true } }]);
    market.outages.clear();

    expect((await place()).order.status).toBe('CONFIRMED');
    expect((await ordersOf()).map(({ status }) => status)).toEqual(['CONFIRMED']);
  });

  test('makes one order of 20 requests at once', async () => {
    const { cart } = await add('var_dress', 9_000);
    await place();
    await run(app, 'updateCartLine', { lineId: cart.lines[0].id, quantity: 1 }, who);

    const answers = await Promise.all(Array.from({ length: 20 }, () => place()));

    expect(new Set(answers.flatMap(({ order }) => order?.id ?? [])).size).toBe(1);
    // Each of them may be sent again.
    const refusals = answers.flatMap(({ order, userErrors, errors }) => (order ? [] : (userErrors?.[0].code ?? errors[0].extensions.code)));
    for (const code of refusals) expect(['IDEMPOTENCY_IN_FLIGHT', 'OVERLOADED']).toContain(code);
    expect(await ordersOf()).toHaveLength(1);
  });
});

describe('the key of an order that was placed', () => {
  test('is refused with other input, also after a day, and the new cart stays', async () => {
    await add('var_meal', 1);
    await place();
    await add('var_oil', 2);

    for (const wait of [() => undefined, forgetRequests]) {
      await wait();
      expect((await place({ note: 'Another one.' })).userErrors).toMatchObject([
        { code: 'IDEMPOTENCY_KEY_REUSED', path: ['input', 'idempotencyKey'] },
      ]);
    }
    expect(await ordersOf()).toHaveLength(1);
    expect((await app.ask('{ cart { totalQuantity } }', {}, { as: who })).data.cart.totalQuantity).toBe(2);
  });

  test('answers it a day later although it was cancelled meanwhile', async () => {
    await add('var_meal', 1);
    const { order } = await place();
    await run(app, 'cancelOrder', { orderId: order.id }, who);
    await forgetRequests();

    expect((await place()).order).toMatchObject({ id: order.id, status: 'CANCELLED' });
  });
});

test('a cart that another request is ordering says so, in a code of its own', async () => {
  const { confirm } = await pending(app, market, who);

  expect((await place()).userErrors).toMatchObject([{ code: 'CART_IN_CHECKOUT', path: ['input'] }]);

  await confirm();
});

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { viewer, type Data, type TestApp } from '#shared/testing/open.ts';
import { userDeleted } from '../accounts/contract.ts';
import { admin, createMarket, deliver, grocer, newKey, openOrders, ORDER, partOf, pending, placed, run, tailor } from './fixtures.ts';
import type { Ctx } from './loaders.ts';

const market = createMarket();
let app: TestApp;
beforeAll(async () => {
  app = await openOrders(market);
});
afterAll(() => app.close());

let people = 0;
const somebody = () => viewer(`usr_changes${(people += 1)}`);
type Person = ReturnType<typeof somebody>;

const orderOf = async (id: string, as: Person): Promise<Data> =>
  (await app.ask(`query ($id: ID!) { order(id: $id) { ${ORDER} } }`, { id }, { as })).data.order;
const move = (part: Data, status: string, as: Person, reason?: string): Promise<Data> =>
  run(app, 'updateVendorOrderStatus', { vendorOrderId: part.id, status, reason }, as);
async function deliverGoods(part: Data, as: Person): Promise<void> {
  for (const status of ['PROCESSING', 'SHIPPED', 'DELIVERED']) await move(part, status, as);
}
const HOUSE = { recipient: 'Chanda', phone: '+260971234567', line1: 'House 4', city: 'Lusaka', country: 'ZM' };
const order = async (who: Person, goods?: Record<string, number>): Promise<Data> =>
  placed(app, goods, who, { address: HOUSE, note: 'Ask for Chanda.' });

describe('what the buyer pays', () => {
  test('follows the parts, in the field, filters, sorts and events; what was placed is kept beside it', async () => {
    const who = somebody();
    const [small, large] = [await order(who, { var_meal: 2 }), await order(who, { var_meal: 1, var_dress: 2 })];
    await deliverGoods(partOf(large, 'vnd_grocer'), grocer);

    await run(app, 'cancelVendorOrder', { vendorOrderId: partOf(large, 'vnd_tailor').id }, who);

    expect(await orderOf(large.id, who)).toMatchObject({
      status: 'DELIVERED',
      subtotal: { amount: '185.50' },
      total: { amount: '185.50' },
      originalTotal: { amount: '1085.50' },
      vendorOrders: expect.arrayContaining([expect.objectContaining({ status: 'CANCELLED', subtotal: { amount: '900.00' } })]),
    });
    const LIST = `query ($where: OrderWhere) { orders(where: $where, sort: { field: TOTAL, direction: ASC }) { nodes { id } } }`;
    const list = async (where?: object) => (await app.ask(LIST, { where }, { as: who })).data.orders.nodes.map(({ id }: Data) => id);
    expect(await list()).toEqual([large.id, small.id]);
    expect(await list({ total: { currency: 'ZMW', lt: '200.00' } })).toEqual([large.id]);
    const said = (await app.said()).filter(({ type, data }) => data.orderId === large.id && /^Order\.(Status|Comp)/.test(type));
    expect(said.slice(-3).map(({ type, data }) => [type, data.newStatus, data.total.amount])).toEqual([
      ['Order.StatusChanged', 'CANCELLED', 18_550],
      ['Order.StatusChanged', 'DELIVERED', 18_550],
      ['Order.Completed', undefined, 18_550],
    ]);
  });

  test('is nothing when all is cancelled, by somebody or by a checkout that failed', async () => {
    const who = somebody();
    const { id } = await order(who);
    await run(app, 'cancelOrder', { orderId: id }, who);
    market.holdsRunOut = true;
    await order(who, { var_meal: 1 }).catch(() => undefined);
    market.holdsRunOut = false;

    const { nodes } = (await app.ask('{ orders { nodes { status total { amount } originalTotal { amount } } } }', {}, { as: who })).data
      .orders;

    expect(nodes).toEqual([
      { status: 'CANCELLED', total: { amount: '0.00' }, originalTotal: { amount: '185.50' } },
      { status: 'CANCELLED', total: { amount: '0.00' }, originalTotal: { amount: '1085.50' } },
    ]);
    expect((await app.said('Order.Cancelled')).filter(({ data }) => data.userId === who.id).map(({ data }) => data.total.amount)).toEqual([
      0, 0,
    ]);
  });

  test('is read from orders of old, which only have a total', async () => {
    const who = somebody();
    const { id } = await order(who, { var_meal: 1 });
    await (app.context() as Ctx).models.Order.collection.updateOne(
      { _id: id as never },
      { $unset: { originalTotal: 1, isBuyerDeleted: 1 } },
    );
    await app.context().cache.invalidate([`order:${id}`]);

    expect(await orderOf(id, who)).toMatchObject({ total: { amount: '185.50' }, originalTotal: { amount: '185.50' } });
    await run(app, 'cancelOrder', { orderId: id }, who);
    expect(await orderOf(id, who)).toMatchObject({ total: { amount: '0.00' }, originalTotal: { amount: '185.50' } });
  });
});

test('a list holds the orders at the very bounds of its range', async () => {
  const who = somebody();
  const [one, two] = [await order(who, { var_meal: 1 }), await order(who, { var_meal: 1 })];
  const LIST = 'query ($where: OrderWhere) { orders(where: $where) { nodes { id } } }';
  const list = async (placedAt: object) =>
    (await app.ask(LIST, { where: { placedAt } }, { as: who })).data.orders.nodes.map(({ id }: Data) => id);

  expect(await list({ gte: two.placedAt })).toEqual([two.id]);
  expect(await list({ lte: one.placedAt })).toEqual([one.id]);
  expect(await list({ gte: one.placedAt, lte: two.placedAt })).toEqual([two.id, one.id]);
  expect(await list({ gt: one.placedAt, gte: one.placedAt })).toEqual([two.id]);
});

test('what is put into the cart while its checkout runs stays there', async () => {
  const who = somebody();
  const { order: waiting, confirm } = await pending(app, market, who);
  await run(app, 'addToCart', { variantId: 'var_meal', quantity: 2 }, who);
  const { cart } = await run(app, 'addToCart', { variantId: 'var_oil', quantity: 1 }, who);
  const dress = cart.lines.find(({ variant }: Data) => variant.id === 'var_dress');
  await run(app, 'updateCartLine', { lineId: dress.id, quantity: 4 }, who);

  await confirm();

  const { data } = await app.ask('{ cart { lines { quantity variant { id } } } }', {}, { as: who });
  expect(data.cart.lines.map(({ quantity, variant }: Data) => [variant.id, quantity])).toEqual([
    ['var_meal', 2],
    ['var_dress', 3],
    ['var_oil', 1],
  ]);
  expect(partOf(waiting, 'vnd_grocer').lines).toMatchObject([{ quantity: 1 }]);
});

describe('the timeline of an order', () => {
  test('names nobody where the order only followed its parts, and gives no reason of theirs', async () => {
    const who = somebody();
    const placedOrder = await order(who);
    await deliverGoods(partOf(placedOrder, 'vnd_grocer'), grocer);

    await run(app, 'cancelVendorOrder', { vendorOrderId: partOf(placedOrder, 'vnd_tailor').id, reason: 'changed my mind' }, who);

    const { timeline, vendorOrders } = await orderOf(placedOrder.id, who);
    expect(timeline.at(-1)).toEqual({ previousStatus: 'CONFIRMED', newStatus: 'DELIVERED', actor: 'SYSTEM', reason: null });
    expect(vendorOrders.find(({ status }: Data) => status === 'CANCELLED').timeline.at(-1)).toEqual({
      newStatus: 'CANCELLED',
      actor: 'BUYER',
      reason: 'changed my mind',
    });
  });

  test('names who cancelled all of it, and why', async () => {
    const who = somebody();
    const { id } = await order(who);

    await run(app, 'cancelOrder', { orderId: id, reason: 'Fraud.' }, admin);

    expect((await orderOf(id, who)).timeline.at(-1)).toMatchObject({ newStatus: 'CANCELLED', actor: 'ADMIN', reason: 'Fraud.' });
  });

  test('has no reason when the last part was cancelled by its vendor, nor has the event', async () => {
    const who = somebody();
    const placedOrder = await order(who, { var_dress: 1 });

    await move(partOf(placedOrder, 'vnd_tailor'), 'CANCELLED', tailor, 'Out of cloth.');

    expect((await orderOf(placedOrder.id, who)).timeline.at(-1)).toMatchObject({ newStatus: 'CANCELLED', actor: 'SYSTEM', reason: null });
    const [cancelled] = (await app.said('Order.Cancelled')).filter(({ data }) => data.orderId === placedOrder.id);
    expect(cancelled!.data.reason).toBeNull();
  });
});

describe('an order that is not confirmed yet', () => {
  test('is moved and cancelled by nobody, and offers nothing', async () => {
    const who = somebody();
    const { order: waiting, confirm } = await pending(app, market, who);
    const part = partOf(waiting, 'vnd_tailor');

    expect(waiting).toMatchObject({ status: 'PENDING', availableActions: [] });
    for (const as of [tailor, admin]) {
      const { nextStatuses } = (await app.ask('query ($id: ID!) { vendorOrder(id: $id) { nextStatuses } }', { id: part.id }, { as })).data
        .vendorOrder;
      expect(nextStatuses).toEqual([]);
      for (const status of ['CONFIRMED', 'CANCELLED', 'PROCESSING'])
        expect((await move(part, status, as, 'x')).userErrors).toMatchObject([{ code: 'CHECKOUT_IN_PROGRESS' }]);
    }
    expect((await run(app, 'cancelVendorOrder', { vendorOrderId: part.id }, who)).userErrors).toMatchObject([
      { code: 'CHECKOUT_IN_PROGRESS' },
    ]);
    expect((await run(app, 'cancelOrder', { orderId: waiting.id }, who)).userErrors).toMatchObject([{ code: 'CHECKOUT_IN_PROGRESS' }]);
    expect(await confirm()).toMatchObject({ status: 'CONFIRMED', total: waiting.total });
  });
});

describe('a deleted account', () => {
  const goneNow = (who: Person) => userDeleted({ userId: who.id, timestamp: new Date().toISOString() });
  const stored = async (id: string): Promise<string> => {
    const { models } = app.context() as Ctx;
    return JSON.stringify([await models.Order.findById(id).lean(), await models.VendorOrder.find({ orderId: id }).lean()]);
  };

  test('leaves finished orders without what they knew of the person, at once', async () => {
    const who = somebody();
    const { id } = await order(who);
    await run(app, 'cancelOrder', { orderId: id }, who);
    await run(app, 'addToCart', { variantId: 'var_oil', quantity: 1 }, who);

    for (let time = 0; time < 2; time += 1) await deliver(app, goneNow(who), `evt_${who.id}`);

    expect(await stored(id)).not.toMatch(/Chanda/);
    expect(await (app.context() as Ctx).models.Cart.exists({ userId: who.id })).toBeNull();
  });

  test.each([
    ['is delivered', (part: Data) => deliverGoods(part, tailor)],
    ['is cancelled', (part: Data) => move(part, 'CANCELLED', tailor, 'Out of cloth.')],
  ])('leaves address and note to the vendors of an order under way, until its last part %s', async (_case, end) => {
    const who = somebody();
    const placedOrder = await order(who);
    const [food, clothes] = [partOf(placedOrder, 'vnd_grocer'), partOf(placedOrder, 'vnd_tailor')];

    await deliver(app, goneNow(who));
    await deliverGoods(food, grocer);
    const asked = await app.ask(
      'query ($id: ID!) { vendorOrder(id: $id) { note shippingAddress { recipient phone } } }',
      { id: clothes.id },
      { as: tailor },
    );
    expect(asked.data.vendorOrder).toEqual({ note: 'Ask for Chanda.', shippingAddress: { recipient: 'Chanda', phone: '+260971234567' } });
    await end(clothes);

    expect(await stored(placedOrder.id)).not.toMatch(/Chanda/);
    expect(await orderOf(placedOrder.id, admin)).toMatchObject({ status: 'DELIVERED', shippingAddress: null });
  });

  test('is heard of again later while an order is being placed', async () => {
    const who = somebody();
    const { order: waiting, confirm } = await pending(app, market, who);

    await expect(deliver(app, goneNow(who))).rejects.toMatchObject({ code: 'UNAVAILABLE', retryable: true });
    await confirm();
    await deliver(app, goneNow(who));

    expect(await (app.context() as Ctx).models.Order.findById(waiting.id).lean()).toMatchObject({
      isBuyerDeleted: true,
      status: 'CONFIRMED',
    });
  });

  test('keeps no cart, not even one that a request wrote while the account was being deleted', async () => {
    const [who, other] = [somebody(), somebody()];
    const { models } = app.context() as Ctx;
    await deliver(app, goneNow(who));
    await run(app, 'addToCart', { variantId: 'var_oil', quantity: 1 }, other);
    const cart = (await models.Cart.findOne({ userId: other.id }).lean())!;
    await models.Cart.create({ ...cart, _id: 'crt_late', userId: who.id });

    await app.runJob('remove-late-carts');

    expect(await models.Cart.exists({ userId: who.id })).toBeNull();
    expect(await models.Cart.exists({ userId: other.id })).not.toBeNull();
  });

  test('begins nothing more, though its token works for a moment longer', async () => {
    const who = somebody();
    await placed(app, { var_oil: 1 }, who, { address: HOUSE });
    await deliver(app, goneNow(who));
    const { models } = app.context() as Ctx;
    const { guestToken } = await run(app, 'addToCart', { variantId: 'var_oil', quantity: 1 }, null);

    for (const [name, input] of [
      ['addToCart', { variantId: 'var_oil', quantity: 1 }],
      ['mergeCarts', { guestToken, strategy: 'MERGE' }],
      ['placeOrder', { address: HOUSE, paymentMethod: 'CASH_ON_DELIVERY', idempotencyKey: newKey() }],
    ] as const) {
      const { errors } = await run(app, name, input, who);
      expect([name, errors?.[0]?.extensions.code]).toEqual([name, 'UNAUTHENTICATED']);
    }

    expect(await models.Cart.exists({ userId: who.id })).toBeNull();
    expect(await models.Order.countDocuments({ buyerId: who.id })).toBe(1);
  });

  test('is known by an order that was begun before its end and confirmed after it', async () => {
    const who = somebody();
    const { order: waiting, confirm } = await pending(app, market, who);
    const { models } = app.context() as Ctx;
    await models.DeletedBuyer.create({ _id: who.id, at: new Date() });

    await confirm();

    expect(await models.Order.findById(waiting.id).lean()).toMatchObject({ isBuyerDeleted: true, status: 'CONFIRMED' });
    expect(await models.Cart.exists({ userId: who.id })).toBeNull();
  });
});

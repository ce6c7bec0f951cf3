import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { viewer, type Data, type TestApp } from '#shared/testing/open.ts';
import { findUnfinishedParts } from './contract.ts';
import { admin, buyer, clerk, createMarket, grocer, newKey, openOrders, ORDER, partOf, placed, run, stranger, tailor } from './fixtures.ts';
import type { Ctx } from './loaders.ts';

const market = createMarket();
let app: TestApp;
beforeAll(async () => {
  app = await openOrders(market);
});
afterAll(() => app.close());

let people = 0;
/** A buyer of their own for a test, whose cart nobody else fills. */
const somebody = () => viewer(`usr_somebody${(people += 1)}`);
const HOUSE = { recipient: 'Chanda', phone: '+260 97 123 4567', line1: 'House 4', city: 'Lusaka', country: 'ZM' };
const place = (input: object, as = buyer): Promise<Data> =>
  run(app, 'placeOrder', { paymentMethod: 'CASH_ON_DELIVERY', address: HOUSE, idempotencyKey: newKey(), ...input }, as);
const fill = async (as: ReturnType<typeof somebody>, goods: Record<string, number>): Promise<void> => {
  for (const [variantId, quantity] of Object.entries(goods)) await run(app, 'addToCart', { variantId, quantity }, as);
};
const orderOf = async (id: string, as = buyer): Promise<Data> =>
  (await app.ask(`query ($id: ID!) { order(id: $id) { ${ORDER} } }`, { id }, { as })).data.order;

describe('placeOrder', () => {
  test('makes one confirmed order with a part for each vendor, empties the cart and takes the stock', async () => {
    const before = market.goods.get('var_dress')!.stock;

    const order = await placed(app);

    expect(order).toMatchObject({
      status: 'CONFIRMED',
      availableActions: ['CANCEL'],
      total: { amount: '1085.50', currency: 'ZMW' },
      shippingAddress: { recipient: 'Mutale Banda', city: 'Lusaka' },
      buyer: { id: buyer.id },
    });
    expect(partOf(order, 'vnd_tailor')).toMatchObject({
      status: 'CONFIRMED',
      subtotal: { amount: '900.00' },
      lines: [{ quantity: 2, productName: 'The dress', unitPrice: { amount: '450.00' }, variant: { id: 'var_dress' } }],
    });
    expect(order.timeline.map(({ newStatus, actor }: Data) => [newStatus, actor])).toEqual([
      ['PENDING', 'BUYER'],
      ['CONFIRMED', 'SYSTEM'],
    ]);
    expect((await app.ask('{ cart { totalQuantity } }')).data.cart.totalQuantity).toBe(0);
    expect(market.goods.get('var_dress')!.stock).toBe(before - 2);
    expect(market.holds.get(order.id)!.state).toBe('COMMITTED');
  });

  test('says what happened, each thing once', async () => {
    const order = await placed(app);
    await app.settled();

    const said = (await app.said()).filter(({ data }) => data.orderId === order.id).map(({ type, data }) => [type, data.vendorId ?? null]);
    expect(said).toEqual([
      ['Order.Created', null],
      ['Order.StatusChanged', 'vnd_grocer'],
      ['VendorOrder.Received', 'vnd_grocer'],
      ['Order.StatusChanged', 'vnd_tailor'],
      ['VendorOrder.Received', 'vnd_tailor'],
      ['Order.StatusChanged', null],
    ]);
  });

  test('takes an address for this order only, and keeps the phone in one spelling', async () => {
    const who = somebody();
    await fill(who, { var_meal: 1 });

    const { order } = await place({ note: 'Blue gate.' }, who);

    expect(order.shippingAddress).toEqual({ recipient: 'Chanda', city: 'Lusaka' });
    expect((await (app.context() as Ctx).models.Order.findById(order.id).lean())!.shippingAddress!.phone).toBe('+260971234567');
  });

  test('answers the same order when it is sent again, and one order of 20 at once', async () => {
    const who = somebody();
    await fill(who, { var_meal: 1 });
    const idempotencyKey = newKey();

    const answers = await Promise.all(Array.from({ length: 20 }, () => place({ idempotencyKey }, who)));
    const again = await place({ idempotencyKey }, who);

    const ids = new Set(answers.flatMap(({ order }) => order?.id ?? []));
    expect([...ids]).toEqual([again.order.id]);
    for (const { order, userErrors, errors } of answers)
      if (!order) expect(['IDEMPOTENCY_IN_FLIGHT', 'OVERLOADED']).toContain(userErrors?.[0].code ?? errors[0].extensions.code);
    expect(await (app.context() as Ctx).models.Order.countDocuments({ buyerId: who.id })).toBe(1);
  });

  test('orders a cart once, also when two keys try at once', async () => {
    const who = somebody();
    await fill(who, { var_meal: 1 });

    const answers = await Promise.all([place({}, who), place({}, who)]);

    expect(answers.filter(({ order }) => order)).toHaveLength(1);
    const [refused] = answers.filter(({ order }) => !order);
    expect(['CART_IN_CHECKOUT', 'CART_EMPTY']).toContain(refused.userErrors[0].code);
  });

  test.each([
    ['an empty cart', {}, {}, 'CART_EMPTY', ['input']],
    ['goods of two currencies', { var_meal: 1, var_tea: 1 }, {}, 'CURRENCY_MISMATCH', ['input']],
    ['more than there is', { var_meal: 9_999 }, {}, 'INSUFFICIENT_STOCK', ['input']],
    [
      'a total that is not today’s',
      { var_meal: 1 },
      { expectedTotal: { amount: '1.00', currency: 'ZMW' } },
      'PRICE_CHANGED',
      ['input', 'expectedTotal'],
    ],
    [
      'a total in another currency',
      { var_meal: 1 },
      { expectedTotal: { amount: '1', currency: 'JPY' } },
      'CURRENCY_MISMATCH',
      ['input', 'expectedTotal', 'currency'],
    ],
    ['an address that is nobody’s', { var_meal: 1 }, { address: null, addressId: 'adr_foreign' }, 'NOT_FOUND', ['input', 'addressId']],
    ['no address at all', { var_meal: 1 }, { address: null }, 'INVALID', ['input', 'address']],
    ['two addresses', { var_meal: 1 }, { addressId: 'adr_home' }, 'INVALID', ['input', 'address']],
    ['a note of 10,000 characters', { var_meal: 1 }, { note: 'x'.repeat(10_000) }, 'INVALID', ['input', 'note']],
    ['a short key', { var_meal: 1 }, { idempotencyKey: 'short' }, 'INVALID', ['input', 'idempotencyKey']],
    ['a country that is none', { var_meal: 1 }, { address: { ...HOUSE, country: 'QQ' } }, 'INVALID', ['input', 'address', 'country']],
    ['a country in words', { var_meal: 1 }, { address: { ...HOUSE, country: 'Zambia' } }, 'INVALID', ['input', 'address', 'country']],
    [
      'a recipient with a NUL',
      { var_meal: 1 },
      { address: { ...HOUSE, recipient: 'a\u0000' } },
      'INVALID',
      ['input', 'address', 'recipient'],
    ],
    [
      'a wrong currency',
      { var_meal: 1 },
      { expectedTotal: { amount: '1.001', currency: 'ZMW' } },
      'INVALID',
      ['input', 'expectedTotal', 'amount'],
    ],
  ])('refuses %s, and leaves the cart as it was', async (_case, goods, input, code, path) => {
    const who = somebody();
    await fill(who, goods as Record<string, number>);
    const stock = new Map([...market.goods].map(([id, { stock: pieces }]) => [id, pieces]));

    const { order, userErrors } = await place(input, who);

    expect(order).toBeNull();
    expect(userErrors).toEqual([expect.objectContaining({ code, path })]);
    for (const [id, { stock: pieces }] of market.goods) expect([id, pieces]).toEqual([id, stock.get(id)]);
    const cart = await (app.context() as Ctx).models.Cart.findOne({ userId: who.id }).lean();
    expect(cart?.checkout ?? null).toBeNull();
    expect(Object.fromEntries((cart?.lines ?? []).map(({ variantId, quantity }) => [variantId, quantity]))).toEqual(goods);
  });

  test('tells how many there are when there are too few', async () => {
    const who = somebody();
    await fill(who, { var_dress: 5_000 });

    const { userErrors } = await place({}, who);

    expect(userErrors[0]).toMatchObject({
      __typename: 'InsufficientStockError',
      variantId: 'var_dress',
      available: market.goods.get('var_dress')!.stock,
      message: expect.stringMatching(new RegExp(`^Of ".+" only ${market.goods.get('var_dress')!.stock} are left\\.$`)),
    });
  });

  test('asks for a word when a price has changed, and takes it', async () => {
    const who = somebody();
    await fill(who, { var_oil: 2 });
    market.goods.get('var_oil')!.amount = 10_500;

    expect((await place({}, who)).userErrors[0]).toMatchObject({ code: 'PRICE_CHANGED', path: ['input'], total: { amount: '210.00' } });
    const { order } = await place({ expectedTotal: { amount: '210.00', currency: 'ZMW' } }, who);

    expect(order.total.amount).toBe('210.00');
  });

  test('refuses what is not sold any more, and what a suspended vendor sells, and names the line', async () => {
    const who = somebody();
    await fill(who, { var_meal: 1, var_dress: 1 });
    const { cart } = (await app.ask('{ cart { lines { id variant { id } } } }', {}, { as: who })).data;
    const refusal = {
      __typename: 'LineNotForSaleError',
      code: 'NOT_FOR_SALE',
      lineId: cart.lines.find(({ variant }: Data) => variant.id === 'var_dress').id,
      variantId: 'var_dress',
    };

    market.suspended.add('vnd_tailor');
    expect((await place({}, who)).userErrors).toMatchObject([refusal]);
    market.suspended.clear();
    market.goods.get('var_dress')!.isForSale = false;
    expect((await place({}, who)).userErrors).toMatchObject([refusal]);
    market.goods.get('var_dress')!.isForSale = true;
  });

  test('goes on after an outage that passes, and turns back when it does not', async () => {
    const who = somebody();
    await fill(who, { var_meal: 1 });
    market.outages.set('commitReservation', 2);
    expect((await place({}, who)).order.status).toBe('CONFIRMED');

    await fill(who, { var_meal: 1 });
    const stock = market.goods.get('var_meal')!.stock;
    market.outages.set('reserveStock', 100);
    const { errors } = await place({}, who);
    market.outages.clear();

    expect(errors[0].extensions.code).toBe('UNAVAILABLE');
    expect(market.goods.get('var_meal')!.stock).toBe(stock);
    const { nodes } = (await app.ask('{ orders { nodes { status } } }', {}, { as: who })).data.orders;
    expect(nodes).toEqual([{ status: 'CONFIRMED' }]);
  });

  test('whose goods may be sold already is not given up, however long the stock is silent', async () => {
    const who = somebody();
    await fill(who, { var_meal: 1 });
    market.outages.set('commitReservation', 10);

    const { order } = await place({}, who);

    expect(market.outages.get('commitReservation')).toBe(0);
    expect(order.status).toBe('CONFIRMED');
  });
});

describe('the parts of an order', () => {
  const update = (vendorOrderId: string, status: string, as: Parameters<typeof run>[3], reason?: string): Promise<Data> =>
    run(app, 'updateVendorOrderStatus', { vendorOrderId, status, reason }, as);

  test('go their own way; the order stands where its last part stands', async () => {
    const order = await placed(app);
    const [food, clothes] = [partOf(order, 'vnd_grocer').id, partOf(order, 'vnd_tailor').id];

    for (const status of ['PROCESSING', 'SHIPPED', 'DELIVERED'])
      expect((await update(food, status, grocer)).vendorOrder.status).toBe(status);
    expect((await orderOf(order.id)).status).toBe('CONFIRMED');
    await update(clothes, 'PROCESSING', tailor);
    expect((await orderOf(order.id)).status).toBe('PROCESSING');
    await update(clothes, 'SHIPPED', tailor);
    await update(clothes, 'DELIVERED', tailor);

    expect(await orderOf(order.id)).toMatchObject({ status: 'DELIVERED', availableActions: [] });
    expect((await app.said('Order.Completed')).filter(({ data }) => data.orderId === order.id)).toHaveLength(1);
  });

  test('of a suspended store are finished or cancelled by its members: what was bought is delivered', async () => {
    const order = await placed(app);
    const other = await placed(app);
    market.suspended.add('vnd_grocer');

    for (const status of ['PROCESSING', 'SHIPPED', 'DELIVERED'])
      expect((await update(partOf(order, 'vnd_grocer').id, status, grocer)).vendorOrder.status).toBe(status);
    expect((await update(partOf(other, 'vnd_grocer').id, 'CANCELLED', grocer, 'closed')).vendorOrder.status).toBe('CANCELLED');
    const { data } = await app.ask('{ vendorOrders(vendorId: "vnd_grocer", first: 1) { nodes { id } } }', {}, { as: grocer });
    expect(data.vendorOrders.nodes).toHaveLength(1);

    market.suspended.clear();
  });

  test('are told to whoever wants to close the store, until each is delivered or cancelled', async () => {
    const order = await placed(app);
    const part = partOf(order, 'vnd_tailor').id;
    const unfinished = async () => (await app.call(findUnfinishedParts, { vendorId: 'vnd_tailor' })).vendorOrderIds.includes(part);

    for (const status of ['PROCESSING', 'SHIPPED']) {
      expect(await unfinished()).toBe(true);
      await update(part, status, tailor);
    }
    expect(await unfinished()).toBe(true);
    await update(part, 'DELIVERED', tailor);
    expect(await unfinished()).toBe(false);
  });

  test('show each mover where it can take them', async () => {
    const order = await placed(app);
    const { id } = partOf(order, 'vnd_grocer');
    const next = async (as: typeof buyer): Promise<string[]> =>
      (await app.ask('query ($id: ID!) { vendorOrder(id: $id) { nextStatuses } }', { id }, { as })).data.vendorOrder?.nextStatuses;

    expect((await next(grocer)).sort()).toEqual(['CANCELLED', 'PROCESSING']);
    expect(await next(buyer)).toEqual(['CANCELLED']);
    await update(id, 'PROCESSING', grocer);
    expect(await next(buyer)).toEqual([]);
    expect(await next(stranger)).toBeUndefined();
  });

  test.each([
    ['a jump', 'DELIVERED', 'ILLEGAL_TRANSITION'],
    ['a step back', 'PENDING', 'ILLEGAL_TRANSITION'],
  ])('refuse %s', async (_case, status, code) => {
    const { id } = partOf(await placed(app), 'vnd_grocer');

    expect((await update(id, status, grocer)).userErrors[0]).toMatchObject({ code, path: ['input', 'status'] });
  });

  test('need a reason when the vendor cancels, and give the goods back', async () => {
    const order = await placed(app, { var_meal: 3 });
    const { id } = partOf(order, 'vnd_grocer');
    const stock = market.goods.get('var_meal')!.stock;

    expect((await update(id, 'CANCELLED', grocer)).userErrors[0]).toMatchObject({ code: 'INVALID', path: ['input', 'reason'] });
    const { vendorOrder } = await update(id, 'CANCELLED', grocer, 'Out of meal.');
    const again = await update(id, 'CANCELLED', grocer, 'Out of meal.');
    await app.settled();

    expect(vendorOrder.timeline.at(-1)).toEqual({
      previousStatus: 'CONFIRMED',
      newStatus: 'CANCELLED',
      actor: 'VENDOR',
      reason: 'Out of meal.',
    });
    expect(again.vendorOrder.timeline).toHaveLength(vendorOrder.timeline.length);
    expect(market.goods.get('var_meal')!.stock).toBe(stock + 3);
    expect((await orderOf(order.id)).status).toBe('CANCELLED');
  });

  test('are not moved by strangers, colleagues without the right, or other vendors', async () => {
    const { id } = partOf(await placed(app), 'vnd_tailor');

    for (const as of [stranger, grocer]) {
      expect((await update(id, 'PROCESSING', as)).userErrors[0]).toMatchObject({ code: 'NOT_FOUND', path: ['input', 'vendorOrderId'] });
      expect((await run(app, 'cancelVendorOrder', { vendorOrderId: id, reason: 'x' }, as)).userErrors[0].code).toBe('NOT_FOUND');
    }
    expect((await update(id, 'PROCESSING', clerk)).errors[0].extensions.code).toBe('FORBIDDEN');
    expect((await run(app, 'cancelVendorOrder', { vendorOrderId: id, reason: 'x' }, clerk)).errors[0].extensions.code).toBe('FORBIDDEN');
    expect((await update(id, 'PROCESSING', buyer)).userErrors[0].code).toBe('ILLEGAL_TRANSITION');
    expect((await update(id, 'PROCESSING', null)).errors[0].extensions.code).toBe('UNAUTHENTICATED');
    expect((await update('vor_none', 'PROCESSING', admin)).userErrors[0].code).toBe('NOT_FOUND');
  });

  test('that two vendors move at the same moment leave the order right', async () => {
    for (let round = 0; round < 5; round += 1) {
      const order = await placed(app);
      const [food, clothes] = [partOf(order, 'vnd_grocer').id, partOf(order, 'vnd_tailor').id];

      await Promise.all([update(food, 'PROCESSING', grocer), update(clothes, 'PROCESSING', tailor)]);

      expect((await orderOf(order.id)).status).toBe('PROCESSING');
    }
  });
});

describe('cancelOrder', () => {
  test('cancels every part, gives all goods back, and is the same when repeated', async () => {
    const order = await placed(app);
    const stock = market.goods.get('var_dress')!.stock;

    const { order: cancelled } = await run(app, 'cancelOrder', { orderId: order.id, reason: 'Changed my mind.' });
    const again = await run(app, 'cancelOrder', { orderId: order.id });
    await app.settled();

    expect(cancelled).toMatchObject({
      status: 'CANCELLED',
      availableActions: [],
      vendorOrders: [{ status: 'CANCELLED' }, { status: 'CANCELLED' }],
    });
    expect(again.order.status).toBe('CANCELLED');
    expect(market.goods.get('var_dress')!.stock).toBe(stock + 2);
    expect((await app.said('Order.Cancelled')).filter(({ data }) => data.orderId === order.id)).toHaveLength(1);
  });

  test('is refused once a part is being packed, and then cancels none', async () => {
    const order = await placed(app);
    await run(app, 'updateVendorOrderStatus', { vendorOrderId: partOf(order, 'vnd_tailor').id, status: 'PROCESSING' }, tailor);

    const { userErrors } = await run(app, 'cancelOrder', { orderId: order.id });

    expect(userErrors[0]).toMatchObject({ code: 'NOT_CANCELLABLE', path: ['input', 'orderId'] });
    expect(partOf(await orderOf(order.id), 'vnd_grocer').status).toBe('CONFIRMED');
    const part = await run(app, 'cancelVendorOrder', { vendorOrderId: partOf(order, 'vnd_tailor').id });
    expect(part.userErrors[0].code).toBe('NOT_CANCELLABLE');
  });

  test('of somebody else does not exist, but an admin may', async () => {
    const order = await placed(app);

    expect((await run(app, 'cancelOrder', { orderId: order.id }, stranger)).userErrors[0]).toMatchObject({
      code: 'NOT_FOUND',
      path: ['input', 'orderId'],
    });
    expect((await run(app, 'cancelOrder', { orderId: order.id }, grocer)).userErrors[0].code).toBe('NOT_FOUND');
    expect((await run(app, 'cancelOrder', { orderId: order.id, reason: 'Fraud.' }, admin)).order.status).toBe('CANCELLED');
  });

  test('and packing at the same moment: one of them wins, never both', async () => {
    for (let round = 0; round < 5; round += 1) {
      const order = await placed(app, { var_meal: 1 });
      const { id } = partOf(order, 'vnd_grocer');

      await Promise.all([
        run(app, 'cancelOrder', { orderId: order.id }),
        run(app, 'updateVendorOrderStatus', { vendorOrderId: id, status: 'PROCESSING' }, grocer),
      ]);

      const after = await orderOf(order.id);
      expect(['CANCELLED', 'PROCESSING']).toContain(after.status);
      expect(partOf(after, 'vnd_grocer').status).toBe(after.status);
    }
  });
});

describe('who sees what', () => {
  const names = (answer: Data): string[] => answer.nodes.map(({ id }: Data) => id);

  test('buyers see their orders in pages, newest first, and only theirs', async () => {
    const who = somebody();
    const ids: string[] = [];
    for (let i = 0; i < 3; i += 1) {
      await fill(who, { var_meal: i + 1 });
      ids.unshift((await place({}, who)).order.id);
    }
    const LIST =
      'query ($first: Int, $after: Cursor, $where: OrderWhere, $sort: OrderSort) { orders(first: $first, after: $after, where: $where, sort: $sort) { nodes { id total { amount } } totalCount pageInfo { hasNextPage endCursor } } }';
    const list = async (variables: object, as = who): Promise<Data> =>
      (await app.ask(LIST, variables as Record<string, unknown>, { as })).data.orders;

    const first = await list({ first: 2 });
    expect(names(first)).toEqual(ids.slice(0, 2));
    expect(first).toMatchObject({ totalCount: 3, pageInfo: { hasNextPage: true } });
    expect(names(await list({ first: 2, after: first.pageInfo.endCursor }))).toEqual(ids.slice(2));
    expect(names(await list({ sort: { field: 'TOTAL', direction: 'ASC' } }))).toEqual([...ids].reverse());
    expect(names(await list({ where: { status: { in: ['CANCELLED'] } } }))).toEqual([]);
    expect(names(await list({ where: { OR: [{ total: { currency: 'ZMW', gt: '500.00' } }, { status: { eq: 'PENDING' } }] } }))).toEqual([
      ids[0],
    ]);
    expect(names(await list({}, somebody()))).toEqual([]);
    expect((await app.ask(LIST, { first: 101 }, { as: who })).errors![0]!.extensions).toMatchObject({ code: 'INVALID', path: ['first'] });
    expect((await app.ask(LIST, { after: 'garbage' }, { as: who })).errors![0]!.extensions['code']).toBe('INVALID_CURSOR');
  });

  test('an admin sees all, or those of one buyer; nobody else names a buyer', async () => {
    const LIST = 'query ($buyerId: ID) { orders(buyerId: $buyerId, first: 100) { nodes { id buyer { id } } } }';
    await placed(app);

    const all = await app.ask(LIST, {}, { as: admin });
    const one = await app.ask(LIST, { buyerId: buyer.id }, { as: admin });
    const foreign = await app.ask(LIST, { buyerId: buyer.id }, { as: stranger });

    expect(all.data.orders.nodes.length).toBeGreaterThan(one.data.orders.nodes.length);
    expect(new Set(one.data.orders.nodes.map((node: Data) => node.buyer.id))).toEqual(new Set([buyer.id]));
    expect(foreign.errors![0]!.extensions['code']).toBe('FORBIDDEN');
  });

  test('vendors see their parts and nothing of the rest', async () => {
    const order = await placed(app);
    const mine = partOf(order, 'vnd_grocer').id;
    const LIST = 'query ($vendorId: ID!) { vendorOrders(vendorId: $vendorId, first: 100) { nodes { id vendor { id } order { id } } } }';

    const own = await app.ask(LIST, { vendorId: 'vnd_grocer' }, { as: grocer });
    const foreign = await app.ask(LIST, { vendorId: 'vnd_tailor' }, { as: grocer });
    const whole = await app.ask('query ($id: ID!) { order(id: $id) { id } }', { id: order.id }, { as: grocer });

    expect(own.data.vendorOrders.nodes.find(({ id }: Data) => id === mine)).toEqual({
      id: mine,
      vendor: { id: 'vnd_grocer' },
      order: null,
    });
    expect(new Set(own.data.vendorOrders.nodes.map((node: Data) => node.vendor.id))).toEqual(new Set(['vnd_grocer']));
    expect(foreign.errors![0]!.extensions['code']).toBe('FORBIDDEN');
    expect(whole.data.order).toBeNull();
  });

  test('a member who changes nothing reads the parts all the same, and is offered no move', async () => {
    const part = partOf(await placed(app), 'vnd_tailor').id;

    const list = await app.ask('{ vendorOrders(vendorId: "vnd_tailor", first: 100) { nodes { id } } }', {}, { as: clerk });
    const one = await app.ask('query ($id: ID!) { vendorOrder(id: $id) { nextStatuses lines { quantity } } }', { id: part }, { as: clerk });

    expect(names(list.data.vendorOrders)).toContain(part);
    expect(one.data.vendorOrder).toEqual({ nextStatuses: [], lines: [{ quantity: 2 }] });
  });

  test('the entity door is as closed as the front door', async () => {
    const order = await placed(app);
    const part = partOf(order, 'vnd_tailor').id;
    const asked: [object, string][] = [
      [{ __typename: 'Order', id: order.id }, '... on Order { total { amount } shippingAddress { phone } }'],
      [{ __typename: 'VendorOrder', id: part }, '... on VendorOrder { subtotal { amount } shippingAddress { phone } }'],
      [{ __typename: 'User', id: buyer.id }, '... on User { orders { nodes { id } } }'],
      [{ __typename: 'Vendor', id: 'vnd_tailor' }, '... on Vendor { orders { nodes { id } } }'],
    ];

    for (const [representation, selection] of asked) {
      for (const as of [stranger, grocer, null]) {
        const { data, errors } = await app.entities([representation as { __typename: string }], selection, { as });
        expect(JSON.stringify(data ?? null)).not.toMatch(/amount|\+260|ord_|vor_/);
        expect(['FORBIDDEN', 'UNAUTHENTICATED']).toContain(errors![0]!.extensions['code']);
      }
      expect((await app.entities([representation as { __typename: string }], selection, { as: admin })).errors).toBeUndefined();
    }
    const own = await app.entities([{ __typename: 'VendorOrder', id: part }], '... on VendorOrder { subtotal { amount } }', { as: tailor });
    expect(own.data._entities[0].subtotal.amount).toBe('900.00');
  });

  test('an entity that is asked for without its id is not there', async () => {
    const types = ['Order', 'VendorOrder', 'Cart', 'User', 'Vendor'];

    for (const id of [null, { $ne: null }]) {
      const representations = types.map((__typename) => ({ __typename, id })) as unknown as { __typename: string }[];
      const { data, errors } = await app.entities(representations, '... on Order { id } ... on User { cart { id } }', { as: admin });

      expect(errors).toBeUndefined();
      expect(data._entities).toEqual(types.map(() => null));
    }
  });

  test('many orders of one request are read with one query, in their order', async () => {
    const [one, two] = [await placed(app, { var_meal: 1 }), await placed(app, { var_meal: 1 })];

    const { data } = await app.entities(
      [two, { id: 'ord_none' }, one].map(({ id }) => ({ __typename: 'Order', id })),
      '... on Order { id }',
    );

    expect(data._entities.map((entity: Data) => entity?.id ?? null)).toEqual([two.id, null, one.id]);
  });
});

describe('more orders at once than can be placed in time', () => {
  test('are refused at once before anything is done, and can be placed with the same key afterwards', async () => {
    await using small = await openOrders(market, { CHECKOUTS_AT_ONCE: '1' });
    const people = Array.from({ length: 12 }, (_each, index) => viewer(`usr_crowd${index}`));
    await Promise.all(people.map((as) => run(small, 'addToCart', { variantId: 'var_meal', quantity: 1 }, as)));
    const order = async (as: (typeof people)[number]) => {
      const since = performance.now();
      const input = { paymentMethod: 'CASH_ON_DELIVERY', address: HOUSE, idempotencyKey: `crowd-${as.id}` };
      const { order: placedOrder, errors } = await run(small, 'placeOrder', input, as);
      return { as, status: placedOrder?.status, error: errors?.[0]?.extensions, ms: performance.now() - since };
    };

    const answers = await Promise.all(people.map(order));

    const refused = answers.filter(({ status }) => status !== 'CONFIRMED');
    expect(refused.length).toBeGreaterThanOrEqual(7);
    for (const { error } of refused)
      expect(error).toMatchObject({ code: 'OVERLOADED', retryable: true, retryAfterSeconds: expect.any(Number) });
    const first = answers.find(({ status }) => status === 'CONFIRMED')!;
    // One checkout takes hundreds of milliseconds: those who were not let in have not waited for one.
    expect(Math.min(...refused.map(({ ms }) => ms))).toBeLessThan(first.ms);
    const { Order, Cart } = (small.context() as Ctx).models;
    expect(await Order.countDocuments({})).toBe(answers.length - refused.length);
    expect(await Cart.countDocuments({ userId: { $in: refused.map(({ as }) => as.id) }, checkout: { $ne: null } })).toBe(0);
    expect(await order(refused[0]!.as)).toMatchObject({ status: 'CONFIRMED' });
  });
});

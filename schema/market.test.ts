import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { httpTransport } from '#shared/transport/http-transport.ts';
import { serve } from '#shared/transport/server.ts';
import { openGatewayForTest } from '../gateway/testing/open-gateway.ts';
import { ADDRESS, newKey, type Data } from './market/test-door.ts';
import { openMarket, PASSWORD, PIECES, type Account, type OpenMarket } from './market/test-market.ts';

let market: OpenMarket;
let buyer: Account;
beforeAll(async () => {
  market = await openMarket();
  buyer = await market.account('thandiwe');
}, 60_000);
afterAll(() => market?.close());

/** Data of an operation that must succeed as a whole. */
async function ask(query: string, variables: Record<string, unknown> = {}, token?: string): Promise<Data> {
  const { data, errors } = await market.gateway.ask(query, variables, { token });
  expect(errors).toBeUndefined();
  return data;
}

const run = async (name: string, input: object, selection: string, token?: string): Promise<Data> => {
  const type = `${name[0]!.toUpperCase()}${name.slice(1)}Input!`;
  const query = `mutation ($input: ${type}) { ${name}(input: $input) { ${selection} userErrors { code path } } }`;
  return (await ask(query, { input }, token))[name];
};

/** A stream that listens already: what happens from now on comes through it. */
async function listen(topic: string, query: string, variables: Record<string, unknown>, token: string) {
  const channel = `${market.app.context().redisPrefix}:live:${topic}`;
  const heardBy = async (): Promise<number> => Number((await market.app.host.redis.pubsub('NUMSUB', channel))[1]);
  const before = await heardBy();
  const stream = market.gateway.subscribe(query, variables, { token });
  const first = stream.next();
  while ((await heardBy()) === before && before === 0) await new Promise((resolve) => setTimeout(resolve, 10));
  let isFirst = true;
  const next = async (): Promise<Data> => {
    const { value } = (await (isFirst ? first : stream.next())) as { value: Data };
    isFirst = false;
    expect(value.errors).toBeUndefined();
    return value.data;
  };
  return { next, end: () => stream.return() };
}

const PAGE = `query Page($product: ID!, $vendor: ID!, $user: ID!, $order: ID!) {
  product(id: $product) {
    name
    vendor { name state isOpenNow }
    categories { name products(first: 5) { totalCount nodes { id } } }
    stock { isAvailable totalAvailable }
    variants { sku price { amount currency } isForSale stock { isAvailable availableToBuy available } }
  }
  user(id: $user) {
    displayName
    email
    cart { totalQuantity lines { quantity variant { sku product { name vendor { name } } stock { isAvailable } } } }
    orders(first: 2) { totalCount nodes { id status } }
  }
  vendor(id: $vendor) {
    name
    products(first: 10) { nodes { name variants { stock { available } } } }
    orders(first: 10) { nodes { id status lines { productName quantity } order { buyer { displayName } } } }
  }
  order(id: $order) {
    status
    total { amount currency }
    buyer { displayName }
    vendorOrders { vendor { name slug } lines { quantity variant { sku product { name categories { name } } } } }
  }
  categoryTree { name }
}`;

describe('one request', () => {
  test('joins what six subgraphs know', async () => {
    const { door, goods, grocer, products, admin } = market;
    const { order } = await door.buy(buyer.as, { [goods.meal]: 2, [goods.dress]: 1 });
    await door.fill(buyer.as, { [goods.oil]: 3 });
    const variables = { product: products.meal, vendor: grocer.id, user: buyer.as.id, order: order.id };

    const { product, user, vendor, order: shown, categoryTree } = await ask(PAGE, variables, await market.gateway.tokenFor(admin));

    const left = PIECES - 2;
    expect(product).toMatchObject({
      name: 'Mealie Meal 25 kg',
      vendor: { name: 'Kabwata Grocers', state: 'ACTIVE' },
      categories: [{ name: 'Everyday', products: { totalCount: 6 } }],
      stock: { isAvailable: true },
      variants: [{ price: { amount: '185.50', currency: 'ZMW' }, isForSale: true, stock: { isAvailable: true, available: left } }],
    });
    expect(user).toMatchObject({
      displayName: expect.any(String),
      email: buyer.email,
      cart: {
        totalQuantity: 3,
        lines: [{ quantity: 3, variant: { product: { name: 'Sunflower Oil 2 l', vendor: { name: 'Kabwata Grocers' } } } }],
      },
      orders: { totalCount: 1, nodes: [{ id: order.id, status: 'CONFIRMED' }] },
    });
    expect(vendor.products.nodes.map(({ name }: Data) => name).toSorted()).toEqual(['Mealie Meal 25 kg', 'Sunflower Oil 2 l']);
    expect(vendor.orders.nodes).toEqual([
      expect.objectContaining({
        status: 'CONFIRMED',
        lines: [{ productName: 'Mealie Meal 25 kg', quantity: 2 }],
        order: { buyer: { displayName: user.displayName } },
      }),
    ]);
    expect(shown).toMatchObject({
      status: 'CONFIRMED',
      total: { amount: '821.00', currency: 'ZMW' },
      buyer: { displayName: user.displayName },
    });
    expect(shown.vendorOrders.map((part: Data) => [part.vendor.name, part.lines[0].quantity, part.lines[0].variant.product.name])).toEqual([
      ['Kabwata Grocers', 2, 'Mealie Meal 25 kg'],
      ['Mwansa Tailoring', 1, 'Chitenge Dress'],
    ]);
    expect(categoryTree).toEqual([{ name: 'Everyday' }]);
  });

  test('answers all but the stock while inventory is closed', async () => {
    const { app, products } = market;
    const served = await serve(app.runtime('inventory'), { port: 0 });
    const remote = httpTransport('inventory', served.url);
    const gateway = await openGatewayForTest({
      subgraphs: [...app.host.runtimes.values()],
      transports: { ...Object.fromEntries(app.host.runtimes), inventory: remote },
    });
    const query = `query ($id: ID!) { product(id: $id) { name vendor { name } categories { name } variants { sku stock { isAvailable } } } }`;
    const before = await gateway.ask(query, { id: products.dress });
    await served.close();

    const { status, data, errors } = await gateway.ask(query, { id: products.dress });

    expect(before.data.product.variants).toEqual([{ sku: 'CHITENGE-DRESS', stock: { isAvailable: true } }]);
    expect(status).toBe(200);
    expect(data.product).toEqual({ ...before.data.product, variants: [{ sku: 'CHITENGE-DRESS', stock: null }] });
    expect(errors).toEqual([
      expect.objectContaining({
        path: ['product', 'variants', 0, 'stock'],
        extensions: expect.objectContaining({ code: 'SUBGRAPH_UNAVAILABLE', subgraph: 'inventory', retryable: true }),
      }),
    ]);
    expect(JSON.stringify(errors)).not.toMatch(/127\.0\.0\.1|ECONNREFUSED|stack/);
    await gateway.close();
    await remote.close();
  });
});

const CART =
  'cart { totalQuantity lines { quantity variant { id } } groups { vendor { name } subtotal { amount } } problems { code } subtotal { amount currency } }';
const PLACED = 'order { id status vendorOrders { id status vendor { name } } }';
const RECEIVED = `subscription ($vendorId: ID!) { vendorOrderReceived(vendorId: $vendorId) {
  vendorOrder { id status subtotal { amount } lines { quantity variant { product { name } } } order { id } } } }`;
const MINE = `subscription ($after: Cursor) { orderEvents(after: $after) { cursor kind newStatus order { id status } } }`;
const STATUS = `subscription ($orderId: ID!, $after: Cursor) { orderStatusChanged(orderId: $orderId, after: $after) {
  cursor previousStatus newStatus vendorOrder { id vendor { name } } order { status } } }`;

test('a guest becomes a buyer, and the order is seen live by everyone it concerns', async () => {
  const { goods, grocer, tailor, gateway, door, app } = market;
  const before = await door.stock(tailor.owner, goods.shirt);
  const [grocerToken, tailorToken] = await Promise.all([gateway.tokenFor(grocer.owner), gateway.tokenFor(tailor.owner)]);

  const { guestToken } = await run('addToCart', { variantId: goods.meal, quantity: 1 }, `guestToken ${CART}`);
  await run('addToCart', { variantId: goods.shirt, quantity: 2, guestToken }, CART);
  const account = { email: 'newcomer@people.soko.example', password: PASSWORD, name: 'Chanda Newcomer' };
  expect(await run('register', account, 'accepted')).toEqual({ accepted: true, userErrors: [] });
  const token = await market.signIn(account.email);
  const { cart } = await run('mergeCarts', { guestToken, strategy: 'MERGE' }, CART, token);
  expect(cart).toMatchObject({ totalQuantity: 3, problems: [], subtotal: { amount: '825.50', currency: 'ZMW' } });
  expect(cart.groups).toEqual([
    { vendor: { name: 'Kabwata Grocers' }, subtotal: { amount: '185.50' } },
    { vendor: { name: 'Mwansa Tailoring' }, subtotal: { amount: '640.00' } },
  ]);
  const { me } = await ask('{ me { id } }', {}, token);

  const atGrocer = await listen(`vendor:${grocer.id}:orders`, RECEIVED, { vendorId: grocer.id }, grocerToken);
  const atTailor = await listen(`vendor:${tailor.id}:orders`, RECEIVED, { vendorId: tailor.id }, tailorToken);
  const mine = await listen(`user:${me.id}:orders`, MINE, {}, token);
  const input = { paymentMethod: 'CASH_ON_DELIVERY', address: ADDRESS, idempotencyKey: newKey() };
  const { order } = await run('placeOrder', input, PLACED, token);
  const [ofGrocer, ofTailor] = ['Kabwata Grocers', 'Mwansa Tailoring'].map(
    (name) => order.vendorOrders.find(({ vendor }: Data) => vendor.name === name).id,
  );

  expect((await atGrocer.next()).vendorOrderReceived.vendorOrder).toEqual({
    id: ofGrocer,
    status: 'CONFIRMED',
    subtotal: { amount: '185.50' },
    lines: [{ quantity: 1, variant: { product: { name: 'Mealie Meal 25 kg' } } }],
    order: null,
  });
  expect((await atTailor.next()).vendorOrderReceived.vendorOrder).toMatchObject({ id: ofTailor, lines: [{ quantity: 2 }] });
  const created = (await mine.next()).orderEvents;
  expect(created).toMatchObject({ kind: 'CREATED', order: { id: order.id } });
  expect(await run('placeOrder', input, PLACED, token)).toMatchObject({ order: { id: order.id } });

  const status = await listen(`order:${order.id}:status`, STATUS, { orderId: order.id }, token);
  await run('updateVendorOrderStatus', { vendorOrderId: ofGrocer, status: 'PROCESSING' }, 'vendorOrder { status }', grocerToken);
  expect((await status.next()).orderStatusChanged).toMatchObject({
    previousStatus: 'CONFIRMED',
    newStatus: 'PROCESSING',
    vendorOrder: { id: ofGrocer, vendor: { name: 'Kabwata Grocers' } },
  });
  await run('cancelVendorOrder', { vendorOrderId: ofTailor }, 'vendorOrder { status }', token);
  const { order: late, userErrors } = await run('cancelOrder', { orderId: order.id }, 'order { status }', token);
  expect([late, userErrors]).toEqual([null, [{ code: 'NOT_CANCELLABLE', path: ['input', 'orderId'] }]]);

  await mine.end();
  await app.settled();
  expect(await door.stock(tailor.owner, goods.shirt)).toMatchObject({ onHand: before.onHand, available: before.available });
  // Cut off after the first event, the buyer gets everything since then, once and in order.
  const resumed = market.gateway.subscribe(MINE, { after: created.cursor }, { token });
  const seen: string[] = [];
  for await (const { data } of resumed) {
    seen.push(`${data!.orderEvents.kind} ${data!.orderEvents.newStatus}`);
    if (seen.length === 6) break;
  }
  expect(seen).toEqual([
    'UPDATED CONFIRMED',
    'UPDATED CONFIRMED',
    'UPDATED CONFIRMED',
    'UPDATED PROCESSING',
    'UPDATED CANCELLED',
    'UPDATED PROCESSING',
  ]);
  await Promise.all([atGrocer, atTailor, status].map((stream) => stream.end()));
}, 60_000);

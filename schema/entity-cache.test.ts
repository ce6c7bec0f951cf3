import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createEntityStore, type EntityStore } from '../gateway/cache/entity-store.ts';
import { openGatewayForTest, type TestGateway } from '../gateway/testing/open-gateway.ts';
import { httpTransport } from '#shared/transport/http-transport.ts';
import type { Viewer } from '#shared/base/identity.ts';
import { serve } from '#shared/transport/server.ts';
import { viewer } from '#shared/testing/open.ts';
import type { SubgraphTransport } from '#shared/kit/transport.ts';
import type { Data } from './market/test-door.ts';
import { openMarket, type OpenMarket } from './market/test-market.ts';

/* What buyers are shown of the shop is kept in Redis, and is never older than the last event about it. */

let market: OpenMarket;
let store: EntityStore;
let gateway: TestGateway;
/** Entities that subgraphs were asked for, such as `Vendor ven_1`. */
let asked: string[] = [];

beforeAll(async () => {
  market = await openMarket();
  // What is said of the market's making is said before anybody looks.
  await market.app.settled();
  const { redis, redisPrefix: prefix } = market.app.context();
  store = createEntityStore({ redis, prefix, patienceMs: 5_000 });
  const runtimes = [...market.app.host.runtimes.values()];
  const transports = Object.fromEntries(runtimes.map((runtime) => [runtime.name, noting(runtime)]));
  gateway = await openGatewayForTest({ subgraphs: runtimes, transports, entityStore: store });
}, 60_000);
afterAll(async () => {
  await gateway?.close();
  await market?.close();
});

const noting = (subgraph: SubgraphTransport): SubgraphTransport => ({
  subscribe: (request) => subgraph.subscribe(request),
  execute(request) {
    const representations = (request.variables?.['representations'] ?? []) as { __typename: string; id: string }[];
    asked.push(...representations.map(({ __typename, id }) => `${__typename} ${id}`));
    return subgraph.execute(request);
  },
});

const SHOWN = `variant { name price { amount } product { name description isPublished media { alt } } } vendor { name state }`;

let people = 0;
const newBuyer = (): Viewer => viewer(`usr_shown${(people += 1)}`, ['customer']);
/** Somebody with one thing in the cart, who looks at it. */
async function withCart(variantId: string, { who = newBuyer(), at = gateway }: { who?: Viewer; at?: TestGateway } = {}) {
  await market.door.done('orders', who, 'addToCart', { variantId, quantity: 1 }, 'cart { id }');
  const token = await gateway.tokenFor(who);
  return async (): Promise<Data> => {
    const { data, errors } = await at.ask(`{ cart { lines { ${SHOWN} } } }`, {}, { token });
    expect(errors).toBeUndefined();
    return data.cart.lines[0];
  };
}

/** A mutation as its owner sends it, on its way through the gateway. */
async function change(who: Viewer, mutation: string, input: object): Promise<void> {
  const type = `${mutation[0]!.toUpperCase()}${mutation.slice(1)}Input!`;
  const query = `mutation ($input: ${type}) { ${mutation}(input: $input) { userErrors { code path } } }`;
  const { data, errors } = await gateway.ask(query, { input }, { token: await gateway.tokenFor(who) });
  expect([errors, data?.[mutation]]).toEqual([undefined, { userErrors: [] }]);
}

test('what one buyer was shown is shown to the next one without asking the catalog or the vendors again', async () => {
  const { goods } = market;
  const [one, other] = [await withCart(goods.meal), await withCart(goods.meal)];
  const first = await one();
  asked = [];

  expect(await other()).toEqual(first);
  expect(first).toMatchObject({
    variant: { price: { amount: '185.50' }, product: { name: 'Mealie Meal 25 kg' } },
    vendor: { state: 'ACTIVE' },
  });
  expect(asked).toEqual([]);
  expect((await (await fetch(gateway.url.replace('graphql', 'health'))).json()) as object).toMatchObject({ entityCache: store.counters });
});

test('a catalog of another process says of its products as well that they are the same for everybody', async () => {
  const { app, goods } = market;
  const served = await serve(app.runtime('catalog'), { port: 0 });
  const remote = httpTransport('catalog', served.url);
  const runtimes = [...app.host.runtimes.values()];
  const others = Object.fromEntries(app.host.runtimes);
  const { redis } = app.context();
  const apart = createEntityStore({ redis, prefix: `${app.context().redisPrefix}:apart`, patienceMs: 5_000 });
  const far = await openGatewayForTest({ subgraphs: runtimes, transports: { ...others, catalog: remote }, entityStore: apart });
  const [one, other] = [await withCart(goods.shirt, { at: far }), await withCart(goods.shirt, { at: far })];
  const first = await one();

  expect(await other()).toEqual(first);
  expect(first).toMatchObject({ variant: { product: { name: 'Linen Shirt' } } });
  expect(apart.counters).toEqual({ hits: 2, misses: 2, stale: 0, stored: 2 });
  await far.close();
  await remote.close();
  await served.close();
});

describe('the next buyer sees at once', () => {
  const versions = async (): Promise<Data> => {
    const { data } = await market.gateway.ask(`{ variant(id: "${market.goods.oil}") { version product { version } } }`);
    return data.variant;
  };
  const changes: [string, () => Promise<void>, object][] = [
    [
      'another name of a product',
      async () =>
        change(market.grocer.owner, 'updateProduct', {
          id: market.products.oil,
          expectedVersion: (await versions()).product.version,
          name: 'Best Oil',
        }),
      { variant: { product: { name: 'Best Oil' } } },
    ],
    [
      'another price of a variant',
      async () =>
        change(market.grocer.owner, 'updateVariant', {
          id: market.goods.oil,
          expectedVersion: (await versions()).version,
          price: { amount: '12.50', currency: 'ZMW' },
        }),
      { variant: { price: { amount: '12.50' } } },
    ],
    [
      'another name of a store',
      async () => {
        const { data } = await market.gateway.ask(`{ vendor(id: "${market.grocer.id}") { version } }`);
        await change(market.grocer.owner, 'updateVendor', {
          id: market.grocer.id,
          expectedVersion: data.vendor.version,
          name: 'Fresh Grocers',
        });
      },
      { vendor: { name: 'Fresh Grocers' } },
    ],
  ];

  test.each(changes)('%s', async (_case, changed, expected) => {
    const [one, other] = [await withCart(market.goods.oil), await withCart(market.goods.oil)];
    await one();
    await one();
    asked = [];
    await changed();

    expect(await other()).toMatchObject(expected);
    expect(asked).not.toEqual([]);
    expect(await one()).toEqual(await other());
  });

  test('another name of a category, wherever it stands in the tree', async () => {
    const { admin, categoryId } = market;
    const query = `{ product(id: "${market.products.shirt}") { categories { name ancestors { id } } } }`;
    const categories = async (): Promise<Data> => (await gateway.ask(query)).data.product.categories;
    await categories();
    asked = [];
    expect(await categories()).toEqual([{ name: 'Everyday', ancestors: [] }]);
    expect(asked).toEqual([]);

    const { category } = await market.door.done('categories', admin, 'createCategory', { name: 'All' }, 'category { id }');
    await change(admin, 'moveCategory', { id: categoryId, newParentId: category.id });
    expect(await categories()).toEqual([{ name: 'Everyday', ancestors: [{ id: category.id }] }]);
  });
});

describe('nobody but its members is shown', () => {
  const { hidden, shown } = { hidden: { variant: null }, shown: { variant: { product: { name: expect.any(String) } } } };

  test.each([
    ['unpublished', 'unpublishProduct'],
    ['archived', 'archiveProduct'],
    ['deleted', 'deleteProduct'],
  ])('a product that was %s, whoever looked at it before and since', async (_case, mutation) => {
    const { tailor } = market;
    const { product } = await market.door.done(
      'catalog',
      tailor.owner,
      'createProduct',
      { vendorId: tailor.id, name: `Kept ${mutation}`, variants: [{ sku: mutation, price: { amount: '5.00', currency: 'ZMW' } }] },
      'product { id variants { id } }',
    );
    const variantId: string = product.variants[0].id;
    await change(tailor.owner, 'publishProduct', { id: product.id });
    const [buyer, owner] = [await withCart(variantId), await withCart(variantId, { who: tailor.owner })];
    expect(await buyer()).toMatchObject(shown);
    expect(await owner()).toMatchObject(shown);

    await change(tailor.owner, mutation, { id: product.id });
    const ofOwner = await owner();

    expect(await buyer()).toMatchObject(hidden);
    expect(ofOwner).toMatchObject({ variant: { product: { isPublished: false } } });
    expect(await owner()).toEqual(ofOwner);
    await market.door.done('orders', tailor.owner, 'clearCart', {}, 'cart { id }');
  });

  test('what a suspended store sells, from the moment the catalog knows of it, until it is let in again', async () => {
    const { goods, tokyo, admin } = market;
    const buyer = await withCart(goods.tea);
    expect(await buyer()).toMatchObject({ ...shown, vendor: { state: 'ACTIVE' } });

    await change(admin, 'suspendVendor', { id: tokyo.id, reason: 'It does not answer.' });
    expect(await buyer()).toMatchObject({ vendor: { state: 'SUSPENDED' } });
    await market.app.settled();
    expect(await buyer()).toMatchObject(hidden);

    await change(admin, 'reinstateVendor', { id: tokyo.id });
    await market.app.settled();
    expect(await buyer()).toMatchObject({ ...shown, vendor: { state: 'ACTIVE' } });
  });

  test('a product after its last day: it is not kept for longer', async () => {
    const { redis, redisPrefix } = market.app.context();
    const { goods, products, tailor } = market;
    const unpublishAt = new Date(market.app.clock.now().getTime() + 90_000).toISOString();
    await change(tailor.owner, 'publishProduct', { id: products.pot, unpublishAt });
    const known = new Set(await redis.keys(`${redisPrefix}:entity:*`));

    await (
      await withCart(goods.pot)
    )();

    const added = (await redis.keys(`${redisPrefix}:entity:*`)).filter((key) => !known.has(key));
    const left = await Promise.all(added.map((key) => redis.ttl(key)));
    expect(Math.min(...left)).toBeGreaterThan(30);
    expect(Math.min(...left)).toBeLessThanOrEqual(90);
  });
});

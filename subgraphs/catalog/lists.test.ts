import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Data } from '#shared/testing/open.ts';
import { categoryDeleted, categoryMoved } from '../categories/contract.ts';
import { aProduct, admin, ann, ben, hear, openMarket, PRODUCT, published, topCodes, zmw, type Market } from './testing.ts';

let market: Market;
const ids: Record<string, string> = {};

/** name, price, categories, tags, grams */
const GOODS: [string, string, string[], string[], number][] = [
  ['Maize meal', '120.00', ['cat_maize'], ['fresh', 'local'], 1_000],
  ['maize (100%)', '80.00', ['cat_maize'], ['dry'], 500],
  ['Maïs doux', '95.50', ['cat_grain'], ['fresh'], 250],
  ['Sorghum', '60.00', ['cat_grain'], [], 750],
  ['Shoes .* red', '300.00', ['cat_shoes'], [], 900],
  ['100% cotton shoes', '250.00', ['cat_shoes'], ['local'], 400],
];

beforeAll(async () => {
  market = await openMarket();
  const attribute = (input: Record<string, unknown>) =>
    market.change('createAttribute', { name: 'Name', ...input }, 'attribute { id }', admin);
  ids['grams'] = (await attribute({ code: 'grams', type: 'NUMBER', filterable: true })).attribute.id;
  ids['kind'] = (
    await attribute({
      code: 'kind',
      type: 'SELECT',
      filterable: true,
      options: [
        { value: 'food', label: 'Food' },
        { value: 'wear', label: 'Wear' },
      ],
    })
  ).attribute.id;
  ids['organic'] = (await attribute({ code: 'organic', type: 'BOOLEAN', filterable: true })).attribute.id;
  ids['maker'] = (await attribute({ code: 'maker', type: 'TEXT' })).attribute.id;
  for (const [index, [name, price, categoryIds, tags, number]] of GOODS.entries()) {
    const attributes = [
      { attributeId: ids['grams'], number },
      { attributeId: ids['kind'], options: [categoryIds[0] === 'cat_shoes' ? 'wear' : 'food'] },
      { attributeId: ids['organic'], boolean: index % 2 === 0 },
    ];
    await published(market, { name, categoryIds, tags, attributes, variants: [{ sku: `G-${index}`, price: zmw(price) }] });
  }
  await published(
    market,
    { vendorId: 'ven_b', name: 'Maze', categoryIds: ['cat_food'], variants: [{ sku: 'B-1', price: { amount: '100', currency: 'JPY' } }] },
    ben,
  );
});
afterAll(() => market.close());

const LIST =
  'query ($where: ProductWhere, $sort: [ProductSort!], $first: Int, $after: Cursor, $last: Int, $before: Cursor) { products(where: $where, sort: $sort, first: $first, after: $after, last: $last, before: $before) { nodes { name } edges { cursor node { name } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } totalCount } }';

const list = (variables: Record<string, unknown> = {}) => market.app.ask(LIST, variables, { as: null });
const namesOf = ({ data }: { data: Data }): string[] => data.products.nodes.map(({ name }: { name: string }) => name);
const names = async (where: Record<string, unknown>, sort: unknown = [{ field: 'NAME' }]) => namesOf(await list({ where, sort }));

describe('products', () => {
  test('are newest first', async () => {
    expect(namesOf(await list())).toEqual(['Maze', ...GOODS.map(([name]) => name).reverse()]);
  });

  test.each<[string, Record<string, unknown>[], string[]]>([
    [
      'by name, without regard to case and accents',
      [{ field: 'NAME' }],
      ['100% cotton shoes', 'Maïs doux', 'maize (100%)', 'Maize meal', 'Maze', 'Shoes .* red', 'Sorghum'],
    ],
    [
      'by price',
      [{ field: 'PRICE', direction: 'DESC' }],
      ['Shoes .* red', '100% cotton shoes', 'Maize meal', 'Maïs doux', 'maize (100%)', 'Sorghum', 'Maze'],
    ],
    ['oldest first', [{ field: 'CREATED_AT', direction: 'ASC' }], [...GOODS.map(([name]) => name), 'Maze']],
  ])('can be sorted %s', async (_case, sort, expected) => {
    expect(await names({}, sort)).toEqual(expected);
  });

  test.each<[string, Record<string, unknown>, string[]]>([
    ['a category with those below it', { categoryId: 'cat_grain' }, ['Maïs doux', 'maize (100%)', 'Maize meal', 'Sorghum']],
    ['a category that is not there', { categoryId: 'cat_none' }, []],
    ['a vendor', { vendorId: { eq: 'ven_b' } }, ['Maze']],
    ['a price range, in one currency', { price: { currency: 'ZMW', gte: '80.00', lt: '120' } }, ['Maïs doux', 'maize (100%)']],
    ['a tag', { tags: { eq: 'local' } }, ['100% cotton shoes', 'Maize meal']],
    ['one of some tags', { tags: { in: ['dry', 'local'] } }, ['100% cotton shoes', 'maize (100%)', 'Maize meal']],
    ['the beginning of the name', { nameStartsWith: 'MAI' }, ['Maïs doux', 'maize (100%)', 'Maize meal']],
    ['a beginning with signs that mean something elsewhere', { nameStartsWith: 'maize (' }, ['maize (100%)']],
    ['a beginning that would match everything if it were a pattern', { nameStartsWith: '.*' }, []],
    ['a beginning that is a pattern', { nameStartsWith: 'ma[iz]' }, []],
    ['a beginning with an accent', { nameStartsWith: 'maïs' }, ['Maïs doux']],
    ['either of two conditions', { OR: [{ nameStartsWith: 'sorg' }, { vendorId: { eq: 'ven_b' } }] }, ['Maze', 'Sorghum']],
    ['all of several', { AND: [{ tags: { eq: 'fresh' } }, { categoryId: 'cat_maize' }] }, ['Maize meal']],
  ])('can be narrowed to %s', async (_case, where, expected) => {
    expect(await names(where)).toEqual(expected);
  });

  test('can be narrowed by filterable attributes', async () => {
    const by = (...attributes: Record<string, unknown>[]) => names({ attributes });

    expect(await by({ attributeId: ids['grams'], gte: 500, lte: 900 })).toEqual(['maize (100%)', 'Shoes .* red', 'Sorghum']);
    expect(await by({ attributeId: ids['kind'], in: ['wear'] })).toEqual(['100% cotton shoes', 'Shoes .* red']);
    expect(await by({ attributeId: ids['organic'], is: true }, { attributeId: ids['kind'], in: ['food', 'wear'] })).toEqual([
      'Maïs doux',
      'Maize meal',
      'Shoes .* red',
    ]);
  });

  test.each<[string, () => Record<string, unknown>, (string | number)[]]>([
    [
      'an attribute that is not filterable',
      () => ({ where: { attributes: [{ attributeId: ids['maker'], in: ['x'] }] } }),
      ['where', 'attributes', 0, 'attributeId'],
    ],
    [
      'an attribute that is not there',
      () => ({ where: { OR: [{ attributes: [{ attributeId: 'att_none', is: true }] }] } }),
      ['where', 'OR', 0, 'attributes', 0, 'attributeId'],
    ],
    ['an attribute without a condition', () => ({ where: { attributes: [{ attributeId: ids['grams'] }] } }), ['where', 'attributes', 0]],
    ['11 attributes', () => ({ where: { attributes: Array(11).fill({ attributeId: ids['grams'], gte: 1 }) } }), ['where', 'attributes']],
    [
      '51 values',
      () => ({ where: { attributes: [{ attributeId: ids['kind'], in: Array(51).fill('x') }] } }),
      ['where', 'attributes', 0, 'in'],
    ],
    ['an empty beginning', () => ({ where: { nameStartsWith: ' ' } }), ['where', 'nameStartsWith']],
    ['a beginning of 65 characters', () => ({ where: { nameStartsWith: 'x'.repeat(65) } }), ['where', 'nameStartsWith']],
    ['a NUL in the beginning', () => ({ where: { nameStartsWith: 'a\0' } }), ['where', 'nameStartsWith']],
    ['251 vendors', () => ({ where: { vendorId: { in: Array(251).fill('x') } } }), ['where', 'vendorId', 'in']],
    ['no branches', () => ({ where: { OR: [] } }), ['where', 'OR']],
    [
      'conditions five deep',
      () => ({ where: { AND: [{ AND: [{ AND: [{ AND: [{ tags: { eq: 'x' } }] }] }] }] } }),
      ['where', 'AND', 0, 'AND', 0, 'AND', 0, 'AND', 0],
    ],
    ['a price in a currency that is none', () => ({ where: { price: { currency: 'ZMW', gt: '1.001' } } }), ['where', 'price', 'gt']],
    ['101 at once', () => ({ first: 101 }), ['first']],
    ['a negative number', () => ({ first: -1 }), ['first']],
    ['both ends', () => ({ first: 1, last: 1 }), ['last']],
  ])('refuses %s', async (_case, variables, path) => {
    const { errors } = await list(variables());

    expect(errors?.[0]?.extensions).toMatchObject({ code: 'INVALID', path });
  });

  test('refuses cursors of other lists and garbage', async () => {
    const { data } = await list({ first: 1, sort: [{ field: 'NAME' }] });
    const cursor = data.products.pageInfo.endCursor;

    for (const after of ['garbage', cursor.slice(0, -2), cursor]) {
      expect(topCodes(await list({ first: 1, after, sort: [{ field: 'PRICE' }] }))).toEqual(['INVALID_CURSOR']);
    }
  });

  test('are paged in both directions without a gap', async () => {
    const seen = [];
    let after = null;
    do {
      const { data }: { data: Data } = await list({ first: 3, after, sort: [{ field: 'PRICE' }] });
      seen.push(...data.products.nodes.map(({ name }: { name: string }) => name));
      expect(data.products.totalCount).toBe(7);
      after = data.products.pageInfo.hasNextPage ? data.products.pageInfo.endCursor : null;
    } while (after);
    const { data } = await list({ last: 2, sort: [{ field: 'PRICE' }] });

    expect(seen).toEqual(await names({}, [{ field: 'PRICE' }]));
    expect(namesOf({ data })).toEqual(seen.slice(-2));
    expect(data.products.pageInfo).toMatchObject({ hasPreviousPage: true, hasNextPage: false });
  });

  test('of a vendor and of a category are their fields', async () => {
    const representations = [
      { __typename: 'Vendor', id: 'ven_b' },
      { __typename: 'Category', id: 'cat_food' },
      { __typename: 'Category', id: 'cat_food' },
    ];
    const selection =
      '... on Vendor { id products { nodes { name } } } ... on Category { id products(first: 2, sort: [{ field: NAME }], where: { vendorId: { eq: "ven_a" } }) { totalCount nodes { name } } }';

    const { data, errors } = await market.app.entities(representations, selection, { as: null });

    expect(errors).toBeUndefined();
    expect(data._entities[0]).toMatchObject({ id: 'ven_b', products: { nodes: [{ name: 'Maze' }] } });
    expect(data._entities[1]).toEqual({
      __typename: 'Category',
      id: 'cat_food',
      products: { totalCount: 4, nodes: [{ name: 'Maïs doux' }, { name: 'maize (100%)' }] },
    });
    const narrowed = await market.app.entities(
      [representations[0]!],
      '... on Vendor { products(where: { vendorId: { eq: "ven_a" } }) { nodes { name } } }',
      { as: null },
    );
    expect(narrowed.data._entities[0].products.nodes).toEqual([]);
  });

  test('are asked for by at most 100 ids of variants', async () => {
    const asked = await market.app.ask('query ($ids: [ID!]!) { variants(ids: $ids) { id } }', { ids: Array(101).fill('var_x') });

    expect(topCodes(asked)).toEqual(['INVALID']);
  });
});

/** Counts what the store is asked while `work` runs. */
async function storeReads(of: Market, work: () => Promise<unknown>): Promise<number> {
  const { Product } = of.app.context().models;
  const original = Product.find;
  let reads = 0;
  Product.find = function counted(...args: unknown[]) {
    reads += 1;
    return original.apply(this, args);
  };
  try {
    await work();
  } finally {
    delete Product.find;
  }
  return reads;
}

/** The fewest of some tries: on a busy machine a reader may give Redis up and ask the store instead. */
async function fewestReads(of: Market, work: () => Promise<unknown>): Promise<number> {
  let fewest = Infinity;
  for (let turn = 0; turn < 8 && fewest > 0; turn += 1) {
    if (turn > 0) await new Promise((resolve) => setTimeout(resolve, 250));
    fewest = Math.min(fewest, await storeReads(of, work));
  }
  return fewest;
}

describe('the cache', () => {
  const ONE = 'query ($id: ID!) { product(id: $id) { name } }';

  test('answers everyone from what one has read, until it is changed', async () => {
    await using fresh = await openMarket();
    const { id } = await published(fresh, { name: 'Old' });
    await fresh.app.settled();
    const read = (as: typeof ann | null = null) => fresh.app.ask(ONE, { id }, { as });

    expect(await storeReads(fresh, () => read())).toBe(1);
    expect(await fewestReads(fresh, async () => [await read(), await read(ben), await read(ann)])).toBe(0);

    await fresh.change('updateProduct', { id, expectedVersion: 2, name: 'New' }, PRODUCT);
    expect((await read()).data.product.name).toBe('New');
  });

  test.each<[string, string]>([
    ['products:page', '{ products { nodes { name } totalCount } }'],
    ['products:category', '{ products(where: { categoryId: "cat_food" }) { nodes { name } totalCount } }'],
    ['products:search', '{ products(where: { nameStartsWith: "o" }) { nodes { name } totalCount } }'],
  ])('keeps %s under its own name', async (prefix, query) => {
    await using fresh = await openMarket();
    await published(fresh, { name: 'One', categoryIds: ['cat_food'] });
    await fresh.app.settled();

    const first = await fresh.app.ask(query, {}, { as: null });
    const reads = await fewestReads(fresh, async () => expect(await fresh.app.ask(query, {}, { as: ben })).toEqual(first));

    expect(reads).toBe(0);
    expect(first.data.products).toEqual({ nodes: [{ name: 'One' }], totalCount: 1 });
    expect((await keysOf(fresh)).filter((key) => key.includes(`:cache:${prefix}:`)).length).toBeGreaterThan(0);
  });

  test('lists a new product at once on pages and in categories', async () => {
    await using fresh = await openMarket();
    const both = '{ all: products { nodes { name } } food: products(where: { categoryId: "cat_food" }) { nodes { name } } }';
    const read = async () => (await fresh.app.ask(both, {}, { as: null })).data;
    await published(fresh, { name: 'One', categoryIds: ['cat_food'] });
    expect(await read()).toEqual({ all: { nodes: [{ name: 'One' }] }, food: { nodes: [{ name: 'One' }] } });

    await published(fresh, { name: 'Two', categoryIds: ['cat_food'] });

    expect(await read()).toEqual({
      all: { nodes: [{ name: 'Two' }, { name: 'One' }] },
      food: { nodes: [{ name: 'Two' }, { name: 'One' }] },
    });
  });

  test('leaves out of a kept search what is hidden since', async () => {
    await using fresh = await openMarket();
    const query = '{ products(where: { nameStartsWith: "o" }) { nodes { name } } }';
    const { id } = await published(fresh, { name: 'One' });
    expect((await fresh.app.ask(query)).data.products.nodes).toHaveLength(1);

    await fresh.change('archiveProduct', { id }, PRODUCT);

    expect((await fresh.app.ask(query)).data.products.nodes).toEqual([]);
  });

  test('never holds what is shown to members only', async () => {
    await using fresh = await openMarket();
    const { product } = await fresh.change('createProduct', aProduct({ name: 'Hidden' }), PRODUCT);
    const own = '{ products(where: { vendorId: { eq: "ven_a" }, state: { eq: DRAFT } }) { nodes { name } } }';
    expect((await fresh.app.ask(own)).data.products.nodes).toEqual([{ name: 'Hidden' }]);

    const stranger = await fresh.app.ask('{ products(where: { vendorId: { eq: "ven_a" } }) { nodes { name } } }', {}, { as: null });
    const byId = await fresh.app.ask(ONE, { id: product.id }, { as: null });

    expect([stranger.data.products.nodes, byId.data.product]).toEqual([[], null]);
  });

  test('forgets pages of categories when categories change, and drops those that are gone', async () => {
    await using fresh = await openMarket();
    const timestamp = new Date().toISOString();
    const { id } = await published(fresh, { categoryIds: ['cat_food', 'cat_shoes'] });
    await fresh.app.settled();
    const query = '{ products(where: { categoryId: "cat_shoes" }) { nodes { categories { id } } } }';
    const read = () => fresh.app.ask(query, {}, { as: null });
    await read();
    expect(await fewestReads(fresh, read)).toBe(0);

    await hear(fresh.app, categoryMoved({ categoryId: 'cat_shoes', parentId: null, timestamp }), { id: 'evt_1', at: new Date() });
    expect(await storeReads(fresh, read)).toBeGreaterThan(0);

    await hear(fresh.app, categoryDeleted({ categoryId: 'cat_food', timestamp }), { id: 'evt_2', at: new Date() });
    expect((await read()).data.products.nodes).toEqual([{ categories: [{ id: 'cat_shoes' }] }]);
    expect((await fresh.app.said('Product.Updated')).at(-1)?.data).toMatchObject({ productId: id, changes: ['categoryIds'] });
  });

  test('keeps things as long as it is told', async () => {
    await using fresh = await openMarket({
      CACHE_PRODUCT_SECONDS: '700',
      CACHE_PRODUCT_PAGE_SECONDS: '800',
      CACHE_PRODUCT_CATEGORY_SECONDS: '900',
      CACHE_PRODUCT_SEARCH_SECONDS: '1000',
    });
    const { id } = await published(fresh, { categoryIds: ['cat_food'] });
    // Our own events take away what is kept.
    await fresh.app.settled();
    await fresh.app.ask(
      'query ($id: ID!) { product(id: $id) { id } a: products { nodes { id } } b: products(where: { categoryId: "cat_food" }) { nodes { id } } c: products(where: { nameStartsWith: "t" }) { nodes { id } } }',
      { id },
      { as: null },
    );
    const times: Record<string, number> = {};
    for (const key of await keysOf(fresh)) {
      const kind = /:cache:(product|products:[a-z]+):/.exec(key)?.[1];
      if (kind) times[kind] = await fresh.app.host.redis.ttl(key);
    }

    expect(Object.keys(times).sort()).toEqual(['product', 'products:category', 'products:page', 'products:search']);
    for (const [kind, seconds] of Object.entries({
      product: 700,
      'products:page': 800,
      'products:category': 900,
      'products:search': 1_000,
    })) {
      expect(times[kind]).toBeGreaterThan(seconds - 10);
      expect(times[kind]).toBeLessThanOrEqual(seconds);
    }
  });
});

/** What this market keeps in Redis; others use the same one. */
const keysOf = (of: Market): Promise<string[]> => of.app.host.redis.keys(`${of.app.runtime().db.name.replace(/_catalog$/, '')}*`);

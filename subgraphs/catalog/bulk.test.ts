import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Data } from '#shared/testing/open.ts';
import { aProduct, ann, ben, codesOf, openMarket, PRODUCT, topCodes, zmw, type Market } from './testing.ts';

let market: Market;
let kind: string;
let size: string;
beforeAll(async () => {
  market = await openMarket();
  const attribute = (input: Record<string, unknown>) =>
    market.change('createAttribute', { vendorId: 'ven_a', name: 'Name', ...input }, 'attribute { id }');
  kind = (await attribute({ code: 'kind', type: 'TEXT' })).attribute.id;
  size = (await attribute({ code: 'size', type: 'TEXT', variantAxis: true })).attribute.id;
});
afterAll(() => market.close());

const ERRORS = 'userErrors { __typename code path ... on StaleVersionError { currentVersion } }';
const RESULTS = `results { index product { id name slug version state tags categories { id } attributes { text } variants { id sku price { amount } } } ${ERRORS} }`;

interface Bulk {
  results: Data;
  count: number;
  userErrors: Data;
}

async function bulk(
  name: 'Create' | 'Update',
  products: unknown[],
  more: Record<string, unknown> = {},
  as = ann,
): Promise<Bulk & { errors: Data }> {
  const field = `bulk${name}Products`;
  const count = name === 'Create' ? 'createdCount' : 'updatedCount';
  const query = `mutation ($input: Bulk${name}ProductsInput!) { ${field}(input: $input) { ${RESULTS} ${count} userErrors { __typename code path ... on BulkRejectedError { results { index ${ERRORS} } } } } }`;
  const asked = await market.app.ask(query, { input: { vendorId: 'ven_a', products, ...more } }, { as });
  const payload = asked.data?.[field];
  return { results: payload?.results, count: payload?.[count], userErrors: payload?.userErrors, errors: asked };
}

let turn = 0;
const entry = (more: Record<string, unknown> = {}): Record<string, unknown> => {
  turn += 1;
  return { name: `Bulk ${turn}`, variants: [{ sku: `B-${turn}`, price: zmw('1.00') }], ...more };
};

const pathsOf = (errors: Data): string[] => errors.map(({ code, path }: { code: string; path: string[] }) => `${code} ${path.join('.')}`);

describe('bulkCreateProducts', () => {
  test('makes 250 products in one step', async () => {
    const before = (await market.app.said('Product.Created')).length;

    const { results, count, userErrors } = await bulk(
      'Create',
      Array.from({ length: 250 }, () => entry()),
    );

    expect([count, userErrors]).toEqual([250, []]);
    expect(results.map(({ index }: { index: number }) => index)).toEqual([...Array(250).keys()]);
    expect(results.every(({ product }: Data) => product.version === 1)).toBe(true);
    expect((await market.app.said('Product.Created')).length - before).toBe(250);
  });

  test('makes none when one is wrong, and tells of each', async () => {
    const { ProductCount } = { ProductCount: () => market.app.context().models.Product.countDocuments() };
    const before = await ProductCount();
    const products = [
      entry(),
      entry({ name: '' }),
      entry({ categoryIds: ['cat_none'], slug: 'Not A Slug' }),
      entry({ categoryIds: ['cat_none'] }),
    ];

    const { results, userErrors } = await bulk('Create', products);

    expect(results).toBeNull();
    expect(userErrors).toMatchObject([{ __typename: 'BulkRejectedError', code: 'REJECTED', path: ['input', 'products'] }]);
    expect(userErrors[0].results.map(({ userErrors: errors }: Data) => pathsOf(errors))).toEqual([
      [],
      ['INVALID input.products.1.name'],
      ['INVALID input.products.2.slug'],
      ['NOT_FOUND input.products.3.categoryIds.0'],
    ]);
    expect(await ProductCount()).toBe(before);
  });

  test('leaves out entries that are wrong, and what they had taken is free for the next', async () => {
    const slug = `free-${turn}`;
    const products = [
      entry({ slug, categoryIds: ['cat_none'], variants: [{ sku: 'FREE', price: zmw('1.00') }] }),
      entry({ slug, variants: [{ sku: 'FREE', price: zmw('1.00') }] }),
      entry({ slug }),
      entry({ variants: [{ sku: 'FREE', price: zmw('1.00') }] }),
    ];

    const { results, count, userErrors } = await bulk('Create', products, { errorPolicy: 'REJECT_FAILED_ROWS' });

    expect([count, userErrors]).toEqual([1, []]);
    expect(results.map(({ product }: Data) => product?.slug ?? null)).toEqual([null, slug, null, null]);
    expect(results.map(({ userErrors: errors }: Data) => pathsOf(errors))).toEqual([
      ['NOT_FOUND input.products.0.categoryIds.0'],
      [],
      ['SLUG_TAKEN input.products.2.slug'],
      ['SKU_TAKEN input.products.3.variants.0.sku'],
    ]);
  });

  test('takes what is right about an entry when the rest is to be ignored', async () => {
    const variants = [
      { sku: 'I-1', price: zmw('-1.00') },
      { sku: 'I-2', price: { amount: '5', currency: 'JPY' } },
      { sku: 'I-3', price: zmw('5.00') },
    ];
    const wrong = entry({
      variants,
      tags: ['ok', ''],
      categoryIds: ['cat_none', 'cat_food'],
      attributes: [
        { attributeId: 'att_none', text: 'x' },
        { attributeId: kind, text: 'dry' },
      ],
    });

    const { results, count } = await bulk('Create', [wrong, entry({ name: '' })], { errorPolicy: 'IGNORE_FAILED' });

    expect(count).toBe(1);
    expect(results[0].product).toMatchObject({
      tags: ['ok'],
      categories: [{ id: 'cat_food' }],
      attributes: [{ text: 'dry' }],
      variants: [{ sku: 'I-3' }],
    });
    expect(pathsOf(results[0].userErrors).sort()).toEqual([
      'CURRENCY_MISMATCH input.products.0.variants.1.price.currency',
      'INVALID input.products.0.tags.1',
      'INVALID input.products.0.variants.0.price.amount',
      'NOT_FOUND input.products.0.attributes.0.attributeId',
      'NOT_FOUND input.products.0.categoryIds.0',
    ]);
    expect(results[1]).toMatchObject({ product: null });
  });

  test('makes products that are seen at once, and drafts of those that cannot be, as the policy says', async () => {
    const products = () => [entry({ publication: {} }), entry({ publication: {}, variants: [] }), entry()];
    const statesOf = ({ results }: Bulk) => results.map(({ product }: Data) => product?.state ?? null);
    const why = ['NOTHING_TO_SELL input.products.1.publication'];

    const rejected = await bulk('Create', products());
    const failed = await bulk('Create', products(), { errorPolicy: 'REJECT_FAILED_ROWS' });
    const ignored = await bulk('Create', products(), { errorPolicy: 'IGNORE_FAILED' });

    expect(pathsOf(rejected.userErrors[0].results[1].userErrors)).toEqual(why);
    expect(statesOf(failed)).toEqual(['PUBLISHED', null, 'DRAFT']);
    expect(statesOf(ignored)).toEqual(['PUBLISHED', 'DRAFT', 'DRAFT']);
    for (const { results } of [failed, ignored]) expect(pathsOf(results[1].userErrors)).toEqual(why);
  });

  test('gives products of one name slugs of their own', async () => {
    const { results } = await bulk('Create', [entry({ name: 'Same name' }), entry({ name: 'Same name' })]);

    expect(results.map(({ product }: Data) => product.slug)).toEqual(['same-name', 'same-name-2']);
  });

  test('answers again what it answered before', async () => {
    const products = [entry(), entry()];

    const first = await bulk('Create', products, { idempotencyKey: 'bulk-once' });
    const again = await bulk('Create', products, { idempotencyKey: 'bulk-once' });

    expect(again.results).toEqual(first.results);
  });

  test('refuses 251 entries, no entries, and strangers', async () => {
    const many = await bulk(
      'Create',
      Array.from({ length: 251 }, () => ({ name: 'x' })),
    );
    const none = await bulk('Create', []);
    const stranger = await bulk('Create', [entry()], {}, ben);

    expect([pathsOf(many.userErrors), pathsOf(none.userErrors)]).toEqual([['INVALID input.products'], ['INVALID input.products']]);
    expect(topCodes(stranger.errors)).toEqual(['FORBIDDEN']);
  });
});

describe('bulkUpdateProducts', () => {
  const made = async (count: number, more: Record<string, unknown> = {}): Promise<Data[]> =>
    (
      await bulk(
        'Create',
        Array.from({ length: count }, () => entry(more)),
      )
    ).results.map(({ product }: Data) => product);

  test('changes products and prices in one step', async () => {
    const products = await made(3);
    const changes = products.map(({ id, variants }, index) => ({
      id,
      expectedVersion: 1,
      tags: [`t${index}`],
      variants: [{ id: variants[0].id, expectedVersion: 1, price: zmw(`${index + 2}.00`) }],
    }));

    const { results, count } = await bulk('Update', changes);

    expect(count).toBe(3);
    expect(results.map(({ product }: Data) => [product.version, product.tags, product.variants[0].price.amount])).toEqual([
      [2, ['t0'], '2.00'],
      [2, ['t1'], '3.00'],
      [2, ['t2'], '4.00'],
    ]);
    expect((await market.app.said('Product.Updated')).slice(-3).map(({ data }) => data.changes)).toEqual(
      Array(3).fill(['tags', 'variants', 'price']),
    );
  });

  test('tells of each entry what is wrong, and takes the others if so asked', async () => {
    const [a, b, c, d] = await made(4);
    const changes = [
      { id: a.id, expectedVersion: 9, name: 'Stale' },
      { id: 'prd_none', expectedVersion: 1, name: 'None' },
      { id: b.id, expectedVersion: 1, slug: c.slug },
      { id: c.id, expectedVersion: 1, variants: [{ id: c.variants[0].id, expectedVersion: 5, price: zmw('2.00') }] },
      { id: d.id, expectedVersion: 1, name: 'Taken' },
      { id: d.id, expectedVersion: 1, name: 'Twice' },
    ];

    const rejected = await bulk('Update', changes);
    const { results, count } = await bulk('Update', changes, { errorPolicy: 'REJECT_FAILED_ROWS' });

    expect(codesOf(rejected)).toEqual(['REJECTED']);
    expect(count).toBe(1);
    expect(results.map(({ userErrors }: Data) => pathsOf(userErrors))).toEqual([
      ['STALE_VERSION input.products.0.expectedVersion'],
      ['NOT_FOUND input.products.1.id'],
      ['SLUG_TAKEN input.products.2.slug'],
      ['STALE_VERSION input.products.3.variants.0.expectedVersion'],
      [],
      ['INVALID input.products.5.id'],
    ]);
    expect(results[0].userErrors[0].currentVersion).toBe(1);
    expect(results[4].product.name).toBe('Taken');
  });

  test('takes what is right about an entry when the rest is to be ignored', async () => {
    const [a] = await made(1);
    const change = {
      id: a.id,
      expectedVersion: 1,
      name: 'Right',
      categoryIds: ['cat_none', 'cat_food'],
      variants: [{ id: 'var_none', expectedVersion: 1, sku: 'x' }],
    };

    const { results, count } = await bulk('Update', [change], { errorPolicy: 'IGNORE_FAILED' });

    expect(count).toBe(1);
    expect(results[0].product).toMatchObject({ name: 'Right', categories: [{ id: 'cat_food' }] });
    expect(pathsOf(results[0].userErrors)).toEqual([
      'NOT_FOUND input.products.0.categoryIds.0',
      'NOT_FOUND input.products.0.variants.0.id',
    ]);
  });

  test("does not reach another vendor's products", async () => {
    const { product } = await market.change('createProduct', aProduct({ vendorId: 'ven_b', variants: [] }), PRODUCT, ben);

    const { results } = await bulk('Update', [{ id: product.id, expectedVersion: 1, name: 'Mine' }], { errorPolicy: 'REJECT_FAILED_ROWS' });

    expect(pathsOf(results[0].userErrors)).toEqual(['NOT_FOUND input.products.0.id']);
    expect(topCodes((await bulk('Update', [{ id: product.id, expectedVersion: 1 }], { vendorId: 'ven_b' })).errors)).toEqual(['FORBIDDEN']);
  });

  test('checks the values of variants like any other change', async () => {
    const [a] = await made(1, { variantAxes: [size], variants: [] });
    await market.change(
      'createVariant',
      { productId: a.id, sku: `S-${a.id}`, price: zmw('1.00'), axisValues: [{ attributeId: size, text: 's' }] },
      'variant { id }',
    );
    const { data } = await market.app.ask('query ($id: ID!) { product(id: $id) { variants { id } } }', { id: a.id });
    const [{ id }] = data.product.variants;

    const { results } = await bulk('Update', [{ id: a.id, expectedVersion: 1, variants: [{ id, expectedVersion: 1, axisValues: [] }] }], {
      errorPolicy: 'REJECT_FAILED_ROWS',
    });

    expect(pathsOf(results[0].userErrors)).toEqual(['INVALID input.products.0.variants.0.axisValues']);
  });
});

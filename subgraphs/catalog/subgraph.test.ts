import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { isSignedIn } from '#shared/kit/permissions.ts';
import { findVariants } from './contract.ts';
import { permissions } from './permissions.ts';
import { aProduct, admin, ben, carl, codesOf, dora, openMarket, PRODUCT, published, topCodes, zmw, type Market } from './testing.ts';

let market: Market;
beforeAll(async () => {
  market = await openMarket();
});
afterAll(() => market.close());

describe('createProduct', () => {
  test('makes a draft with its variants and tells the world', async () => {
    const input = aProduct({
      name: 'Red Maïze Meal',
      description: ' Ground today. ',
      categoryIds: ['cat_maize', 'cat_food'],
      tags: ['Fresh', 'fresh', 'local'],
    });

    const { product, userErrors } = await market.change(
      'createProduct',
      input,
      'product { id name slug description tags state version isPublished vendor { id } categories { id } price { amount currency } availableActions variants { sku name price { amount } isForSale product { id } } }',
    );

    expect(userErrors).toEqual([]);
    expect(product).toEqual({
      id: expect.stringMatching(/^prd_/),
      name: 'Red Maïze Meal',
      slug: 'red-maize-meal',
      description: 'Ground today.',
      tags: ['fresh', 'local'],
      state: 'DRAFT',
      version: 1,
      isPublished: false,
      vendor: { id: 'ven_a' },
      categories: [{ id: 'cat_maize' }, { id: 'cat_food' }],
      price: zmw('10.00'),
      availableActions: ['PUBLISH', 'ARCHIVE'],
      variants: [{ sku: expect.any(String), name: '', price: { amount: '10.00' }, isForSale: false, product: { id: product.id } }],
    });
    const said = await market.app.said('Product.Created');
    expect(said.at(-1)?.data).toEqual({
      productId: product.id,
      vendorId: 'ven_a',
      category: 'cat_maize',
      price: { amount: 1000, currency: 'ZMW' },
      timestamp: expect.any(String),
    });
  });

  test('numbers the slug it makes when the name is taken', async () => {
    const slugs = [];
    for (let turn = 0; turn < 3; turn += 1)
      slugs.push((await market.change('createProduct', aProduct({ name: 'Twin' }), PRODUCT)).product.slug);

    expect(slugs).toEqual(['twin', 'twin-2', 'twin-3']);
  });

  test('lets two vendors use the same slug and SKU', async () => {
    const variants = (currency: string) => [{ sku: 'SAME', price: { amount: '100', currency } }];
    await market.change('createProduct', aProduct({ slug: 'same', variants: variants('ZMW') }), PRODUCT);

    const { product } = await market.change(
      'createProduct',
      aProduct({ vendorId: 'ven_b', slug: 'same', variants: variants('JPY') }),
      PRODUCT,
      ben,
    );

    expect(product).toMatchObject({ slug: 'same', variants: [{ sku: 'SAME', price: { amount: '100', currency: 'JPY' } }] });
  });

  test.each<[string, Record<string, unknown>, string, string[]]>([
    ['no name', { name: ' ' }, 'INVALID', ['name']],
    ['a name of 10,000 characters', { name: 'x'.repeat(10_000) }, 'INVALID', ['name']],
    ['a NUL in the name', { name: 'a\0b' }, 'INVALID', ['name']],
    ['a lone surrogate in the description', { description: 'a\ud800' }, 'INVALID', ['description']],
    ['a slug with capital letters', { slug: 'Red' }, 'INVALID', ['slug']],
    ['a category that is not there', { categoryIds: ['cat_food', 'cat_none'] }, 'NOT_FOUND', ['categoryIds', '1']],
    ['251 categories', { categoryIds: Array(251).fill('cat_food') }, 'INVALID', ['categoryIds']],
    ['251 tags', { tags: Array(251).fill('x') }, 'INVALID', ['tags']],
    ['101 variants', { variants: Array(101).fill({ sku: 'x', price: zmw('1.00') }) }, 'INVALID', ['variants']],
    [
      'an attribute that is not there',
      { attributes: [{ attributeId: 'att_none', text: 'x' }] },
      'NOT_FOUND',
      ['attributes', '0', 'attributeId'],
    ],
    ['an axis that is not there', { variantAxes: ['att_none'] }, 'NOT_FOUND', ['variantAxes', '0']],
    [
      'another currency',
      { variants: [{ sku: 'C1', price: { amount: '5', currency: 'JPY' } }] },
      'CURRENCY_MISMATCH',
      ['variants', '0', 'price', 'currency'],
    ],
    ['a price of 0', { variants: [{ sku: 'C2', price: zmw('0.00') }] }, 'INVALID', ['variants', '0', 'price', 'amount']],
    ['a negative price', { variants: [{ sku: 'C3', price: zmw('-1.00') }] }, 'INVALID', ['variants', '0', 'price', 'amount']],
    [
      'a huge price',
      { variants: [{ sku: 'C4', price: zmw('99999999999999999999') }] },
      'AMOUNT_TOO_LARGE',
      ['variants', '0', 'price', 'amount'],
    ],
    ['a third of a ngwee', { variants: [{ sku: 'C5', price: zmw('1.001') }] }, 'INVALID', ['variants', '0', 'price', 'amount']],
    [
      'a lower price to compare with',
      { variants: [{ sku: 'C6', price: zmw('2.00'), compareAtPrice: zmw('2.00') }] },
      'INVALID',
      ['variants', '0', 'compareAtPrice'],
    ],
    ['a negative weight', { variants: [{ sku: 'C7', price: zmw('2.00'), weightGrams: -1 }] }, 'INVALID', ['variants', '0', 'weightGrams']],
    ['a barcode with a space', { variants: [{ sku: 'C8', price: zmw('2.00'), barcode: '1 2' }] }, 'INVALID', ['variants', '0', 'barcode']],
    [
      'one SKU twice',
      {
        variants: [
          { sku: 'C9', price: zmw('2.00') },
          { sku: 'C9', price: zmw('2.00') },
        ],
      },
      'VARIANT_TAKEN',
      ['variants', '1', 'axisValues'],
    ],
    [
      'a metadata key twice',
      {
        metadata: [
          { key: 'a', value: '1' },
          { key: 'a', value: '2' },
        ],
      },
      'INVALID',
      ['metadata', '1', 'key'],
    ],
    ['a metadata key that is an operator', { metadata: [{ key: '$where', value: '1' }] }, 'INVALID', ['metadata', '0', 'key']],
  ])('refuses %s and makes nothing', async (_case, more, code, path) => {
    const before = await market.app.said('Product.Created');

    const payload = await market.change('createProduct', aProduct(more), PRODUCT);

    expect(payload.product).toBeNull();
    expect(payload.userErrors[0]).toMatchObject({ code, path: ['input', ...path] });
    expect(await market.app.said('Product.Created')).toHaveLength(before.length);
  });

  test('refuses a slug and a SKU that are taken', async () => {
    await market.change('createProduct', aProduct({ slug: 'taken', variants: [{ sku: 'TAKEN', price: zmw('1.00') }] }), PRODUCT);

    const slug = await market.change('createProduct', aProduct({ slug: 'taken' }), PRODUCT);
    const sku = await market.change('createProduct', aProduct({ variants: [{ sku: 'TAKEN', price: zmw('1.00') }] }), PRODUCT);

    expect(slug.userErrors[0]).toMatchObject({ code: 'SLUG_TAKEN', path: ['input', 'slug'] });
    expect(sku.userErrors[0]).toMatchObject({ code: 'SKU_TAKEN', path: ['input', 'variants', '0', 'sku'] });
  });

  test('makes one product for one idempotency key', async () => {
    const input = aProduct({ idempotencyKey: 'create-once' });

    const first = await market.change('createProduct', input, PRODUCT);
    const again = await market.change('createProduct', input, PRODUCT);
    const other = await market.change('createProduct', { ...input, name: 'Other' }, PRODUCT);

    expect(again).toEqual(first);
    expect(codesOf(other)).toEqual(['IDEMPOTENCY_KEY_REUSED']);
  });

  test.each([
    ['nobody', null, 'UNAUTHENTICATED'],
    ['a customer', dora, 'FORBIDDEN'],
    ['a member of another vendor', ben, 'FORBIDDEN'],
    ['a member who may not edit products', carl, 'FORBIDDEN'],
    ['an admin who is no member', admin, 'FORBIDDEN'],
  ])('is not for %s', async (_case, as, code) => {
    const asked = await market.app.ask(
      'mutation ($input: CreateProductInput!) { createProduct(input: $input) { product { id } } }',
      { input: aProduct() },
      { as },
    );

    expect(topCodes(asked)).toEqual([code]);
  });

  test('takes no object where a text belongs', async () => {
    const input = aProduct({ name: { $ne: null } });

    const asked = await market.app.ask('mutation ($input: CreateProductInput!) { createProduct(input: $input) { product { id } } }', {
      input,
    });

    expect(topCodes(asked)).toEqual(['BAD_USER_INPUT']);
  });
});

describe('updateProduct', () => {
  test('changes what is given and leaves the rest', async () => {
    const { product } = await market.change(
      'createProduct',
      aProduct({ description: 'Old.', tags: ['a'], categoryIds: ['cat_food'] }),
      PRODUCT,
    );

    const payload = await market.change(
      'updateProduct',
      { id: product.id, expectedVersion: 1, name: 'New name', description: null, tags: [] },
      'product { name slug description tags categories { id } version }',
    );

    expect(payload.product).toEqual({
      name: 'New name',
      slug: product.slug,
      description: null,
      tags: [],
      categories: [{ id: 'cat_food' }],
      version: 2,
    });
    const said = await market.app.said('Product.Updated');
    expect(said.at(-1)?.data).toMatchObject({ productId: product.id, vendorId: 'ven_a', changes: ['name', 'description', 'tags'] });
  });

  test('says nothing when nothing is different', async () => {
    const { product } = await market.change('createProduct', aProduct(), PRODUCT);
    const before = await market.app.said('Product.Updated');

    const payload = await market.change('updateProduct', { id: product.id, expectedVersion: 1, name: product.name }, PRODUCT);

    expect(payload.product.version).toBe(1);
    expect(await market.app.said('Product.Updated')).toHaveLength(before.length);
  });

  test('refuses another version than there is', async () => {
    const { product } = await market.change('createProduct', aProduct(), PRODUCT);
    await market.change('updateProduct', { id: product.id, expectedVersion: 1, name: 'Second' }, PRODUCT);

    const { userErrors } = await market.change('updateProduct', { id: product.id, expectedVersion: 1, name: 'Third' }, PRODUCT);

    expect(userErrors).toEqual([
      {
        __typename: 'StaleVersionError',
        code: 'STALE_VERSION',
        message: expect.any(String),
        path: ['input', 'expectedVersion'],
        currentVersion: 2,
      },
    ]);
  });

  test('refuses a slug that is taken, a category that is not there, and an id that is none', async () => {
    await market.change('createProduct', aProduct({ slug: 'mine' }), PRODUCT);
    const { product } = await market.change('createProduct', aProduct(), PRODUCT);

    const slug = await market.change('updateProduct', { id: product.id, expectedVersion: 1, slug: 'mine' }, PRODUCT);
    const category = await market.change('updateProduct', { id: product.id, expectedVersion: 1, categoryIds: ['cat_none'] }, PRODUCT);
    const none = await market.change('updateProduct', { id: 'prd_none', expectedVersion: 1, name: 'x' }, PRODUCT);
    const nulled = await market.change('updateProduct', { id: product.id, expectedVersion: 1, name: null }, PRODUCT);

    expect(
      [slug, category, none, nulled].flatMap(({ userErrors }) =>
        userErrors.map(({ code, path }: { code: string; path: string[] }) => [code, path.join('.')]),
      ),
    ).toEqual([
      ['SLUG_TAKEN', 'input.slug'],
      ['NOT_FOUND', 'input.categoryIds.0'],
      ['NOT_FOUND', 'input.id'],
      ['INVALID', 'input.name'],
    ]);
  });

  test('of somebody else is forbidden when it is public, and not found when it is not', async () => {
    const draft = (await market.change('createProduct', aProduct(), PRODUCT)).product;
    const open = await published(market);
    const mutation =
      'mutation ($id: ID!) { updateProduct(input: { id: $id, expectedVersion: 2, name: "Mine now" }) { product { id } userErrors { code } } }';

    const hidden = await market.app.ask(mutation, { id: draft.id }, { as: ben });
    const seen = await market.app.ask(mutation, { id: open.id }, { as: ben });
    const colleague = await market.app.ask(mutation, { id: draft.id }, { as: carl });

    expect(hidden.data.updateProduct).toEqual({ product: null, userErrors: [{ code: 'NOT_FOUND' }] });
    expect(topCodes(seen)).toEqual(['FORBIDDEN']);
    expect(topCodes(colleague)).toEqual(['FORBIDDEN']);
  });
});

describe('metadata', () => {
  test('is merged by key, public and private apart', async () => {
    const { product } = await market.change(
      'createProduct',
      aProduct({
        metadata: [
          { key: 'a', value: '1' },
          { key: 'b', value: '2' },
        ],
        privateMetadata: [{ key: 'cost', value: '7' }],
      }),
      PRODUCT,
    );

    const input = {
      id: product.id,
      set: [
        { key: 'b', value: '3' },
        { key: 'c', value: '4' },
      ],
      remove: ['a'],
      setPrivate: [{ key: 'erp', value: 'X' }],
    };
    const payload = await market.change(
      'updateProductMetadata',
      input,
      'product { metadata { key value } privateMetadata { key value } one: metadata(keys: ["c"]) { value } }',
    );

    expect(payload.product).toEqual({
      metadata: [
        { key: 'b', value: '3' },
        { key: 'c', value: '4' },
      ],
      privateMetadata: [
        { key: 'cost', value: '7' },
        { key: 'erp', value: 'X' },
      ],
      one: [{ value: '4' }],
    });
  });

  test('has at most 50 facts of a kind', async () => {
    const many = Array.from({ length: 50 }, (_, index) => ({ key: `k${index}`, value: '' }));
    const { product } = await market.change('createProduct', aProduct({ metadata: many }), PRODUCT);

    const payload = await market.change('updateProductMetadata', { id: product.id, set: [{ key: 'one-more', value: '' }] }, PRODUCT);

    expect(payload.userErrors[0]).toMatchObject({ code: 'INVALID', path: ['input', 'set'] });
  });

  test('for programs of the vendor does not leak, not by query, not by the entity door, not out of what is cached', async () => {
    const product = await published(market, { privateMetadata: [{ key: 'cost', value: 'secret-7' }] });
    const query = 'query ($id: ID!) { product(id: $id) { id privateMetadata { value } } }';
    const representation = [{ __typename: 'Product', id: product.id }];

    const shown = await market.app.ask(query, { id: product.id });
    expect(shown.data.product.privateMetadata).toEqual([{ value: 'secret-7' }]);

    for (const as of [null, dora, ben, carl]) {
      const asked = await market.app.ask(query, { id: product.id }, { as });
      const entity = await market.app.entities(representation, '... on Product { id privateMetadata { value } }', { as });
      expect(asked.data.product).toEqual({ id: product.id, privateMetadata: null });
      expect(topCodes(asked)).toEqual(['FORBIDDEN']);
      expect(entity.data._entities[0].privateMetadata).toBeNull();
      expect(JSON.stringify([asked, entity])).not.toContain('secret-7');
    }
    const keys = await market.app.host.redis.keys('*cache:product:*');
    const kept = (await Promise.all(keys.map((key) => market.app.host.redis.get(key)))).join();
    expect(kept).toContain(product.id);
    expect(kept).not.toContain('secret-7');
  });
});

describe('findVariants', () => {
  test('answers what an order must know, also of what was deleted', async () => {
    const product = await published(market, { categoryIds: ['cat_food'] });
    const variantId = product.variants[0].id;
    const copy = async () => (await market.app.call(findVariants, { variantIds: [variantId, 'var_none'] })).variants;

    expect(await copy()).toEqual([
      {
        variantId,
        productId: product.id,
        vendorId: 'ven_a',
        sku: product.variants[0].sku,
        productName: product.name,
        variantName: '',
        price: { amount: 1000, currency: 'ZMW' },
        isForSale: true,
        categoryIds: ['cat_food'],
        imageUrl: null,
        productVersion: 2,
      },
    ]);

    await market.change('deleteProduct', { id: product.id }, 'deletedId');
    expect(await copy()).toMatchObject([{ variantId, productName: product.name, isForSale: false }]);
  });

  test('refuses more than 250 ids', async () => {
    await expect(market.app.call(findVariants, { variantIds: Array(251).fill('var_x') })).rejects.toMatchObject({ code: 'INVALID' });
  });
});

test('changes nothing for somebody who is not signed in', () => {
  expect(new Set(Object.values(permissions.Mutation))).toEqual(new Set([isSignedIn]));
});

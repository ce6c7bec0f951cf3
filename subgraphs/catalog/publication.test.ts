import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { vendorClosed, vendorReinstated, vendorSuspended } from '../vendors/contract.ts';
import { actionsFrom, PRODUCT_STATES, stateAfter, statesBefore } from './machine.ts';
import { permissions } from './permissions.ts';
import {
  aProduct,
  admin,
  ann,
  ben,
  carl,
  codesOf,
  dora,
  hear,
  openMarket,
  PRODUCT,
  published,
  topCodes,
  zmw,
  type Market,
} from './testing.ts';

let market: Market;
beforeAll(async () => {
  market = await openMarket();
});
afterAll(() => market.close());

const draft = async (more: Record<string, unknown> = {}) => (await market.change('createProduct', aProduct(more), PRODUCT)).product;

const DAY = 24 * 3_600_000;
const inDays = (days: number) => new Date(market.app.clock.now().getTime() + days * DAY).toISOString();

const SEEN =
  'query ($id: ID!, $slug: String!, $variant: ID!) { product(id: $id) { id } productBySlug(vendorId: "ven_a", slug: $slug) { id } variant(id: $variant) { id } variants(ids: [$variant]) { id } products(first: 100) { nodes { id } } }';

interface Shown {
  id: string;
  slug: string;
  variants: { id: string }[];
}

/** On which of all ways to a product and its variant somebody finds it. */
async function waysTo({ id, slug, variants }: Shown, as: typeof ann | null): Promise<string[]> {
  const variant = variants[0]!.id;
  const { data, errors } = await market.app.ask(SEEN, { id, slug, variant }, { as });
  const entities = await market.app.entities(
    [
      { __typename: 'Product', id },
      { __typename: 'ProductVariant', id: variant },
    ],
    '... on Product { name } ... on ProductVariant { sku }',
    { as },
  );
  // An error would tell that there is something.
  expect([errors, entities.errors]).toEqual([undefined, undefined]);
  return [
    data.product && 'product',
    data.productBySlug && 'productBySlug',
    data.variant && 'variant',
    data.variants[0] && 'variants',
    data.products.nodes.some((node: Shown) => node.id === id) && 'products',
    entities.data._entities[0] && 'Product entity',
    entities.data._entities[1] && 'ProductVariant entity',
  ].filter(Boolean);
}

const EVERYWHERE = ['product', 'productBySlug', 'variant', 'variants', 'products', 'Product entity', 'ProductVariant entity'];
const BUT_LISTS = EVERYWHERE.filter((way) => way !== 'products');

describe('a draft', () => {
  test('is hidden from strangers on every way, the entity door too', async () => {
    const product = await draft();

    for (const as of [null, dora, ben]) expect(await waysTo(product, as)).toEqual([]);
    for (const as of [ann, carl, admin]) expect(await waysTo(product, as)).toEqual(BUT_LISTS);
  });

  test('appears in the list of its own for members, and for nobody else', async () => {
    const { id } = await draft();
    const query =
      'query ($vendor: ID) { products(first: 100, where: { vendorId: { eq: $vendor }, state: { in: [DRAFT] } }) { nodes { id state } } }';
    const asked = (as: typeof ann | null, vendor = 'ven_a') => market.app.ask(query, { vendor }, { as });

    for (const as of [ann, carl, admin]) expect((await asked(as)).data.products.nodes).toContainEqual({ id, state: 'DRAFT' });
    expect(topCodes(await asked(null))).toEqual(['UNAUTHENTICATED']);
    expect(topCodes(await asked(ben))).toEqual(['FORBIDDEN']);
    expect(topCodes(await asked(ann, 'ven_b'))).toEqual(['FORBIDDEN']);
    const hidden = await market.app.ask('{ products(where: { OR: [{ state: { eq: DRAFT } }] }) { nodes { id } } }');
    expect(topCodes(hidden)).toEqual(['INVALID']);
  });
});

describe('publishProduct', () => {
  test('shows it to everyone from now on', async () => {
    const { id } = await draft();

    const { product } = await market.change(
      'publishProduct',
      { id },
      'product { id slug version state isPublished publishAt unpublishAt availableActions variants { id isForSale } }',
    );

    expect(product).toMatchObject({
      state: 'PUBLISHED',
      version: 2,
      isPublished: true,
      publishAt: expect.any(String),
      unpublishAt: null,
      availableActions: ['PUBLISH', 'UNPUBLISH', 'ARCHIVE'],
      variants: [{ isForSale: true }],
    });
    for (const as of [null, dora, ben, ann]) expect(await waysTo(product, as)).toEqual(EVERYWHERE);
    expect((await market.app.said('Product.Updated')).at(-1)?.data).toMatchObject({
      productId: id,
      changes: ['state', 'publishAt', 'unpublishAt'],
    });
  });

  test('at a date shows it from then until its end, by the clock alone', async () => {
    await using later = await openMarket();
    const made = (await later.change('createProduct', aProduct(), PRODUCT)).product;
    const from = later.app.clock.now().getTime() + DAY;
    const dates = { publishAt: new Date(from).toISOString(), unpublishAt: new Date(from + DAY).toISOString() };
    await later.change('publishProduct', { id: made.id, ...dates }, PRODUCT);
    const query = 'query ($id: ID!) { product(id: $id) { isPublished variants { isForSale } } products { nodes { id } } }';
    const seen = async () => {
      const { data } = await later.app.ask(query, { id: made.id }, { as: null });
      return [data.product?.isPublished ?? null, data.product?.variants[0].isForSale ?? null, data.products.nodes.length];
    };

    expect(await seen()).toEqual([null, null, 0]);
    later.app.clock.advance(DAY + 1_000);
    expect(await seen()).toEqual([true, true, 1]);
    later.app.clock.advance(DAY);
    expect(await seen()).toEqual([null, null, 0]);
  });

  test('again sets other dates and keeps the day it appeared', async () => {
    const product = await published(market);
    const { data } = await market.app.ask('query ($id: ID!) { product(id: $id) { publishAt } }', { id: product.id });

    const again = await market.change('publishProduct', { id: product.id, unpublishAt: inDays(2) }, 'product { publishAt unpublishAt }');

    expect(again.product).toEqual({ publishAt: data.product.publishAt, unpublishAt: expect.any(String) });
  });

  test('refuses what cannot be', async () => {
    const product = await draft();
    const bare = await draft({ variants: [] });

    const backwards = await market.change('publishProduct', { id: product.id, publishAt: inDays(2), unpublishAt: inDays(1) }, PRODUCT);
    const nothing = await market.change('publishProduct', { id: bare.id }, PRODUCT);
    const stale = await market.change('publishProduct', { id: product.id, expectedVersion: 9 }, PRODUCT);
    const none = await market.change('publishProduct', { id: 'prd_none' }, PRODUCT);

    expect([backwards, nothing, stale, none].map(({ userErrors }) => [userErrors[0].code, userErrors[0].path.join('.')])).toEqual([
      ['INVALID', 'input.unpublishAt'],
      ['NOTHING_TO_SELL', 'input.id'],
      ['STALE_VERSION', 'input.expectedVersion'],
      ['NOT_FOUND', 'input.id'],
    ]);
  });
});

describe('a product that is made to be seen', () => {
  const SHOWN = 'product { id slug version state isPublished publishAt unpublishAt variants { id isForSale } }';

  test('is there for everyone at once, and is told of once', async () => {
    const before = (await market.app.said('Product.Updated')).length;

    const { product, userErrors } = await market.change('createProduct', aProduct({ publication: {} }), SHOWN);

    expect(userErrors).toEqual([]);
    expect(product).toMatchObject({
      state: 'PUBLISHED',
      version: 1,
      isPublished: true,
      unpublishAt: null,
      variants: [{ isForSale: true }],
    });
    for (const as of [null, dora, ben, ann]) expect(await waysTo(product, as)).toEqual(EVERYWHERE);
    expect((await market.app.said('Product.Created')).at(-1)?.data).toMatchObject({ productId: product.id });
    expect((await market.app.said('Product.Updated')).length).toBe(before);
  });

  test('appears at its date and disappears at its end', async () => {
    const dates = { publishAt: inDays(1), unpublishAt: inDays(2) };

    const { product } = await market.change('createProduct', aProduct({ publication: dates }), SHOWN);

    expect(product).toMatchObject({ state: 'PUBLISHED', isPublished: false, ...dates });
    expect(await waysTo(product, null)).toEqual([]);
  });

  test.each<[string, () => Record<string, unknown>, string[]]>([
    ['nothing to sell', () => ({ variants: [], publication: {} }), ['NOTHING_TO_SELL', 'input.publication']],
    [
      'an end before its beginning',
      () => ({ publication: { publishAt: inDays(2), unpublishAt: inDays(1) } }),
      ['INVALID', 'input.publication.unpublishAt'],
    ],
    ['an end that is past', () => ({ publication: { unpublishAt: inDays(-1) } }), ['INVALID', 'input.publication.unpublishAt']],
  ])('is refused with %s', async (_case, more, refusal) => {
    const before = (await market.app.said('Product.Created')).length;

    const { product, userErrors } = await market.change('createProduct', aProduct(more()), SHOWN);

    expect(product).toBeNull();
    expect(userErrors.map(({ code, path }: { code: string; path: string[] }) => [code, path.join('.')])).toEqual([refusal]);
    expect((await market.app.said('Product.Created')).length).toBe(before);
  });

  test('is not made while its vendor is suspended', async () => {
    await using other = await openMarket();
    other.suspended.add('ven_a');

    const { product, userErrors } = await other.change('createProduct', aProduct({ publication: {} }), SHOWN);

    expect([product, codesOf({ userErrors })]).toEqual([null, ['VENDOR_SUSPENDED']]);
  });
});

describe('the state machine', () => {
  test('lets each state go where it may', () => {
    expect(PRODUCT_STATES.map((state) => actionsFrom(state))).toEqual([
      ['PUBLISH', 'ARCHIVE'],
      ['PUBLISH', 'UNPUBLISH', 'ARCHIVE'],
      ['RESTORE'],
    ]);
    expect(statesBefore('ARCHIVE')).toEqual(['DRAFT', 'PUBLISHED']);
    expect(stateAfter('ARCHIVED', 'RESTORE')).toBe('DRAFT');
  });

  test('is walked round by mutations, and refuses every other step with what can be done instead', async () => {
    const { id } = await published(market);
    const states = [];
    for (const name of ['unpublishProduct', 'archiveProduct', 'restoreProduct', 'publishProduct', 'archiveProduct']) {
      states.push((await market.change(name, { id }, PRODUCT)).product.state);
    }
    expect(states).toEqual(['DRAFT', 'ARCHIVED', 'DRAFT', 'PUBLISHED', 'ARCHIVED']);

    for (const name of ['publishProduct', 'unpublishProduct', 'archiveProduct']) {
      const { userErrors } = await market.change(name, { id }, PRODUCT);
      expect(userErrors).toMatchObject([
        { __typename: 'ProductStateError', code: 'PRODUCT_STATE', state: 'ARCHIVED', availableActions: ['RESTORE'] },
      ]);
    }
    const product = await draft();
    for (const name of ['unpublishProduct', 'restoreProduct']) {
      expect((await market.change(name, { id: product.id }, PRODUCT)).userErrors).toMatchObject([
        { code: 'PRODUCT_STATE', state: 'DRAFT' },
      ]);
    }
  });

  test('is for members who may edit products', async () => {
    const open = await published(market);
    const hidden = await draft();

    for (const name of ['publishProduct', 'unpublishProduct', 'archiveProduct', 'restoreProduct', 'deleteProduct']) {
      const type = `${name[0]!.toUpperCase()}${name.slice(1)}Input`;
      const mutation = `mutation ($input: ${type}!) { ${name}(input: $input) { userErrors { code } } }`;
      const strange = await market.app.ask(mutation, { input: { id: open.id } }, { as: ben });
      const unseen = await market.app.ask(mutation, { input: { id: hidden.id } }, { as: ben });
      const colleague = await market.app.ask(mutation, { input: { id: hidden.id } }, { as: carl });
      expect([topCodes(strange), unseen.data[name].userErrors, topCodes(colleague)]).toEqual([
        ['FORBIDDEN'],
        [{ code: 'NOT_FOUND' }],
        ['FORBIDDEN'],
      ]);
    }
  });
});

describe('what is hidden again', () => {
  test.each(['unpublishProduct', 'archiveProduct'])('after %s is hidden from strangers at once', async (name) => {
    const product = await published(market);
    expect(await waysTo(product, null)).toEqual(EVERYWHERE);

    await market.change(name, { id: product.id }, PRODUCT);

    expect(await waysTo(product, null)).toEqual([]);
    expect(await waysTo(product, ann)).toEqual(BUT_LISTS);
  });
});

describe('deleteProduct', () => {
  test('hides it, frees its slug and SKUs, and tells the world once', async () => {
    const product = await published(market, { slug: 'goes-away' });

    const first = await market.change('deleteProduct', { id: product.id }, 'deletedId');
    const again = await market.change('deleteProduct', { id: product.id }, 'deletedId');

    expect([first, again]).toEqual([
      { deletedId: product.id, userErrors: [] },
      { deletedId: product.id, userErrors: [] },
    ]);
    const said = (await market.app.said('Product.Deleted')).filter(({ data }) => data.productId === product.id);
    expect(said.map(({ data }) => data)).toEqual([
      { productId: product.id, vendorId: 'ven_a', variantIds: [product.variants[0].id], timestamp: expect.any(String) },
    ]);
    expect(await waysTo(product, null)).toEqual([]);
    const own = await market.app.ask('query ($id: ID!) { product(id: $id) { state deletedAt availableActions } }', { id: product.id });
    expect(own.data.product).toEqual({ state: 'ARCHIVED', deletedAt: expect.any(String), availableActions: [] });
    const heir = await draft({
      slug: 'goes-away',
      variants: [{ sku: product.variants[0].sku, price: { amount: '1.00', currency: 'ZMW' } }],
    });
    expect(heir.slug).toBe('goes-away');
    const change = await market.change('updateProduct', { id: product.id, expectedVersion: 3, name: 'Back' }, PRODUCT);
    expect(codesOf(change)).toEqual(['NOT_FOUND']);
  });

  test('refuses another version and an unknown id', async () => {
    const product = await draft();

    expect(codesOf(await market.change('deleteProduct', { id: product.id, expectedVersion: 5 }, 'deletedId'))).toEqual(['STALE_VERSION']);
    expect(codesOf(await market.change('deleteProduct', { id: 'prd_none' }, 'deletedId'))).toEqual(['NOT_FOUND']);
  });
});

describe('a suspended vendor', () => {
  const timestamp = new Date().toISOString();

  test('has no products for the public until it is reinstated, whatever the order and number of the news', async () => {
    await using other = await openMarket();
    const product = await published(other);
    const listed = async () => (await other.app.ask('{ products { nodes { id } } }', {}, { as: null })).data.products.nodes.length;
    const times = [1, 2, 3].map((minute) => new Date(Date.now() + minute * 60_000));
    expect(await listed()).toBe(1);

    await hear(other.app, vendorSuspended({ vendorId: 'ven_a', reason: 'papers', timestamp }), { id: 'evt_1', at: times[0]! });
    await hear(other.app, vendorSuspended({ vendorId: 'ven_a', reason: 'papers', timestamp }), { id: 'evt_1', at: times[0]! });
    expect(await listed()).toBe(0);
    expect((await other.app.ask('query ($id: ID!) { product(id: $id) { id } }', { id: product.id }, { as: null })).data.product).toBeNull();
    expect((await other.app.ask('query ($id: ID!) { product(id: $id) { isPublished state } }', { id: product.id })).data.product).toEqual({
      isPublished: false,
      state: 'PUBLISHED',
    });

    await hear(other.app, vendorReinstated({ vendorId: 'ven_a', timestamp }), { id: 'evt_3', at: times[2]! });
    expect(await listed()).toBe(1);
    await hear(other.app, vendorSuspended({ vendorId: 'ven_a', reason: 'late news', timestamp }), { id: 'evt_2', at: times[1]! });
    expect(await listed()).toBe(1);
  });

  test('gets new products hidden as well, also those made while the news was on its way', async () => {
    await using other = await openMarket();
    const listed = async () => (await other.app.ask('{ products { nodes { id } } }', {}, { as: null })).data.products.nodes.length;
    await hear(other.app, vendorSuspended({ vendorId: 'ven_a', reason: 'papers', timestamp }), { id: 'evt_1', at: new Date() });

    // `vendors` still answers that it is active.
    await published(other);
    await other.app.settled();
    expect(await listed()).toBe(0);
  });

  test('has no products for the public any more once it is closed', async () => {
    await using other = await openMarket();
    const { id } = await published(other);

    await hear(other.app, vendorClosed({ vendorId: 'ven_a', timestamp }), { id: 'evt_1', at: new Date() });

    expect((await other.app.ask('query ($id: ID!) { product(id: $id) { id } }', { id }, { as: null })).data.product).toBeNull();
  });

  test('changes nothing, whatever it asks for', async () => {
    await using other = await openMarket();
    const product = await published(other);
    const before = await other.app.ask('query ($id: ID!) { product(id: $id) { version state variants { id version } } }', {
      id: product.id,
    });
    const { attribute } = await other.change(
      'createAttribute',
      { vendorId: 'ven_a', code: 'a', name: 'A', type: 'TEXT' },
      'attribute { id }',
    );
    const [one, version] = [{ id: product.id }, { expectedVersion: product.version }];
    const [variant] = product.variants;
    const vendorId = 'ven_a';
    const inputs: Record<string, [object, string]> = {
      createProduct: [aProduct(), 'product { id }'],
      updateProduct: [{ ...one, ...version, name: 'x' }, 'product { id }'],
      publishProduct: [one, 'product { id }'],
      unpublishProduct: [one, 'product { id }'],
      archiveProduct: [one, 'product { id }'],
      restoreProduct: [one, 'product { id }'],
      deleteProduct: [one, 'deletedId'],
      updateProductMetadata: [{ ...one, set: [{ key: 'a', value: 'b' }] }, 'product { id }'],
      createVariant: [{ productId: product.id, sku: 'NEW', price: zmw('1.00') }, 'variant { id }'],
      updateVariant: [{ id: variant.id, expectedVersion: 1, price: zmw('1.00') }, 'variant { id }'],
      archiveVariant: [{ id: variant.id }, 'variant { id }'],
      restoreVariant: [{ id: variant.id }, 'variant { id }'],
      createAttribute: [{ vendorId, code: 'b', name: 'B', type: 'TEXT' }, 'attribute { id }'],
      updateAttribute: [{ id: attribute.id, expectedVersion: 1, name: 'x' }, 'attribute { id }'],
      createMediaUpload: [{ vendorId, contentType: 'image/png', size: 10 }, 'upload { id }'],
      addMedia: [{ productId: product.id, uploadId: 'upl_x' }, 'product { id }'],
      updateMedia: [{ productId: product.id, mediaId: 'med_x', alt: 'x' }, 'product { id }'],
      removeMedia: [{ productId: product.id, mediaId: 'med_x' }, 'product { id }'],
      reorderMedia: [{ productId: product.id, ...version, mediaIds: [] }, 'product { id }'],
      bulkCreateProducts: [{ vendorId, products: [{ name: 'x' }] }, 'createdCount'],
      bulkUpdateProducts: [{ vendorId, products: [{ ...one, ...version }] }, 'updatedCount'],
      createProductImportUpload: [{ vendorId, size: 10 }, 'upload { id }'],
      startProductImport: [{ vendorId, uploadId: 'upl_x' }, 'productImport { id }'],
    };
    other.suspended.add(vendorId);

    // Reading its own goods is no change, nor is it to stop a job.
    const { startProductExport: _reads, cancelProductImport: _stops, cancelProductExport: _ends, ...changing } = permissions.Mutation;
    for (const name of Object.keys(changing)) {
      const [input, selection] = inputs[name] ?? [{}, ''];
      const { userErrors } = await other.change(name, input as Record<string, unknown>, selection);
      expect([name, codesOf({ userErrors })]).toEqual([name, ['VENDOR_SUSPENDED']]);
    }

    expect(codesOf(await other.change('startProductExport', { vendorId }, 'productExport { id }'))).toEqual([]);
    expect(
      await other.app.ask('query ($id: ID!) { product(id: $id) { version state variants { id version } } }', { id: product.id }),
    ).toEqual(before);
  });
});

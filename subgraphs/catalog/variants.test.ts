import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { aProduct, ATTRIBUTE, ben, codesOf, openMarket, PRODUCT, published, someAttributes, zmw, type Market } from './testing.ts';

let market: Market;
/** By code. */
const ids: Record<string, string> = {};

const VARIANT =
  'variant { id name version sku price { amount } compareAtPrice { amount } weightGrams barcode isArchived isForSale axisValues { text attribute { code } } product { id version price { amount } } }';

beforeAll(async () => {
  market = await openMarket();
  Object.assign(ids, await someAttributes(market));
});
afterAll(() => market.close());

const size = (value: string) => ({ attributeId: ids['size'], options: [value] });
const colour = (value: string) => ({ attributeId: ids['colour'], options: [value] });

let count = 0;
const variantOf = (more: Record<string, unknown>) => {
  count += 1;
  return { sku: `V-${count}`, price: zmw('5.00'), ...more };
};

/** A shirt in the sizes S and M. */
const aShirt = async () =>
  (
    await market.change(
      'createProduct',
      aProduct({ variantAxes: [ids['size']], variants: ['s', 'm'].map((value) => variantOf({ axisValues: [size(value)] })) }),
      PRODUCT,
    )
  ).product;

describe('variants', () => {
  test('are added with their own values, and the lowest price follows', async () => {
    const shirt = await aShirt();

    const { variant } = await market.change(
      'createVariant',
      {
        productId: shirt.id,
        ...variantOf({ axisValues: [size('l')], price: zmw('3.50'), compareAtPrice: zmw('4.00'), weightGrams: 200, barcode: '6001-X' }),
      },
      VARIANT,
    );

    expect(variant).toMatchObject({
      name: 'L',
      version: 1,
      price: { amount: '3.50' },
      compareAtPrice: { amount: '4.00' },
      weightGrams: 200,
      barcode: '6001-X',
      isArchived: false,
      axisValues: [{ text: 'L', attribute: { code: 'size' } }],
      product: { id: shirt.id, version: 1, price: { amount: '3.50' } },
    });
    expect((await market.app.said('Product.Updated')).at(-1)?.data.changes).toEqual(['variants', 'price']);
  });

  test('can be parted by two axes, and no two are the same', async () => {
    const both = (first: string, second: string) => ({ axisValues: [colour(second), size(first)] });
    const { product } = await market.change(
      'createProduct',
      aProduct({ variantAxes: [ids['size'], ids['colour']], variants: [variantOf(both('s', 'red')), variantOf(both('s', 'blue'))] }),
      PRODUCT,
    );

    const twin = await market.change('createVariant', { productId: product.id, ...variantOf(both('s', 'red')) }, VARIANT);
    const other = await market.change('createVariant', { productId: product.id, ...variantOf(both('m', 'red')) }, VARIANT);

    expect(twin).toMatchObject({ variant: null, userErrors: [{ code: 'VARIANT_TAKEN', path: ['input', 'axisValues'] }] });
    expect(other.variant.name).toBe('M, Red');
    expect(product.variants.map(({ name }: { name: string }) => name)).toEqual(['S, Red', 'S, Blue']);
  });

  test.each<[string, () => Record<string, unknown>, string, string[]]>([
    ['without a value for an axis', () => ({}), 'INVALID', ['axisValues']],
    ['with a value for what is no axis', () => ({ axisValues: [size('l'), colour('red')] }), 'INVALID', ['axisValues', '1', 'attributeId']],
    ['with an option that is none', () => ({ axisValues: [size('huge')] }), 'INVALID', ['axisValues', '0', 'options']],
    ['with a weight of half a gram and more', () => ({ axisValues: [size('l')], weightGrams: 10_000_001 }), 'INVALID', ['weightGrams']],
    [
      'in another currency',
      () => ({ axisValues: [size('l')], price: { amount: '5', currency: 'JPY' } }),
      'CURRENCY_MISMATCH',
      ['price', 'currency'],
    ],
  ])('are refused %s', async (_case, more, code, path) => {
    const shirt = await aShirt();

    const payload = await market.change('createVariant', { productId: shirt.id, ...variantOf(more()) }, VARIANT);

    expect(payload).toMatchObject({ variant: null, userErrors: [{ code, path: ['input', ...path] }] });
  });

  test('have one SKU each among all variants of the vendor', async () => {
    const shirt = await aShirt();
    const other = await aShirt();

    const added = await market.change(
      'createVariant',
      { productId: shirt.id, ...variantOf({ axisValues: [size('l')], sku: other.variants[0].sku }) },
      VARIANT,
    );
    const changed = await market.change(
      'updateVariant',
      { id: shirt.variants[0].id, expectedVersion: 1, sku: shirt.variants[1].sku },
      VARIANT,
    );

    expect(added.userErrors[0]).toMatchObject({ code: 'SKU_TAKEN', path: ['input', 'sku'] });
    expect(changed.userErrors[0]).toMatchObject({ code: 'SKU_TAKEN', path: ['input', 'sku'] });
  });

  test('are changed field by field, each against its own version', async () => {
    const shirt = await aShirt();
    const [{ id }] = shirt.variants;

    const { variant } = await market.change('updateVariant', { id, expectedVersion: 1, price: zmw('9.99'), weightGrams: 5 }, VARIANT);
    const stale = await market.change('updateVariant', { id, expectedVersion: 1, price: zmw('1.00') }, VARIANT);
    const cleared = await market.change('updateVariant', { id, expectedVersion: 2, weightGrams: null }, VARIANT);
    const twin = await market.change('updateVariant', { id, expectedVersion: 3, axisValues: [size('m')] }, VARIANT);
    const none = await market.change('updateVariant', { id: 'var_none', expectedVersion: 3 }, VARIANT);

    expect(variant).toMatchObject({ version: 2, price: { amount: '9.99' }, weightGrams: 5, name: 'S', product: { version: 1 } });
    expect(stale.userErrors[0]).toMatchObject({ code: 'STALE_VERSION', currentVersion: 2 });
    expect(cleared.variant).toMatchObject({ version: 3, weightGrams: null, price: { amount: '9.99' } });
    expect(codesOf(twin)).toEqual(['VARIANT_TAKEN']);
    expect(none.userErrors[0]).toMatchObject({ code: 'NOT_FOUND', path: ['input', 'id'] });
  });

  test('are archived and put back, twice like once', async () => {
    const shirt = await published(market, {
      variantAxes: [ids['size']],
      variants: ['s', 'm'].map((value) => variantOf({ axisValues: [size(value)] })),
    });
    const [{ id }] = shirt.variants;

    const archived = await market.change('archiveVariant', { id }, VARIANT);
    const again = await market.change('archiveVariant', { id }, VARIANT);
    expect(archived.variant).toMatchObject({ isArchived: true, isForSale: false, version: 2 });
    expect(again.variant.version).toBe(2);
    const query = 'query ($id: ID!) { product(id: $id) { variants { id } all: variants(includeArchived: true) { id } } }';
    const { data } = await market.app.ask(query, { id: shirt.id }, { as: null });
    expect([data.product.variants.length, data.product.all.length]).toEqual([1, 2]);

    const heir = await market.change('createVariant', { productId: shirt.id, ...variantOf({ axisValues: [size('s')] }) }, VARIANT);
    const clash = await market.change('restoreVariant', { id }, VARIANT);
    await market.change('archiveVariant', { id: heir.variant.id }, VARIANT);
    const restored = await market.change('restoreVariant', { id, expectedVersion: 2 }, VARIANT);
    const stale = await market.change('archiveVariant', { id, expectedVersion: 2 }, VARIANT);

    expect(codesOf(clash)).toEqual(['VARIANT_TAKEN']);
    expect(restored.variant).toMatchObject({ isArchived: false, isForSale: true, version: 3 });
    expect(codesOf(stale)).toEqual(['STALE_VERSION']);
  });

  test('keep their axes as long as there are some', async () => {
    const shirt = await aShirt();
    const bare = (await market.change('createProduct', aProduct({ variants: [] }), PRODUCT)).product;

    const refused = await market.change('updateProduct', { id: shirt.id, expectedVersion: 1, variantAxes: [ids['colour']] }, PRODUCT);
    const done = await market.change(
      'updateProduct',
      { id: bare.id, expectedVersion: 1, variantAxes: [ids['colour']] },
      'product { variantAxes { code } }',
    );
    const noAxis = await market.change('updateProduct', { id: bare.id, expectedVersion: 2, variantAxes: [ids['maker']] }, PRODUCT);

    expect(refused.userErrors[0]).toMatchObject({ code: 'AXES_IN_USE', path: ['input', 'variantAxes'] });
    expect(done.product.variantAxes).toEqual([{ code: 'colour' }]);
    expect(noAxis.userErrors[0]).toMatchObject({ code: 'INVALID', path: ['input', 'variantAxes', '0'] });
  });

  test('are at most 250', async () => {
    const numbers = (
      await market.change(
        'createAttribute',
        { vendorId: 'ven_a', code: 'number', name: 'Number', type: 'NUMBER', variantAxis: true },
        ATTRIBUTE,
      )
    ).attribute.id;
    const numbered = (from: number) =>
      Array.from({ length: 100 }, (_, index) => variantOf({ axisValues: [{ attributeId: numbers, number: from + index }] }));
    const { product } = await market.change('createProduct', aProduct({ variantAxes: [numbers], variants: numbered(0) }), PRODUCT);
    const { Product } = market.app.context().models;
    const stored = await Product.findById(product.id).lean();
    const more = [1, 2].flatMap((turn) =>
      stored.variants.map((variant: object & { _id: string; sku: string }) => ({
        ...variant,
        _id: `${variant._id}${turn}`,
        sku: `${variant.sku}-${turn}`,
      })),
    );
    await Product.updateOne({ _id: product.id }, { $set: { variants: [...stored.variants, ...more].slice(0, 250) } });

    const payload = await market.change(
      'createVariant',
      { productId: product.id, ...variantOf({ axisValues: [{ attributeId: numbers, number: 999 }] }) },
      VARIANT,
    );

    expect(codesOf(payload)).toEqual(['TOO_MANY_VARIANTS']);
  });

  test('of somebody else cannot be touched', async () => {
    const shirt = await aShirt();
    const { id } = shirt.variants[0];

    const created = await market.change('createVariant', { productId: shirt.id, ...variantOf({}) }, VARIANT, ben);
    const updated = await market.change('updateVariant', { id, expectedVersion: 1, sku: 'X' }, VARIANT, ben);
    const archived = await market.change('archiveVariant', { id }, VARIANT, ben);
    const restored = await market.change('restoreVariant', { id }, VARIANT, ben);

    expect([created, updated, archived, restored].map(codesOf)).toEqual([['NOT_FOUND'], ['NOT_FOUND'], ['NOT_FOUND'], ['NOT_FOUND']]);
  });

  test('are made once for one idempotency key', async () => {
    const shirt = await aShirt();
    const input = { productId: shirt.id, ...variantOf({ axisValues: [size('l')] }), idempotencyKey: 'one-variant' };

    const first = await market.change('createVariant', input, VARIANT);
    const again = await market.change('createVariant', input, VARIANT);

    expect(again).toEqual(first);
    expect(first.variant.id).toMatch(/^var_/);
  });
});

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { aProduct, admin, ann, ben, codesOf, dora, openMarket, PRODUCT, published, topCodes, zmw, type Market } from './testing.ts';

let market: Market;
/** Ids by code: a size and a colour that part variants, and one attribute of each other kind. */
const ids: Record<string, string> = {};

const ATTRIBUTE = 'attribute { id code name type unit filterable variantAxis version vendor { id } options { value label swatch } }';
const VARIANT =
  'variant { id name version sku price { amount } compareAtPrice { amount } weightGrams barcode isArchived isForSale axisValues { text attribute { code } } product { id version price { amount } } }';

beforeAll(async () => {
  market = await openMarket();
  const definitions: [Record<string, unknown>, typeof ann][] = [
    [
      {
        code: 'size',
        name: 'Size',
        type: 'SELECT',
        variantAxis: true,
        filterable: true,
        options: ['s', 'm', 'l'].map((value) => ({ value, label: value.toUpperCase() })),
      },
      admin,
    ],
    [
      {
        vendorId: 'ven_a',
        code: 'colour',
        name: 'Colour',
        type: 'COLOUR',
        variantAxis: true,
        filterable: true,
        options: [
          { value: 'red', label: 'Red', swatch: '#FF0000' },
          { value: 'blue', label: 'Blue', swatch: '#0000ff' },
        ],
      },
      ann,
    ],
    [{ vendorId: 'ven_a', code: 'weight', name: 'Net weight', type: 'NUMBER', unit: 'g', filterable: true }, ann],
    [{ vendorId: 'ven_a', code: 'maker', name: 'Maker', type: 'TEXT' }, ann],
    [{ vendorId: 'ven_a', code: 'organic', name: 'Organic', type: 'BOOLEAN', filterable: true }, ann],
    [
      {
        vendorId: 'ven_a',
        code: 'uses',
        name: 'Uses',
        type: 'MULTISELECT',
        filterable: true,
        options: ['soup', 'stew', 'porridge'].map((value) => ({ value, label: `For ${value}` })),
      },
      ann,
    ],
    [{ vendorId: 'ven_b', code: 'secret', name: 'Of Ben', type: 'TEXT' }, ben],
  ];
  for (const [input, as] of definitions)
    ids[String(input['code'])] = (await market.change('createAttribute', input, ATTRIBUTE, as)).attribute.id;
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

describe('createAttribute', () => {
  test('keeps what was said', async () => {
    const { data } = await market.app.ask(
      '{ productAttributes(vendorId: "ven_a", first: 1) { totalCount nodes { code name type options { value label swatch } vendor { id } filterable variantAxis version } } }',
    );

    expect(data.productAttributes).toEqual({
      totalCount: 6,
      nodes: [
        {
          code: 'colour',
          name: 'Colour',
          type: 'COLOUR',
          options: [
            { value: 'red', label: 'Red', swatch: '#ff0000' },
            { value: 'blue', label: 'Blue', swatch: '#0000ff' },
          ],
          vendor: { id: 'ven_a' },
          filterable: true,
          variantAxis: true,
          version: 1,
        },
      ],
    });
  });

  test.each<[string, Record<string, unknown>, string, string[]]>([
    ['a code that is taken', { code: 'colour', type: 'TEXT' }, 'CODE_TAKEN', ['code']],
    ["a code of the marketplace's", { code: 'size', type: 'TEXT' }, 'CODE_TAKEN', ['code']],
    ['a choice without options', { code: 'x1', type: 'SELECT' }, 'INVALID', ['options']],
    ['a text with options', { code: 'x2', type: 'TEXT', options: [{ value: 'a', label: 'A' }] }, 'INVALID', ['options']],
    [
      'an option twice',
      {
        code: 'x3',
        type: 'SELECT',
        options: [
          { value: 'a', label: 'A' },
          { value: 'a', label: 'B' },
        ],
      },
      'INVALID',
      ['options', '1', 'value'],
    ],
    [
      'a colour without a swatch',
      { code: 'x4', type: 'COLOUR', options: [{ value: 'a', label: 'A' }] },
      'INVALID',
      ['options', '0', 'swatch'],
    ],
    [
      'a swatch that is no colour',
      { code: 'x5', type: 'COLOUR', options: [{ value: 'a', label: 'A', swatch: 'red' }] },
      'INVALID',
      ['options', '0', 'swatch'],
    ],
    ['a unit for a text', { code: 'x6', type: 'TEXT', unit: 'g' }, 'INVALID', ['unit']],
    ['variants parted by yes and no', { code: 'x7', type: 'BOOLEAN', variantAxis: true }, 'INVALID', ['variantAxis']],
    [
      '251 options',
      { code: 'x8', type: 'SELECT', options: Array.from({ length: 251 }, (_, index) => ({ value: `a${index}`, label: 'A' })) },
      'INVALID',
      ['options'],
    ],
  ])('refuses %s', async (_case, more, code, path) => {
    const payload = await market.change('createAttribute', { vendorId: 'ven_a', name: 'Name', ...more }, ATTRIBUTE);

    expect(payload).toMatchObject({ attribute: null, userErrors: [{ code, path: ['input', ...path] }] });
  });

  test.each([
    ['somebody who is no member', { vendorId: 'ven_a' }, ben],
    ['members, when it is one of the marketplace', {}, ann],
    ['customers', { vendorId: 'ven_a' }, dora],
  ])('is not for %s', async (_case, more, as) => {
    const input = { code: 'mine', name: 'Mine', type: 'TEXT', ...more };

    const asked = await market.app.ask(
      'mutation ($input: CreateAttributeInput!) { createAttribute(input: $input) { attribute { id } } }',
      { input },
      { as },
    );

    expect(topCodes(asked)).toEqual(['FORBIDDEN']);
  });
});

describe('updateAttribute', () => {
  test('gives new words to an option on all variants at once', async () => {
    const shirt = await aShirt();
    const options = [
      { value: 's', label: 'Small' },
      { value: 'm', label: 'M' },
      { value: 'l', label: 'L' },
      { value: 'xl', label: 'XL' },
    ];

    const { attribute } = await market.change(
      'updateAttribute',
      { id: ids['size'], expectedVersion: 1, name: 'Shirt size', options },
      ATTRIBUTE,
      admin,
    );

    expect(attribute).toMatchObject({ name: 'Shirt size', version: 2, options: options.map((each) => ({ ...each, swatch: null })) });
    await market.app.settled();
    const { data } = await market.app.ask('query ($id: ID!) { product(id: $id) { variants { name axisValues { text } } } }', {
      id: shirt.id,
    });
    expect(data.product.variants).toEqual([
      { name: 'Small', axisValues: [{ text: 'Small' }] },
      { name: 'M', axisValues: [{ text: 'M' }] },
    ]);
  });

  test('refuses to lose what products have', async () => {
    await market.change('createProduct', aProduct({ attributes: [{ attributeId: ids['uses'], options: ['stew'] }] }), PRODUCT);
    await market.change(
      'createProduct',
      aProduct({ variantAxes: [ids['colour']], variants: [variantOf({ axisValues: [colour('red')] })] }),
      PRODUCT,
    );
    const without = (code: string, more: object) =>
      market.change('updateAttribute', { id: ids[code], expectedVersion: 1, ...more }, ATTRIBUTE);

    const option = await without('uses', { options: [{ value: 'soup', label: 'Soup' }] });
    const axis = await without('colour', { variantAxis: false });
    const swatch = await without('colour', { options: [{ value: 'blue', label: 'Blue', swatch: '#0000ff' }] });

    expect([option, axis, swatch].map(({ userErrors }) => [userErrors[0].code, userErrors[0].path.join('.')])).toEqual([
      ['ATTRIBUTE_IN_USE', 'input.options'],
      ['ATTRIBUTE_IN_USE', 'input.variantAxis'],
      ['ATTRIBUTE_IN_USE', 'input.options'],
    ]);
  });

  test('refuses another version, an unknown id, and strangers', async () => {
    const stale = await market.change('updateAttribute', { id: ids['maker'], expectedVersion: 7, name: 'X' }, ATTRIBUTE);
    const none = await market.change('updateAttribute', { id: 'att_none', expectedVersion: 1, name: 'X' }, ATTRIBUTE);
    const mutation = 'mutation ($id: ID!) { updateAttribute(input: { id: $id, expectedVersion: 1, name: "X" }) { attribute { id } } }';
    const stranger = await market.app.ask(mutation, { id: ids['maker'] }, { as: ben });
    const member = await market.app.ask(mutation, { id: ids['size'] }, { as: ann });

    expect(stale.userErrors[0]).toMatchObject({ code: 'STALE_VERSION', currentVersion: 1 });
    expect(codesOf(none)).toEqual(['NOT_FOUND']);
    expect([topCodes(stranger), topCodes(member)]).toEqual([['FORBIDDEN'], ['FORBIDDEN']]);
  });
});

describe('attributes of a product', () => {
  test('are shown as they read', async () => {
    const attributes = [
      { attributeId: ids['weight'], number: 500.5 },
      { attributeId: ids['maker'], text: 'Zambia Mills' },
      { attributeId: ids['organic'], boolean: false },
      { attributeId: ids['uses'], options: ['stew', 'soup', 'stew'] },
    ];

    const { product } = await market.change(
      'createProduct',
      aProduct({ attributes }),
      'product { attributes { attribute { code } text number boolean options { label } } }',
    );

    expect(product.attributes).toEqual([
      { attribute: { code: 'weight' }, text: '500.5 g', number: 500.5, boolean: null, options: [] },
      { attribute: { code: 'maker' }, text: 'Zambia Mills', number: null, boolean: null, options: [] },
      { attribute: { code: 'organic' }, text: 'no', number: null, boolean: false, options: [] },
      {
        attribute: { code: 'uses' },
        text: 'For soup, For stew',
        number: null,
        boolean: null,
        options: [{ label: 'For soup' }, { label: 'For stew' }],
      },
    ]);
  });

  test.each<[string, () => Record<string, unknown>[], string, string[]]>([
    ['a text for a number', () => [{ attributeId: ids['weight'], text: '500' }], 'INVALID', ['0', 'text']],
    ['two answers', () => [{ attributeId: ids['maker'], text: 'x', number: 1 }], 'INVALID', ['0', 'number']],
    ['no answer', () => [{ attributeId: ids['maker'] }], 'INVALID', ['0', 'text']],
    ['an option that is none', () => [{ attributeId: ids['uses'], options: ['soup', 'salad'] }], 'INVALID', ['0', 'options']],
    ['two of what there can be one', () => [{ attributeId: ids['colour'], options: ['red', 'blue'] }], 'INVALID', ['0', 'options']],
    [
      'the same attribute twice',
      () => [
        { attributeId: ids['maker'], text: 'x' },
        { attributeId: ids['maker'], text: 'y' },
      ],
      'INVALID',
      ['1', 'attributeId'],
    ],
    ["another vendor's attribute", () => [{ attributeId: ids['secret'], text: 'x' }], 'NOT_FOUND', ['0', 'attributeId']],
    ['a text of 10,000 characters', () => [{ attributeId: ids['maker'], text: 'x'.repeat(10_000) }], 'INVALID', ['0', 'text']],
  ])('refuse %s', async (_case, attributes, code, path) => {
    const payload = await market.change('createProduct', aProduct({ attributes: attributes() }), PRODUCT);

    expect(payload).toMatchObject({ product: null, userErrors: [{ code, path: ['input', 'attributes', ...path] }] });
  });
});

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
    expect(product.variants.map(({ name }: { name: string }) => name)).toEqual(['Small, Red', 'Small, Blue']);
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

    expect(variant).toMatchObject({ version: 2, price: { amount: '9.99' }, weightGrams: 5, name: 'Small', product: { version: 1 } });
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

test('attributes are known on the entity door', async () => {
  const { data } = await market.app.entities(
    [
      { __typename: 'ProductAttribute', id: ids['size']! },
      { __typename: 'ProductAttribute', id: 'att_none' },
    ],
    '... on ProductAttribute { code }',
    { as: null },
  );

  expect(data._entities).toEqual([{ __typename: 'ProductAttribute', code: 'size' }, null]);
});

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import {
  aProduct,
  admin,
  ann,
  ATTRIBUTE,
  ben,
  codesOf,
  dora,
  openMarket,
  PRODUCT,
  someAttributes,
  topCodes,
  zmw,
  type Market,
} from './testing.ts';

let market: Market;
/** By code. */
const ids: Record<string, string> = {};

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

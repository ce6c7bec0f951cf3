import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Data } from '#shared/testing/open.ts';
import { aProduct, openMarket, PRODUCT, published, zmw, type Market } from './testing.ts';

/* What is equal text among names, tags and SKUs: the rules of `shared/base/text.ts`, wherever they are typed. */

let market: Market;
beforeAll(async () => {
  market = await openMarket();
  for (const name of ['ハンコ', 'パン工房', 'バン雑貨', 'Łódzki chleb', 'Straße', 'Øl Glass']) await published(market, { name });
  await published(market, { name: 'One', tags: ['cafe\u0301', 'café', 'ＣＡＦＥ'], variants: [{ sku: 'SKU-É', price: zmw('1.00') }] });
});
afterAll(() => market.close());

async function find(where: object): Promise<Data[]> {
  const query = 'query ($where: ProductWhere) { products(where: $where, sort: [{ field: NAME }]) { nodes { name tags } } }';
  const { data } = await market.app.ask(query, { where }, { as: null });
  return data.products.nodes;
}

test.each([
  ['パン', ['パン工房']],
  ['ﾊﾟﾝ', ['パン工房']],
  ['ハ', ['ハンコ']],
  ['lodz', ['Łódzki chleb']],
  ['STRASSE', ['Straße']],
  ['ol g', ['Øl Glass']],
  ['o\u200Bl', ['Øl Glass']],
])('the beginning %j finds names that read so, and no others', async (nameStartsWith, names) => {
  expect((await find({ nameStartsWith })).map(({ name }) => name)).toEqual(names);
});

test('names of Japanese are sorted by their own letters', async () => {
  const names = (await find({})).map(({ name }) => name);

  expect(names.slice(-3)).toEqual(['ハンコ', 'バン雑貨', 'パン工房']);
});

test.each(['café', 'cafe\u0301', 'CAFÉ', 'ｃａｆé', 'ca\u200Bfé'])('the tag %j is one and the same', async (tag) => {
  expect(await find({ tags: { eq: tag } })).toEqual([{ name: 'One', tags: ['café', 'cafe'] }]);
});

test.each(['SKU-É', 'SKU-E\u0301', 'ＳＫＵ－É', 'SKU-É\u200B'])('the SKU %j is one and the same', async (sku) => {
  const { userErrors } = await market.change('createProduct', aProduct({ variants: [{ sku, price: zmw('1.00') }] }), PRODUCT);

  expect(userErrors).toMatchObject([{ code: 'SKU_TAKEN' }]);
});

test.each(['\u200b', '\u00ad', '\u2060', '\u3164', '\u2800', ' \uFEFF '])('%j is no name', async (name) => {
  const { userErrors } = await market.change('createProduct', aProduct({ name }), PRODUCT);

  expect(userErrors).toMatchObject([{ code: 'INVALID', path: ['input', 'name'] }]);
});

import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { newId } from '#shared/base/ids.ts';
import { readEntityMaxAge } from '#shared/kit/entity-max-age.ts';
import { aProduct, openMarket, PRODUCT, published, type Market } from './testing.ts';

let market: Market;
beforeAll(async () => {
  market = await openMarket();
});
afterAll(() => market.close());

const inSeconds = (seconds: number): string => new Date(market.app.clock.now().getTime() + seconds * 1_000).toISOString();

test('lists and their count hold no product whose time is over, so that a page is as long as it was asked for', async () => {
  await using other = await openMarket();
  const stays = await published(other, { tags: ['over'] });
  for (let turn = 0; turn < 3; turn += 1) {
    const { product } = await other.change('createProduct', aProduct({ tags: ['over'] }), PRODUCT);
    await other.change('publishProduct', { id: product.id, unpublishAt: new Date(Date.now() + 60_000).toISOString() }, PRODUCT);
  }
  other.app.clock.advance(61_000);

  const { data } = await other.app.ask('{ products(first: 1) { nodes { id } totalCount pageInfo { hasNextPage } } }', {}, { as: null });

  expect(data.products).toEqual({ nodes: [{ id: stays.id }], totalCount: 1, pageInfo: { hasNextPage: false } });
});

test('everyone may be told the same about a product until its time is over, and no longer', async () => {
  const seconds = async (id: string, typename: string): Promise<number> =>
    readEntityMaxAge(
      await market.app.runtime().execute({
        query: 'query ($ids: [_Any!]!) { _entities(representations: $ids) { __typename } }',
        variables: { ids: [{ __typename: typename, id }] },
        identity: { issuer: 'gateway', viewer: null, client: undefined },
        correlationId: newId('test'),
        deadline: Date.now() + 30_000,
      }),
    );
  const ends = await published(market);
  await market.change('publishProduct', { id: ends.id, unpublishAt: inSeconds(90) }, PRODUCT);
  const stays = await published(market);

  for (const [product, variant, least, most] of [
    [ends.id, ends.variants[0].id, 1, 90],
    [stays.id, stays.variants[0].id, 86_400, 86_400],
  ]) {
    for (const told of [await seconds(product, 'Product'), await seconds(variant, 'ProductVariant')]) {
      expect(told).toBeGreaterThanOrEqual(least);
      expect(told).toBeLessThanOrEqual(most);
    }
  }
  market.app.clock.advance(91_000);
  expect(await seconds(ends.id, 'Product')).toBe(0);
});

test('a product names no category that is gone, and all of them while nobody can say', async () => {
  await using other = await openMarket();
  const { id } = await published(other, { categoryIds: ['cat_food', 'cat_shoes'] });
  const named = async (): Promise<string[]> => {
    const { data } = await other.app.ask('query ($id: ID!) { product(id: $id) { categories { id } } }', { id }, { as: null });
    return data.product.categories.map((category: { id: string }) => category.id);
  };

  other.gone.add('*');
  const unknown = await named();
  other.gone.clear();
  other.gone.add('cat_food');

  expect(unknown).toEqual(['cat_food', 'cat_shoes']);
  expect(await named()).toEqual(['cat_shoes']);
});

const ACTIONS = 'product { state availableActions variants { id } }';

test('nothing is offered that is refused: a product without variants cannot be published', async () => {
  const { product: bare } = await market.change('createProduct', aProduct({ variants: [] }), `product { id }`);
  const offered = async (): Promise<string[]> =>
    (await market.app.ask('query ($id: ID!) { product(id: $id) { availableActions } }', { id: bare.id })).data.product.availableActions;

  const before = await offered();
  const refused = await market.change('publishProduct', { id: bare.id }, ACTIONS);
  await market.change('archiveProduct', { id: bare.id }, ACTIONS);
  const { userErrors } = await market.change('archiveProduct', { id: bare.id }, ACTIONS);
  await market.change('restoreProduct', { id: bare.id }, ACTIONS);
  await market.change('createVariant', { productId: bare.id, sku: 'BARE-1', price: { amount: '1.00', currency: 'ZMW' } }, 'variant { id }');

  expect(before).toEqual(['ARCHIVE']);
  expect(refused.userErrors).toMatchObject([{ code: 'NOTHING_TO_SELL' }]);
  expect(userErrors).toMatchObject([{ code: 'PRODUCT_STATE', availableActions: ['RESTORE'] }]);
  expect(await offered()).toEqual(['PUBLISH', 'ARCHIVE']);
});

test('a published product keeps a variant that can be bought: the last one is archived after the product is unpublished', async () => {
  const { id, variants } = await published(market);
  const archive = () => market.change('archiveVariant', { id: variants[0].id }, 'variant { isArchived }');

  const refused = await archive();
  const { data } = await market.app.ask('query ($id: ID!) { product(id: $id) { isPublished price { amount } } }', { id }, { as: null });
  await market.change('unpublishProduct', { id }, ACTIONS);
  const done = await archive();

  expect(refused.userErrors).toMatchObject([{ code: 'NOTHING_TO_SELL', path: ['input', 'id'] }]);
  expect(data.product).toEqual({ isPublished: true, price: { amount: '10.00' } });
  expect(done.variant).toEqual({ isArchived: true });
});

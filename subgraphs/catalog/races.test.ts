import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Data } from '#shared/testing/open.ts';
import { aProduct, codesOf, openMarket, PRODUCT, published, zmw, type Market } from './testing.ts';

let market: Market;
/** Printed, so that a run that failed can be repeated. */
const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000);

beforeAll(async () => {
  market = await openMarket();
  process.stderr.write(`catalog races: SEED=${seed}\n`);
});
afterAll(() => market.close());

/** The same numbers for the same seed. */
function numbers(start: number): () => number {
  let state = start;
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return state / 2_147_483_648;
  };
}

/** Starts all at about the same moment, in an order and with pauses of the seed's. */
async function atOnce<T>(tasks: (() => Promise<T>)[], random: () => number): Promise<T[]> {
  return Promise.all(
    tasks.map(async (task) => {
      await new Promise((resolve) => setTimeout(resolve, random() * 10));
      return task();
    }),
  );
}

const refusals = (payloads: Data[]): string[] => payloads.flatMap(codesOf).sort();

describe.each([1, 2, 3])('round %i', (round) => {
  const random = numbers(seed + round);

  test('a product edited by two is changed by one, and the other is told so', async () => {
    const { product } = await market.change('createProduct', aProduct(), PRODUCT);
    const edit = (name: string) => () => market.change('updateProduct', { id: product.id, expectedVersion: 1, name }, PRODUCT);

    const payloads = await atOnce([edit('First'), edit('Second')], random);

    expect(refusals(payloads)).toEqual(['STALE_VERSION']);
    const stale = payloads.find(({ userErrors }) => userErrors.length > 0);
    const won = payloads.find(({ userErrors }) => userErrors.length === 0);
    expect(stale.userErrors[0]).toMatchObject({ __typename: 'StaleVersionError', currentVersion: 2 });
    const { data } = await market.app.ask('query ($id: ID!) { product(id: $id) { name version } }', { id: product.id });
    expect(data.product).toEqual({ name: won.product.name, version: 2 });
  });

  test('a slug and a SKU that eight ask for are given to one', async () => {
    const sku = `RACE-${round}`;
    const create = () =>
      market.change('createProduct', aProduct({ slug: `race-${round}`, variants: [{ sku, price: zmw('1.00') }] }), PRODUCT);

    const payloads = await atOnce(
      Array.from({ length: 8 }, () => create),
      random,
    );

    expect(payloads.filter(({ product }) => product)).toHaveLength(1);
    expect(new Set(refusals(payloads))).toEqual(new Set(['SLUG_TAKEN']));
    expect(await market.app.context().models.Product.countDocuments({ 'variants.sku': sku })).toBe(1);
  });

  test('six variants added at once are all there, and the price range knows each', async () => {
    const { product } = await market.change('createProduct', aProduct({ variants: [] }), PRODUCT);
    const numbersId = (
      await market.change(
        'createAttribute',
        { vendorId: 'ven_a', code: `n-${round}`, name: 'N', type: 'NUMBER', variantAxis: true },
        'attribute { id }',
      )
    ).attribute.id;
    await market.change('updateProduct', { id: product.id, expectedVersion: 1, variantAxes: [numbersId] }, PRODUCT);
    const add = (number: number) => () =>
      market.change(
        'createVariant',
        {
          productId: product.id,
          sku: `${product.id}-${number}`,
          price: zmw(`${number}.00`),
          axisValues: [{ attributeId: numbersId, number }],
        },
        'variant { id }',
      );

    const payloads = await atOnce([1, 2, 3, 4, 5, 6].map(add), random);

    expect(refusals(payloads)).toEqual([]);
    const { data } = await market.app.ask(
      'query ($id: ID!) { product(id: $id) { variants { sku } priceRange { lowest { amount } highest { amount } } } }',
      { id: product.id },
    );
    expect(data.product.variants).toHaveLength(6);
    expect(data.product.priceRange).toEqual({ lowest: { amount: '1.00' }, highest: { amount: '6.00' } });
  });

  test('one idempotency key, five times at once, makes one product', async () => {
    const input = aProduct({ idempotencyKey: `race-key-${round}` });

    const payloads = await atOnce(
      Array.from({ length: 5 }, () => () => market.change('createProduct', input, PRODUCT)),
      random,
    );

    const made = new Set(payloads.flatMap(({ product }) => product?.id ?? []));
    expect(made.size).toBe(1);
    expect(refusals(payloads).every((code) => code === 'IDEMPOTENCY_IN_FLIGHT')).toBe(true);
    expect(await market.app.context().models.Product.countDocuments({ name: input['name'] })).toBe(1);
  });

  test('of publishing, archiving and deleting at once only legal steps happen, and each is told once', async () => {
    const { id } = await published(market);
    const before = await market.app.said();

    await atOnce(
      ['archiveProduct', 'unpublishProduct', 'deleteProduct', 'archiveProduct'].map(
        (name) => () => market.change(name, { id }, name === 'deleteProduct' ? 'deletedId' : PRODUCT),
      ),
      random,
    );

    const said = (await market.app.said()).slice(before.length).filter(({ data }) => data.productId === id);
    expect(said.filter(({ type }) => type === 'Product.Deleted')).toHaveLength(1);
    const stored = await market.app.context().models.Product.findById(id).lean();
    expect(stored).toMatchObject({ state: 'ARCHIVED', deletedAt: expect.any(Date), version: 2 + said.length });
  });
});

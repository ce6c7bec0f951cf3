import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { buildSchema } from '#shared/runtime/build-schema.ts';
import { jobRunsOf } from '#shared/jobs/store.ts';
import { outboxOf } from '#shared/messaging/outbox.ts';
import type { Data } from '#shared/testing/open.ts';
import { categoryDeleted } from '../categories/contract.ts';
import { vendorReinstated, vendorSuspended } from '../vendors/contract.ts';
import { invalidateCacheJob } from './contract.ts';
import { subgraph } from './subgraph.ts';
import { admin, aProduct, dora, hear, openMarket, PRODUCT, someAttributes, zmw, type Market } from './testing.ts';

/* Whatever becomes different for everyone is named by an event, so that nobody who kept it goes on showing it. */

const SEEN = `
  ... on Product {
    name slug description tags state isPublished publishAt unpublishAt version updatedAt
    vendor { id } categories { id } variantAxes { id } variants(includeArchived: true) { id }
    price { amount } priceRange { lowest { amount } highest { amount } }
    media { id url alt } metadata { key value } attributes { number boolean attribute { id } }
  }
  ... on ProductVariant {
    sku name weightGrams barcode isArchived isForSale version updatedAt
    cost: price { amount } compareAtPrice { amount } picture: media { id } product { id name isPublished }
  }`;
const PNG = Buffer.concat([Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]), Buffer.alloc(500, 1)]);

let market: Market;
let attributes: Record<string, string>;
let productId: string;
const variantIds = new Set<string>();
beforeAll(async () => {
  market = await openMarket();
  attributes = await someAttributes(market);
  const variants = ['s', 'm'].map((size) => ({ sku: `SHIRT-${size}`, price: zmw('10.00'), axisValues: [sized(size)] }));
  const input = aProduct({ variantAxes: [attributes['size']], variants, categoryIds: ['cat_shoes', 'cat_food'] });
  productId = (await market.change('createProduct', input, PRODUCT)).product.id;
});
afterAll(() => market.close());

const sized = (size: string) => ({ attributeId: attributes['size'], options: [size] });

/** What a stranger sees, by the tags that events call it. */
async function seen(): Promise<Map<string, string>> {
  const references = [{ __typename: 'Product', id: productId }, ...[...variantIds].map((id) => ({ __typename: 'ProductVariant', id }))];
  const { data } = await market.app.entities(references, SEEN, { as: dora });
  return new Map(references.map(({ __typename, id }, index) => [`${__typename}:${id}`, JSON.stringify(data._entities[index])]));
}

/** Of events and of the job that invalidates caches. */
async function toldTags(): Promise<string[]> {
  const events = await outboxOf(market.app.runtime().db).find().toArray();
  const runs = await jobRunsOf(market.app.runtime().db).find({ job: invalidateCacheJob.type }).toArray();
  const told = [
    ...events.map(({ occurredAt, tags = [] }) => ({ at: occurredAt, tags })),
    ...runs.map(({ createdAt, input }) => ({ at: createdAt, tags: invalidateCacheJob.tags(input as never) })),
  ];
  return told.toSorted((a, b) => a.at.getTime() - b.at.getTime()).flatMap(({ tags }) => tags);
}

/** The product as it is now, for whoever edits it. */
async function current(): Promise<Data> {
  const { data } = await market.app.ask(
    'query ($id: ID!) { product(id: $id) { version media { id } variants(includeArchived: true) { id version } } }',
    { id: productId },
  );
  for (const { id } of data.product.variants) variantIds.add(id);
  return data.product;
}

async function handIn(): Promise<string> {
  const input = { vendorId: 'ven_a', contentType: 'image/png', size: PNG.length };
  const { upload } = await market.change('createMediaUpload', input, 'upload { id url method headers { name value } }');
  const headers = upload.headers.map(({ name, value }: Data) => [name, value]);
  await fetch(upload.url, { method: upload.method, headers, body: new Uint8Array(PNG) });
  return upload.id;
}

type Step = (product: Data) => Record<string, unknown> | Promise<Record<string, unknown>>;
const byId: Step = () => ({ id: productId });
const ofVariant: Step = ({ variants }) => ({ id: variants[0].id });

/** One after the other, on the same product. */
const STEPS: [string, Step][] = [
  ['publishProduct', byId],
  ['updateProduct', ({ version }) => ({ id: productId, expectedVersion: version, name: 'Best shirt', tags: ['cotton'] })],
  ['updateProductMetadata', () => ({ id: productId, set: [{ key: 'season', value: 'winter' }] })],
  ['addMedia', async () => ({ productId, uploadId: await handIn(), alt: 'Front' })],
  ['addMedia', async () => ({ productId, uploadId: await handIn(), alt: 'Back' })],
  ['updateMedia', ({ media }) => ({ productId, mediaId: media[0].id, alt: 'From the front' })],
  [
    'reorderMedia',
    ({ version, media }) => ({ productId, expectedVersion: version, mediaIds: media.map(({ id }: Data) => id).toReversed() }),
  ],
  ['removeMedia', ({ media }) => ({ productId, mediaId: media[0].id })],
  ['createVariant', () => ({ productId, sku: 'SHIRT-l', price: zmw('12.00'), axisValues: [sized('l')] })],
  ['updateVariant', ({ variants }) => ({ id: variants[0].id, expectedVersion: variants[0].version, price: zmw('9.00') })],
  ['archiveVariant', ofVariant],
  ['restoreVariant', ofVariant],
  [
    'bulkUpdateProducts',
    ({ version, variants }) => ({
      vendorId: 'ven_a',
      products: [
        {
          id: productId,
          expectedVersion: version,
          tags: ['linen'],
          variants: [{ id: variants[1].id, expectedVersion: variants[1].version, price: zmw('8.00') }],
        },
      ],
    }),
  ],
  [
    'updateAttribute',
    () => ({ id: attributes['size'], expectedVersion: 1, options: ['s', 'm', 'l'].map((value) => ({ value, label: `Size ${value}` })) }),
  ],
  ['archiveProduct', byId],
  ['restoreProduct', byId],
  ['publishProduct', byId],
  ['unpublishProduct', byId],
  ['publishProduct', byId],
  ['deleteProduct', byId],
];
/** What these make was not there before, or is made by work that ends in the same writes. */
const NOTHING_SEEN = [
  'createAttribute',
  'createProduct',
  'bulkCreateProducts',
  'createMediaUpload',
  'createProductImportUpload',
  'startProductImport',
  'startProductExport',
  'cancelProductImport',
  'cancelProductExport',
];
/** From one state that nobody but the vendor sees to another. */
const UNSEEN = new Set(['restoreProduct']);

async function namesWhatChanged(change: () => Promise<unknown>): Promise<string[]> {
  await current();
  const [before, toldBefore] = [await seen(), await toldTags()];
  await change();
  await market.app.settled();
  const after = await seen();
  const told = (await toldTags()).slice(toldBefore.length);
  const different = [...before.keys()].filter((tag) => before.get(tag) !== after.get(tag));
  expect(told).toEqual(expect.arrayContaining(different));
  return different;
}

test('mutations name what they change, and those that are left out here change nothing', async () => {
  for (const [mutation, input] of STEPS) {
    const as = mutation === 'updateAttribute' ? admin : undefined;
    const different = await namesWhatChanged(async () => {
      const payload = await market.change(mutation, await input(await current()), '__typename', as);
      expect([mutation, payload.userErrors]).toEqual([mutation, []]);
    });
    if (!UNSEEN.has(mutation)) expect([mutation, different.length > 0]).toEqual([mutation, true]);
  }

  const all = Object.keys(buildSchema(subgraph).getMutationType()!.getFields());
  expect([...new Set(STEPS.map(([mutation]) => mutation)), ...NOTHING_SEEN].toSorted()).toEqual(all.toSorted());
});

test('what others say of categories and vendors is handed on by name', async () => {
  const { product } = await market.change('createProduct', aProduct({ categoryIds: ['cat_shoes', 'cat_food'] }), PRODUCT);
  productId = product.id;
  variantIds.clear();
  await market.change('publishProduct', { id: productId }, PRODUCT);
  const timestamp = new Date().toISOString();
  const later = new Date(Date.now() + 60_000);
  const { app } = market;

  const events: [string, (place: { id: string; at: Date }) => Promise<void>, Date][] = [
    ['evt_category', (place) => hear(app, categoryDeleted({ categoryId: 'cat_food', timestamp }), place), new Date()],
    ['evt_suspended', (place) => hear(app, vendorSuspended({ vendorId: 'ven_a', reason: 'No answer.', timestamp }), place), new Date()],
    ['evt_reinstated', (place) => hear(app, vendorReinstated({ vendorId: 'ven_a', timestamp }), place), later],
  ];
  for (const [id, heard, at] of events) {
    const different = await namesWhatChanged(() => heard({ id, at }));
    expect([id, different]).toEqual([id, expect.arrayContaining([`Product:${productId}`])]);
  }
});

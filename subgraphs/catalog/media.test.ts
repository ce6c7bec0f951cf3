import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Data } from '#shared/testing/open.ts';
import { wholeFile } from '#shared/testing/whole-file.ts';
import { findVariants } from './contract.ts';
import { aProduct, ann, ben, codesOf, dora, openMarket, PRODUCT, published, topCodes, type Market } from './testing.ts';

let market: Market;
beforeAll(async () => {
  market = await openMarket();
});
afterAll(() => market.close());

const PNG = Buffer.concat([Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]), Buffer.alloc(500, 1)]);
const UPLOAD = 'upload { id url method headers { name value } expiresAt }';
const MEDIA = 'product { id version media { id url contentType alt } variants { id version media { id } } }';

const prepared = async (more: Record<string, unknown> = {}, as = ann): Promise<Data> =>
  (await market.change('createMediaUpload', { vendorId: 'ven_a', contentType: 'image/png', size: PNG.length, ...more }, UPLOAD, as)).upload;

const put = ({ url, method, headers }: Data, body: Buffer): Promise<Response> =>
  fetch(url, {
    method,
    headers: Object.fromEntries(headers.map(({ name, value }: { name: string; value: string }) => [name, value])),
    body: new Uint8Array(body),
  });

/** A file that was handed in. */
async function handedIn(): Promise<string> {
  const upload = await prepared();
  expect((await put(upload, PNG)).status).toBe(201);
  return upload.id;
}

const withMedia = async (count: number): Promise<Data> => {
  let { product } = await market.change('createProduct', aProduct(), PRODUCT);
  for (let turn = 0; turn < count; turn += 1) {
    const input = { productId: product.id, uploadId: await handedIn(), alt: `Picture ${turn}` };
    ({ product } = await market.change('addMedia', input, MEDIA));
  }
  return product;
};

describe('createMediaUpload', () => {
  test('gives an address that takes one file', async () => {
    const upload = await prepared();

    expect(upload).toEqual({
      id: expect.stringMatching(/^upl_/),
      url: expect.stringContaining('/uploads/public/products/ven_a/'),
      method: 'PUT',
      headers: [{ name: 'content-type', value: 'image/png' }],
      expiresAt: expect.any(String),
    });
    expect((await put(upload, PNG)).status).toBe(201);
  });

  test.each([
    ['SVG', { contentType: 'image/svg+xml' }, 'contentType'],
    ['HTML', { contentType: 'text/html' }, 'contentType'],
    ['a table', { contentType: 'text/csv' }, 'contentType'],
    ['nothing', { size: 0 }, 'size'],
    ['more than there may be', { size: 10 * 1024 * 1024 + 1 }, 'size'],
  ])('refuses %s', async (_case, more, field) => {
    const payload = await market.change('createMediaUpload', { vendorId: 'ven_a', contentType: 'image/png', size: 1, ...more }, UPLOAD);

    expect(payload).toMatchObject({ upload: null, userErrors: [{ code: 'INVALID', path: ['input', field] }] });
  });

  test('is for members who may edit products', async () => {
    for (const mutation of [
      'createMediaUpload(input: { vendorId: "ven_a", contentType: "image/png", size: 1 })',
      'createProductImportUpload(input: { vendorId: "ven_a", size: 1 })',
    ]) {
      for (const as of [ben, dora])
        expect(topCodes(await market.app.ask(`mutation { ${mutation} { upload { id } } }`, {}, { as }))).toEqual(['FORBIDDEN']);
    }
  });

  test('is refused to a vendor that has prepared more than it may, until what it does not use is gone', async () => {
    await using other = await openMarket();
    const MEGABYTE = 1024 * 1024;
    const film = { vendorId: 'ven_a', contentType: 'video/mp4', size: 100 * MEGABYTE };
    const draw = async (input: object = film): Promise<string | undefined> =>
      codesOf(await other.change('createMediaUpload', { ...film, ...input }, UPLOAD))[0];
    const refusal = { __typename: 'PlainUserError', code: 'UPLOAD_LIMIT', path: ['input', 'vendorId'], message: expect.any(String) };

    const drawn = [];
    for (let turn = 0; turn < 11; turn += 1) drawn.push(await draw());
    const small = await draw({ contentType: 'image/png', size: 1 });
    const table = await other.change('createProductImportUpload', { vendorId: 'ven_a', size: 20 * MEGABYTE }, UPLOAD);
    other.app.clock.advance(26 * 3_600_000);
    await other.app.runJob('remove-unused-uploads');
    const again = await draw();

    expect(drawn).toEqual([...Array.from({ length: 10 }, () => undefined), 'UPLOAD_LIMIT']);
    expect(small).toBe('UPLOAD_LIMIT');
    expect(table).toMatchObject({ upload: null, userErrors: [refusal] });
    expect(again).toBeUndefined();
  });

  test.each([
    ['files', { files: 2_000, bytes: 0 }],
    ['bytes', { files: 0, bytes: 5_000 * 1024 * 1024 }],
  ])('is refused beyond the %s of a day, whatever was used of it', async (_case, today) => {
    await using other = await openMarket();
    const png = { vendorId: 'ven_a', contentType: 'image/png', size: 1 };
    const now = other.app.clock.now();
    const row = { _id: `ven_a ${now.toISOString().slice(0, 10)}`, endsAt: now, ...today };
    await other.app.context().models.UploadsDrawn.create([row]);

    expect(codesOf(await other.change('createMediaUpload', png, UPLOAD))).toEqual(['UPLOAD_LIMIT']);
    other.app.clock.advance(24 * 3_600_000);
    expect(codesOf(await other.change('createMediaUpload', png, UPLOAD))).toEqual([]);
  });

  test('prepares one file for one idempotency key', async () => {
    const [first, again] = [await prepared({ idempotencyKey: 'one-upload' }), await prepared({ idempotencyKey: 'one-upload' })];

    expect(again).toEqual(first);
  });
});

describe('addMedia', () => {
  test('shows the file with the product, where it was asked for', async () => {
    const product = await withMedia(2);

    const { product: now } = await market.change(
      'addMedia',
      { productId: product.id, uploadId: await handedIn(), alt: 'First', position: 0 },
      MEDIA,
    );

    expect(now.media.map(({ alt }: { alt: string }) => alt)).toEqual(['First', 'Picture 0', 'Picture 1']);
    expect(now.media[0]).toMatchObject({ id: expect.stringMatching(/^med_/), contentType: 'image/png' });
    const read = await fetch(now.media[0].url);
    expect(Buffer.from(await read.arrayBuffer()).equals(PNG)).toBe(true);
    expect((await market.app.said('Product.Updated')).at(-1)?.data.changes).toEqual(['media']);
  });

  test('refuses what was not handed in, what is something else, what is used, and what is of others', async () => {
    const product = await withMedia(0);
    const svg = Buffer.concat([Buffer.from('<svg>'), Buffer.alloc(PNG.length - 5, 32)]);
    const wrong = await prepared();
    expect((await put(wrong, svg)).status).toBe(415);
    const used = await handedIn();
    await market.change('addMedia', { productId: product.id, uploadId: used }, MEDIA);
    const foreign = (await market.change('createMediaUpload', { vendorId: 'ven_b', contentType: 'image/png', size: 1 }, UPLOAD, ben)).upload
      .id;
    const table = (await market.change('createProductImportUpload', { vendorId: 'ven_a', size: 5 }, UPLOAD)).upload.id;

    const codes = [];
    for (const uploadId of [(await prepared()).id, wrong.id, used, foreign, table, 'upl_none']) {
      codes.push(codesOf(await market.change('addMedia', { productId: product.id, uploadId }, MEDIA))[0]);
    }

    expect(codes).toEqual(['UPLOAD_MISSING', 'UPLOAD_MISSING', 'UPLOAD_USED', 'NOT_FOUND', 'NOT_FOUND', 'NOT_FOUND']);
  });

  test('refuses what lies there and is something else', async () => {
    const product = await withMedia(0);
    const upload = await prepared();
    const { models, providers } = market.app.context();
    const { key } = await models.Upload.findById(upload.id).lean();
    await put(upload, PNG);
    const name = key.split('/').at(-1).replace('.png', '');
    await providers.uploads.store({ folder: 'products/ven_a', visibility: 'PUBLIC', contentType: 'image/png' }, name, Buffer.from('<svg>'));

    expect(codesOf(await market.change('addMedia', { productId: product.id, uploadId: upload.id }, MEDIA))).toEqual(['UPLOAD_REFUSED']);
  });

  test('takes a file once, even when asked twice at the same moment', async () => {
    const product = await withMedia(0);
    const uploadId = await handedIn();

    const payloads = await Promise.all([1, 2, 3].map(() => market.change('addMedia', { productId: product.id, uploadId }, MEDIA)));

    expect(payloads.flatMap(codesOf)).toEqual(['UPLOAD_USED', 'UPLOAD_USED']);
  });

  test('adds at most 20', async () => {
    const product = await withMedia(1);
    const { Product } = market.app.context().models;
    const stored = await Product.findById(product.id).lean();
    await Product.updateOne(
      { _id: product.id },
      { $set: { media: Array.from({ length: 20 }, (_, index) => ({ ...stored.media[0], _id: `med_${index}` })) } },
    );

    expect(codesOf(await market.change('addMedia', { productId: product.id, uploadId: await handedIn() }, MEDIA))).toEqual([
      'TOO_MANY_MEDIA',
    ]);
  });
});

describe('media', () => {
  test('are described, put in order and taken away', async () => {
    const product = await withMedia(3);
    const [a, b, c] = product.media.map(({ id }: { id: string }) => id);
    const productId = product.id;

    const described = await market.change('updateMedia', { productId, mediaId: b, alt: 'The back' }, MEDIA);
    const ordered = await market.change(
      'reorderMedia',
      { productId, expectedVersion: described.product.version, mediaIds: [c, a, b] },
      MEDIA,
    );
    const removed = await market.change('removeMedia', { productId, mediaId: a }, MEDIA);
    const again = await market.change('removeMedia', { productId, mediaId: a }, MEDIA);

    expect(ordered.product.media.map(({ alt }: { alt: string }) => alt)).toEqual(['Picture 2', 'Picture 0', 'The back']);
    expect(removed.product.media.map(({ id }: { id: string }) => id)).toEqual([c, b]);
    expect(again).toEqual(removed);
  });

  test.each<[string, (ids: string[]) => string[]]>([
    ['some', (ids) => ids.slice(1)],
    ['one twice', (ids) => [ids[0]!, ids[0]!, ids[1]!]],
    ['another', (ids) => [...ids.slice(1), 'med_none']],
    ['251', () => Array(251).fill('med_x')],
  ])('are not put in order by naming %s', async (_case, change) => {
    const product = await withMedia(3);
    const mediaIds = change(product.media.map(({ id }: { id: string }) => id));

    const payload = await market.change('reorderMedia', { productId: product.id, expectedVersion: product.version, mediaIds }, MEDIA);

    expect(payload.userErrors[0]).toMatchObject({ code: 'INVALID', path: ['input', 'mediaIds'] });
  });

  test('are put in order against the version that was seen', async () => {
    const product = await withMedia(1);
    const mediaIds = [product.media[0].id];

    const payload = await market.change('reorderMedia', { productId: product.id, expectedVersion: 1, mediaIds }, MEDIA);

    expect(payload.userErrors[0]).toMatchObject({ code: 'STALE_VERSION', currentVersion: 2 });
  });

  test('show a variant, and are in what orders keep of it', async () => {
    const product = await withMedia(2);
    const [, second] = product.media;
    const { id } = product.variants[0];

    const { variant } = await market.change(
      'updateVariant',
      { id, expectedVersion: 1, mediaId: second.id },
      'variant { media { id alt } }',
    );
    const none = await market.change('updateVariant', { id, expectedVersion: 2, mediaId: 'med_none' }, 'variant { id }');
    const { variants } = await market.app.call(findVariants, { variantIds: [id] });
    const removed = await market.change('removeMedia', { productId: product.id, mediaId: second.id }, MEDIA);

    expect(variant.media).toEqual({ id: second.id, alt: 'Picture 1' });
    expect(none.userErrors[0]).toMatchObject({ code: 'NOT_FOUND', path: ['input', 'mediaId'] });
    expect(variants[0]?.imageUrl).toBe(second.url);
    expect(removed.product.variants[0]).toMatchObject({ media: null, version: 3 });
  });

  test('of others cannot be touched', async () => {
    const product = await withMedia(1);
    const [{ id }] = product.media;
    const inputs: [string, Record<string, unknown>][] = [
      ['addMedia', { productId: product.id, uploadId: 'upl_x' }],
      ['updateMedia', { productId: product.id, mediaId: id, alt: 'x' }],
      ['removeMedia', { productId: product.id, mediaId: id }],
      ['reorderMedia', { productId: product.id, expectedVersion: 2, mediaIds: [id] }],
    ];

    for (const [name, input] of inputs) expect(codesOf(await market.change(name, input, MEDIA, ben))).toEqual(['NOT_FOUND']);
    const open = await published(market);
    const asked = await market.app.ask(
      'mutation ($id: ID!) { removeMedia(input: { productId: $id, mediaId: "x" }) { product { id } } }',
      { id: open.id },
      { as: ben },
    );
    expect(topCodes(asked)).toEqual(['FORBIDDEN']);
    expect(codesOf(await market.change('updateMedia', { productId: product.id, mediaId: 'med_none', alt: 'x' }, MEDIA))).toEqual([
      'NOT_FOUND',
    ]);
  });
});

test('files that nobody uses go after a day, the others stay', async () => {
  const used = await withMedia(1);
  const forgotten = await prepared();
  await put(forgotten, PNG);
  const { models, providers } = market.app.context();
  const { key } = await models.Upload.findById(forgotten.id).lean();

  await market.app.runJob('remove-unused-uploads');
  expect(await wholeFile(providers.uploads, key)).toEqual(PNG);
  market.app.clock.advance(25 * 3_600_000);
  await market.app.runJob('remove-unused-uploads');
  await market.app.runJob('remove-unused-uploads');
  market.app.clock.advance(-25 * 3_600_000);

  expect(await wholeFile(providers.uploads, key)).toBeUndefined();
  expect((await fetch(used.media[0].url)).status).toBe(200);
  expect(codesOf(await market.change('addMedia', { productId: used.id, uploadId: forgotten.id }, MEDIA))).toEqual(['NOT_FOUND']);
});

test('a table that was imported goes after a week, one that is still read stays', async () => {
  await using other = await openMarket();
  const { models, providers } = other.app.context();
  const keys: string[] = [];
  for (const [importId, finishedAt] of [
    ['imp_done', other.app.clock.now()],
    ['imp_runs', null],
  ] as const) {
    const { upload } = await other.change('createProductImportUpload', { vendorId: 'ven_a', size: 9 }, UPLOAD);
    await put(upload, Buffer.from('slug,sku\n'));
    const { key } = await models.Upload.findByIdAndUpdate(upload.id, { $set: { usedBy: importId } }).lean();
    keys.push(key);
    const state = finishedAt ? 'DONE' : 'RUNNING';
    await models.ProductImport.create([
      { _id: importId, vendorId: 'ven_a', startedBy: 'usr_ann', key, errorPolicy: 'IGNORE_FAILED', state, finishedAt },
    ]);
  }

  await other.app.runJob('remove-unused-uploads');
  const before = await Promise.all(keys.map((key) => wholeFile(providers.uploads, key)));
  other.app.clock.advance(8 * 24 * 3_600_000);
  await other.app.runJob('remove-unused-uploads');
  const after = await Promise.all(keys.map((key) => wholeFile(providers.uploads, key)));

  expect([before, after].map((files) => files.map((file) => file !== undefined))).toEqual([
    [true, true],
    [false, true],
  ]);
});

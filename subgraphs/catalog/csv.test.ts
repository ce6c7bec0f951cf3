import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { parse } from 'csv-parse/sync';
import fc from 'fast-check';
import type { Data } from '#shared/testing/open.ts';
import { columnsFor, joinList, splitList, writeRows } from './actions/csv.ts';
import { readTable } from './actions/csv-reading.ts';
import { importJob } from './contract.ts';
import { exportFile, FILE, finished, handIn, IMPORT, importFile, inChunks, productsOf } from './test-files.ts';
import { ben, carl, codesOf, dora, openMarket, published, topCodes, zmw, type Market } from './testing.ts';

let market: Market;
const ids: Record<string, string> = {};

beforeAll(async () => {
  market = await openMarket();
  await define(market);
});
afterAll(() => market.close());

async function define(of: Market): Promise<void> {
  const attribute = async (code: string, input: Record<string, unknown>): Promise<void> => {
    ids[code] = (await of.change('createAttribute', { vendorId: 'ven_a', code, name: code, ...input }, 'attribute { id }')).attribute.id;
  };
  await attribute('size', { type: 'SELECT', variantAxis: true, options: ['s', 'm'].map((value) => ({ value, label: value })) });
  await attribute('grams', { type: 'NUMBER' });
  await attribute('organic', { type: 'BOOLEAN' });
  await attribute('maker', { type: 'TEXT' });
  await attribute('uses', { type: 'MULTISELECT', options: ['a', 'b'].map((value) => ({ value, label: value })) });
}

describe('cells', () => {
  test('come back as they were, whatever they hold, and none begins like a formula', async () => {
    const columns = columnsFor(['x']);
    // What is kept has no spaces around it.
    const text = fc
      .oneof(fc.string(), fc.constantFrom('=1+1', "'=1", "''+x", '-5', '@a', "'\tx", "'\rx", "'", '＝1', 'a"b,c\nd', ';', '|', '"', '"a"b'))
      .map((value) => value.trim());
    await fc.assert(
      fc.asyncProperty(fc.array(fc.record({ name: text, description: text }), { minLength: 1, maxLength: 5 }), async (rows) => {
        const given = rows.map((row) => ({ slug: 's', sku: 'k', ...row }));

        const file = writeRows(columns, given, { header: true });

        const back = await Array.fromAsync(readTable(inChunks(file)));
        expect(back.map(({ cells, fault }) => ({ ...cells, fault }))).toMatchObject(rows.map((row) => ({ ...row, fault: null })));
        const cells = parse(file).flat();
        expect(cells.filter((cell) => /^[=+\-@\t\r＋－＝＠]/.test(cell))).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });

  test('hold lists that come back as they were', () => {
    const entry = fc.string({ minLength: 1 }).filter((value) => value === value.trim());
    fc.assert(fc.property(fc.array(entry), (entries) => expect(splitList(joinList(entries))).toEqual(entries)));
  });
});

const attributeColumns = (count: number): string => Array.from({ length: count }, (_, index) => `attribute:a${index}`).join(',');

describe('startProductImport', () => {
  test('makes and changes products as the file says', async () => {
    const known = await published(market, {
      slug: 'known',
      tags: ['old'],
      variants: [{ sku: 'KNOWN', price: zmw('1.00'), weightGrams: 5 }],
    });
    const file = [
      'slug;name;description;categories;tags;axes;sku;price;attribute:size;attribute:grams;attribute:organic;attribute:uses;state;metadata',
      'shirt;Shirt;Soft;cat_food|cat_shoes;a|b;size;SH-S;10.00;s;250;yes;a|b;PUBLISHED;"{""k"":""v""}"',
      'shirt;;;;;;SH-M;12.50;m;;;;;',
      'known;Known now;;;new;;KNOWN;2.00;;;;;;',
    ].join('\r\n');

    const done = await importFile(market, `\uFEFF${file}`);

    expect(done).toMatchObject({
      state: 'DONE',
      total: 3,
      processed: 3,
      created: 1,
      updated: 1,
      failed: 0,
      errors: [],
      vendor: { id: 'ven_a' },
      finishedAt: expect.any(String),
    });
    const query =
      'query ($slug: String!) { productBySlug(vendorId: "ven_a", slug: $slug) { id name description isPublished tags version categories { id } attributes { attribute { code } text } metadata { key value } variants { sku name weightGrams price { amount } } } }';
    const shirt = (await market.app.ask(query, { slug: 'shirt' }, { as: null })).data.productBySlug;
    expect(shirt).toMatchObject({
      name: 'Shirt',
      description: 'Soft',
      isPublished: true,
      tags: ['a', 'b'],
      categories: [{ id: 'cat_food' }, { id: 'cat_shoes' }],
      attributes: [
        { attribute: { code: 'grams' }, text: '250' },
        { attribute: { code: 'organic' }, text: 'yes' },
        { attribute: { code: 'uses' }, text: 'a, b' },
      ],
      metadata: [{ key: 'k', value: 'v' }],
      variants: [
        { sku: 'SH-S', name: 's', price: { amount: '10.00' } },
        { sku: 'SH-M', name: 'm', price: { amount: '12.50' } },
      ],
    });
    const now = (await market.app.ask(query, { slug: 'known' }, { as: null })).data.productBySlug;
    expect(now).toMatchObject({
      id: known.id,
      name: 'Known now',
      tags: ['new'],
      isPublished: true,
      variants: [{ sku: 'KNOWN', weightGrams: 5, price: { amount: '2.00' } }],
    });
  });

  test('tells what is wrong by row and column, and takes the other products', async () => {
    const file = [
      'slug,name,categories,sku,price,currency,weight_grams,attribute:grams,attribute:none,state',
      'ok,Fine,,OK-1,1.00,,,,,',
      'w1,,,W-1,1.00,,,,,',
      'w2,Wrong category,cat_none,W-2,1.00,,,,,',
      'w3,Wrong price,,W-3,a lot,,,,,',
      'w3,,,W-3B,1.00,,,,,',
      'w4,Wrong money,,W-4,1,JPY,,,,',
      'w5,Wrong weight,,W-5,1.00,,heavy,,,',
      'w6,Wrong number,,W-6,1.00,,,many,,',
      'w7,No such attribute,,W-7,1.00,,,,x,',
      'w8,Wrong state,,W-8,1.00,,,,,SOLD',
      'w9,Nothing to sell,,,,,,,,PUBLISHED',
      'w10,SKU of another,,OK-1,1.00,,,,,',
      'Not A Slug,Name,,W-11,1.00,,,,,',
    ].join('\n');

    const done = await importFile(market, file);

    expect(done).toMatchObject({ state: 'DONE', total: 13, processed: 13, created: 1, updated: 0, failed: 12, errorCount: 11 });
    expect(done.errors.map(({ row, column, code }: Data) => [row, column, code])).toEqual([
      [3, 'name', 'INVALID'],
      [4, 'categories', 'NOT_FOUND'],
      [5, 'price', 'INVALID'],
      [7, 'currency', 'CURRENCY_MISMATCH'],
      [8, 'weight_grams', 'INVALID'],
      [9, 'attribute:grams', 'INVALID'],
      [10, 'attribute:none', 'NOT_FOUND'],
      [11, 'state', 'INVALID'],
      [12, 'state', 'NOTHING_TO_SELL'],
      [13, 'sku', 'SKU_TAKEN'],
      [14, 'slug', 'INVALID'],
    ]);
  });

  test('takes what is right about a product when the rest is to be ignored', async () => {
    const file = ['slug,name,categories,sku,price', 'half,Half,cat_none|cat_food,H-1,1.00', 'half,,,H-2,wrong'].join('\n');

    const done = await importFile(market, file, { errorPolicy: 'IGNORE_FAILED' });

    expect(done).toMatchObject({ created: 1, failed: 2, errorCount: 2 });
    const [half] = (await productsOf(market)).filter(({ slug }) => slug === 'half');
    expect([half?.['categoryIds'], half?.['variants'].map(({ sku }: Data) => sku)]).toEqual([['cat_food'], ['H-1']]);
  });

  test('goes on with a product in later rows without saying anything about it', async () => {
    const first = ['slug,name,tags,axes,sku,price,attribute:size', 'later,Later,a|b,size,L-1,1.00,s'].join('\n');
    const second = ['slug,name,tags,axes,sku,price,attribute:size', 'later,,,,L-2,2.00,m'].join('\n');

    await importFile(market, first);
    const done = await importFile(market, second);

    expect(done).toMatchObject({ created: 0, updated: 1, failed: 0 });
    const [later] = (await productsOf(market)).filter(({ slug }) => slug === 'later');
    expect(later).toMatchObject({ name: 'Later', tags: ['a', 'b'], variants: [{ sku: 'L-1' }, { sku: 'L-2' }] });
  });

  test.each<[string, string | Buffer, RegExp]>([
    ['without rows', 'slug,sku\n', /no rows/],
    ['without a column it needs', 'name\nx\n', /no column slug/],
    ['with a column that is none', 'slug,sku,prise\na,b,c\n', /no column "prise"/],
    ['with two columns of one name', 'slug,sku,price,Price\na,b,1.00,2.00\n', /two columns "price"/],
    ['with more columns than are read', `slug,sku,${attributeColumns(10_000)}\na,b\n`, /more than 1000 columns/],
    ['with a column whose name is no code', `slug,sku,attribute:${'a'.repeat(101)}\na,b,c\n`, /no column "attribute:aaa/],
    ['whose cells are parted by something else', 'sep=|\nslug|sku\na|b\n', /comma, semicolon or tab/],
    ['with a row that never ends', `slug,sku\na,"${'x'.repeat(200_001)}`, /Row 2 has more than 200000 characters/],
    ['that is not UTF-8', Buffer.from([0x73, 0x6c, 0x75, 0x67, 0x2c, 0x73, 0x6b, 0x75, 0x0a, 0xff, 0xfe, 0x2c, 0x78]), /UTF-8/],
  ])('fails for a file %s', async (_case, file, message) => {
    const done = await importFile(market, file);

    expect(done).toMatchObject({
      state: 'FAILED',
      errorCount: 1,
      processed: 0,
      errors: [{ column: null, code: 'INVALID', message: expect.stringMatching(message) }],
    });
  });

  test('starts once for a file and for an idempotency key', async () => {
    const uploadId = await handIn(market, 'slug,sku\na,b\n');
    const input = { vendorId: 'ven_a', uploadId, idempotencyKey: 'import-once' };

    const first = await market.change('startProductImport', input, 'productImport { id }');
    const again = await market.change('startProductImport', input, 'productImport { id }');
    const other = await market.change('startProductImport', { vendorId: 'ven_a', uploadId }, 'productImport { id }');
    const missing = (await market.change('createProductImportUpload', { vendorId: 'ven_a', size: 5 }, FILE)).upload.id;

    expect(again).toEqual(first);
    expect(codesOf(other)).toEqual(['UPLOAD_USED']);
    expect(codesOf(await market.change('startProductImport', { vendorId: 'ven_a', uploadId: missing }, 'productImport { id }'))).toEqual([
      'UPLOAD_MISSING',
    ]);
    expect(codesOf(await market.change('startProductImport', { vendorId: 'ven_a', uploadId: 'upl_none' }, 'productImport { id }'))).toEqual(
      ['NOT_FOUND'],
    );
    expect(
      codesOf(
        await market.change(
          'startProductImport',
          { vendorId: 'ven_a', uploadId: missing, errorPolicy: 'REJECT_ALL' },
          'productImport { id }',
        ),
      ),
    ).toEqual(['INVALID']);
  });

  test('is shown to members who may edit products, and to nobody else', async () => {
    const done = await importFile(market, 'slug,name,sku,price\nmine,Mine,MINE,1.00\n');
    const { productExport } = await market.change('startProductExport', { vendorId: 'ven_a' }, 'productExport { id }');
    await finished(market, 'productExport', productExport.id, 'url');
    const query = 'query ($import: ID!, $export: ID!) { productImport(id: $import) { id } productExport(id: $export) { url } }';
    const both = [
      { __typename: 'ProductImport', id: done.id },
      { __typename: 'ProductExport', id: productExport.id },
    ];

    for (const as of [ben, carl, dora]) {
      const { data } = await market.app.ask(query, { import: done.id, export: productExport.id }, { as });
      const entities = await market.app.entities(both, '... on ProductImport { id } ... on ProductExport { url }', { as });
      expect([data, entities.data._entities]).toEqual([{ productImport: null, productExport: null }, [null, null]]);
    }
    expect(topCodes(await market.app.ask(query, { import: done.id, export: productExport.id }, { as: null }))).toEqual([
      'UNAUTHENTICATED',
      'UNAUTHENTICATED',
    ]);
    for (const name of [
      'startProductImport(input: { vendorId: "ven_a", uploadId: "x" }) { productImport',
      'startProductExport(input: { vendorId: "ven_a" }) { productExport',
    ]) {
      expect(topCodes(await market.app.ask(`mutation { ${name} { id } } }`, {}, { as: ben }))).toEqual(['FORBIDDEN']);
    }
  });
});

describe('an export', () => {
  test('imports to the same', async () => {
    await using other = await openMarket();
    await define(other);
    const attributes = [
      { attributeId: ids['grams'], number: -1.5 },
      { attributeId: ids['maker'], text: "'=HYPERLINK(1)" },
      { attributeId: ids['uses'], options: ['b'] },
    ];
    const axisValues = (value: string) => [{ attributeId: ids['size'], options: [value] }];
    const variants = [
      { sku: '=1+1', price: zmw('10.00'), compareAtPrice: zmw('12.00'), weightGrams: 0, barcode: '-600', axisValues: axisValues('s') },
      { sku: '@B', price: zmw('11.00'), axisValues: axisValues('m') },
    ];
    const full = await published(other, {
      name: '+Risky',
      description: 'a,"b"\nc;d',
      categoryIds: ['cat_food', 'cat_shoes'],
      tags: ['x|y', String.raw`back\slash`],
      attributes,
      variantAxes: [ids['size']],
      variants,
      metadata: [{ key: 'a', value: '=1' }],
      privateMetadata: [{ key: 'b', value: '2' }],
    });
    await other.change('archiveVariant', { id: full.variants[1].id }, 'variant { id }');
    await other.change(
      'createVariant',
      { productId: full.id, sku: 'Heir', price: zmw('5.00'), axisValues: axisValues('m') },
      'variant { id }',
    );
    await other.change('publishProduct', { id: full.id, unpublishAt: '2099-01-01T00:00:00Z' }, 'product { id }');
    const archived = await published(other, { description: null });
    await other.change('archiveProduct', { id: archived.id }, 'product { id }');
    await other.change('createProduct', { vendorId: 'ven_a', name: 'Bare' }, 'product { id }');
    const file = await exportFile(other);
    const before = await productsOf(other);

    for (const { _id } of before) await other.change('deleteProduct', { id: _id }, 'deletedId');
    const done = await importFile(other, file);

    expect(done).toMatchObject({ state: 'DONE', created: 3, failed: 0, errors: [] });
    expect(await exportFile(other)).toBe(file);
    const again = await importFile(other, file);
    expect(again).toMatchObject({ created: 0, updated: 3, failed: 0 });
    expect((await productsOf(other)).map(({ version }) => version)).toEqual([1, 1, 1]);
  }, 120_000);

  test('holds no cell that a spreadsheet would run', async () => {
    await using other = await openMarket();
    await published(other, { name: '=cmd', description: '@x', variants: [{ sku: '+1', price: zmw('1.00') }] });

    const rows = (await exportFile(other)).split('\n').slice(1).filter(Boolean);

    for (const cell of rows.flatMap((row) => row.split(','))) expect(cell.replace(/^"/, '')).not.toMatch(/^[=+\-@\t\r＋－＝＠]/);
  });

  test('takes only the states that were asked for, and says how far it is', async () => {
    await using other = await openMarket();
    await published(other, { slug: 'open' });
    await other.change('createProduct', { vendorId: 'ven_a', name: 'Draft' }, 'product { id }');

    const file = await exportFile(other, { states: ['DRAFT'] });

    expect(file).toContain('draft,Draft');
    expect(file).not.toContain('open,');
    const nothing = await exportFile(other, { states: ['ARCHIVED'] });
    expect(nothing.trim().split('\n')).toHaveLength(1);
  });
});

describe('an import of 2,000 rows', () => {
  test('goes on where it stopped, does nothing twice, and keeps what is wrong', async () => {
    await using other = await openMarket();
    await define(other);
    await other.change(
      'createAttribute',
      { vendorId: 'ven_a', code: 'number', name: 'Number', type: 'NUMBER', variantAxis: true },
      'attribute { id }',
    );
    const rows = Array.from({ length: 2_000 }, (_, index) => {
      const [product, variant] = [Math.floor(index / 20), index % 20];
      const price = product % 25 === 7 && variant === 3 ? 'wrong' : `${variant + 1}.00`;
      return `bulk-${product},${variant === 0 ? `Bulk ${product}` : ''},P${product}-${variant},${price},${variant},number`;
    });
    const file = ['slug,name,sku,price,attribute:number,axes', ...rows].join('\n');
    const uploadId = await handIn(other, file);
    const { Product } = other.app.context().models;
    const insertMany = Product.insertMany;
    let calls = 0;
    Product.insertMany = async function failing(...args: unknown[]) {
      calls += 1;
      const made = await insertMany.apply(this, args);
      // The write is done, the commit is not: what a process that dies here leaves behind.
      if ([2, 5, 6, 20].includes(calls)) throw new Error('died in the middle of a part');
      return made;
    };
    const { productImport } = await other.change('startProductImport', { vendorId: 'ven_a', uploadId }, IMPORT);

    const done = await finished(other, 'productImport', productImport.id, IMPORT.slice('productImport {'.length, -1), {
      patienceMs: 120_000,
    });
    for (const envelope of await other.app.said(importJob.type)) await other.app.runtime().jobs.takeIn({ envelope, from: 'catalog' });
    await other.app.settled();

    expect(done).toMatchObject({ state: 'DONE', total: 2_000, processed: 2_000, created: 96, failed: 80, errorCount: 4 });
    expect(done.errors.map(({ row, column }: Data) => [row, column])).toEqual(
      Array.from({ length: 4 }, (_, index) => [(index * 25 + 7) * 20 + 3 + 2, 'price']),
    );
    expect(calls).toBe(20 + 4);
    expect(await Product.countDocuments({ vendorId: 'ven_a' })).toBe(96);
    expect((await other.app.said('Product.Created')).length).toBe(96);
  }, 180_000);
});

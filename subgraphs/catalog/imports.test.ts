import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Envelope } from '#shared/kit/define-event.ts';
import type { Data } from '#shared/testing/open.ts';
import { ATTEMPTS } from '#shared/messaging/queues.ts';
import { exportJob, importJob } from './contract.ts';
import { admin, openMarket, published, topCodes, zmw, type Market } from './testing.ts';
import { finished, handIn, IMPORT, importFile } from './test-files.ts';

let market: Market;
beforeAll(async () => {
  market = await openMarket();
});
afterAll(() => market.close());

const productBySlug = async (slug: string): Promise<Data> =>
  (await market.app.context().models.Product.findOne({ vendorId: 'ven_a', slug }).lean()) ?? null;
const told = ({ errors }: Data): unknown[] => errors.map(({ row, column, code }: Data) => [row, column, code]);

describe('a row of an import', () => {
  test.each([
    ['44562'],
    ['03/04/2027'],
    ['1'],
    ['sale from Monday 12'],
    ['2026-12-01 08:30'],
    ['2026-12-01T08:30:00'],
    ['December 2026'],
    ['0000-01-01T00:00:00Z'],
  ])('is refused for the time %j, and the others are imported', async (time) => {
    const slug = `date-${time.replaceAll(/[^a-z0-9]+/gi, '-').toLowerCase()}`;
    const file = `slug,name,sku,price,state,publish_at\n${slug},Bad,${slug},1.00,PUBLISHED,${time}\n${slug}-ok,Good,${slug}-ok,1.00,DRAFT,\n`;

    const done = await importFile(market, file);

    expect(done).toMatchObject({ state: 'DONE', created: 1, failed: 1 });
    expect(told(done)).toEqual([[2, 'publish_at', 'INVALID']]);
  });

  test('takes a time with its zone, as the API does', async () => {
    await importFile(market, 'slug,name,sku,price,state,publish_at\ntimed,T,T-1,1.00,PUBLISHED, 2027-03-01T08:30:00+02:00 \n');

    expect((await productBySlug('timed')).publishAt).toEqual(new Date('2027-03-01T06:30:00Z'));
  });

  test.each([
    ['{"a":{"b":1}}'],
    ['{"a":[1,2]}'],
    ['{"a":null}'],
    ['{"a":12345678901234567890}'],
    ['{"a":true}'],
    ['{"a":"1","a":"2"}'],
    [String.raw`{"a":"1","\u0061":"2"}`],
    ['{"a":{"b":1},"a":"2"}'],
    ['["a","b"]'],
    ['"a"'],
    ['{"a":"1"} {'],
    ['{"a" "1"}'],
  ])('is refused for the facts %s', async (facts) => {
    for (const column of ['metadata', 'private_metadata']) {
      const file = `slug,name,sku,price,${column}\nfacts,Facts,F-1,1.00,"${facts.replaceAll('"', '""')}"\n`;

      expect(told(await importFile(market, file))).toEqual([[2, column, 'INVALID']]);
    }
    expect(await productBySlug('facts')).toBeNull();
  });

  test('keeps facts that are texts, in their order', async () => {
    const facts = String.raw`{ "b": "x, \"y\" : {z}", "10": "", "9": "\u00e4" }`;

    await importFile(market, `slug,name,sku,price,metadata\nordered,O,O-1,1.00,"${facts.replaceAll('"', '""')}"\n`);

    const { metadata } = await productBySlug('ordered');
    expect(metadata.map(({ key, value }: Data) => [key, value])).toEqual([
      ['b', 'x, "y" : {z}'],
      ['10', ''],
      ['9', 'ä'],
    ]);
  });

  test('is refused when an earlier row has its SKU in the same product, however far away', async () => {
    const between = Array.from({ length: 120 }, (_, index) => `between-${index},B,BE-${index},1.00`);
    const file = ['slug,name,sku,price', 'twice,Twice,TW-1,1.00', ...between, 'twice,,TW-1,5.00', 'near,Near,N-1,1.00', 'near,,N-1,2.00'];

    const done = await importFile(market, file.join('\n'));

    expect(told(done)).toEqual([
      [123, 'sku', 'INVALID'],
      [125, 'sku', 'INVALID'],
    ]);
    expect((await productBySlug('twice')).variants).toMatchObject([{ sku: 'TW-1', price: { amount: 100 } }]);
    expect(await productBySlug('near')).toBeNull();
  });

  test('has one rule for spaces: they say nothing around any cell', async () => {
    await importFile(market, 'slug,name,sku,price,weight_grams,currency,state\n spaced , S , S-1 , 12.50 , 500 , ZMW , DRAFT \n');

    expect(await productBySlug('spaced')).toMatchObject({
      name: 'S',
      variants: [{ sku: 'S-1', weightGrams: 500, price: { amount: 1_250 } }],
    });
  });

  test('that is too short spoils its product, not the file', async () => {
    const done = await importFile(market, 'slug,name,sku,price\nshort,Short,SH-1,1.00\nshort,,SH-2\nwhole,Whole,WH-1,1.00\n');

    expect(done).toMatchObject({ state: 'DONE', created: 1, failed: 2 });
    expect(told(done)).toEqual([[3, null, 'INVALID']]);
    expect(await productBySlug('short')).toBeNull();
  });

  test('that is too short leaves the rest of its product when what is right shall be taken', async () => {
    const file = 'slug,name,sku,price\nrest,Rest,RE-1,1.00\nrest,,RE-2\nlost,Lost,LO-9\nlost,,LO-8,1.00\n';

    const done = await importFile(market, file, { errorPolicy: 'IGNORE_FAILED' });

    expect(done).toMatchObject({ created: 1, failed: 3 });
    expect(told(done)).toEqual([
      [3, null, 'INVALID'],
      [4, null, 'INVALID'],
      [5, 'name', 'INVALID'],
    ]);
    expect((await productBySlug('rest')).variants.map(({ sku }: Data) => sku)).toEqual(['RE-1']);
  });

  test('cannot archive the last variant of a product that is published, whatever the policy', async () => {
    await published(market, { slug: 'last-one', variants: [{ sku: 'LO-1', price: zmw('1.00') }] });
    const file = (name: string): string => `slug,name,sku,variant_state\nlast-one,${name},LO-1,ARCHIVED\n`;

    const codes = [];
    for (const name of ['', 'Name']) {
      for (const errorPolicy of ['REJECT_FAILED_ROWS', 'IGNORE_FAILED'])
        codes.push(...told(await importFile(market, file(name), { errorPolicy })));
    }

    expect(codes.map((entry) => (entry as string[])[2])).toEqual(Array.from({ length: 4 }, () => 'NOTHING_TO_SELL'));
    expect(await productBySlug('last-one')).toMatchObject({ state: 'PUBLISHED', variants: [{ archivedAt: null }] });
  });

  test('that trips us is told, and the others are imported', async () => {
    const { Product } = market.app.context().models;
    await importFile(market, 'slug,name,sku,price\ntrips,T,TR-1,1.00\n');
    // Nothing the API lets in: what a bug might leave.
    await Product.collection.updateOne({ slug: 'trips' }, { $set: { 'variants.0.price': null } });

    const done = await importFile(market, 'slug,name,sku,price,compare_at_price\ntrips,T,TR-1,,2.00\nfine,F,FI-1,1.00,\n');

    expect(done).toMatchObject({ state: 'DONE', created: 1, failed: 1 });
    expect(done.errors).toEqual([{ row: 2, column: null, code: 'JOB_FAILED', message: expect.stringMatching(/on our side/) }]);
  });
});

/** Delivers a job's next part, as its queue would at the last attempt. */
async function deliverLast(of: Market, type: string, data: Record<string, unknown>): Promise<void> {
  const consumer = of.app.runtime().consumers.find(({ queue }) => queue === type)!;
  const envelope: Envelope = {
    id: `evt_${type}`,
    type,
    version: 1,
    occurredAt: of.app.clock.now().toISOString(),
    correlationId: 'test',
    data,
  };
  await consumer.deliver({ envelope, from: 'catalog' }, ATTEMPTS);
}

describe('a job that is given up', () => {
  test('ends an import as FAILED, tells its owner why, and is seen by admins', async () => {
    await using other = await openMarket();
    const { models } = other.app.context();
    await models.ProductImport.create([
      {
        _id: 'imp_1',
        vendorId: 'ven_a',
        startedBy: 'usr_ann',
        key: 'x',
        errorPolicy: 'IGNORE_FAILED',
        state: 'RUNNING',
        parts: 1,
        total: 1,
      },
    ]);
    await models.ImportPart.create([{ _id: 'imp_1 1', importId: 'imp_1', rows: [{ number: 2, cells: { slug: 'a' }, fault: null }] }]);
    await models.ImportTurn.create([{ _id: 'ven_a', importId: 'imp_1' }]);
    models.Attribute.find = () => {
      throw new TypeError('password=secret at 10.0.0.7');
    };

    await deliverLast(other, importJob.type, { importId: 'imp_1', part: 1 });

    const query = `{ productImport(id: "imp_1") { ${IMPORT.slice('productImport {'.length, -1)} } }`;
    for (const as of [undefined, admin]) {
      const { data } = await other.app.ask(query, {}, as && { as });
      expect(data.productImport).toMatchObject({
        state: 'FAILED',
        finishedAt: expect.any(String),
        errorCount: 1,
        errors: [{ row: null, column: null, code: 'JOB_FAILED', message: expect.stringMatching(/on our side/) }],
      });
      expect(JSON.stringify(data)).not.toContain('secret');
    }
    expect(await other.app.context().db.collection('deadLetters').countDocuments({ queue: 'catalog-imports' })).toBe(1);
    expect(await models.ImportTurn.countDocuments()).toBe(0);
  });

  test('ends an export as FAILED and tells its owner why', async () => {
    await using other = await openMarket();
    const { models } = other.app.context();
    await models.ProductExport.create([{ _id: 'exp_1', vendorId: 'ven_a', startedBy: 'usr_ann', productStates: [], columns: [] }]);
    models.Attribute.find = () => {
      throw new TypeError('password=secret');
    };

    await deliverLast(other, exportJob.type, { exportId: 'exp_1', part: 0 });

    const { data } = await other.app.ask('{ productExport(id: "exp_1") { state failure url finishedAt } }');
    expect(data.productExport).toEqual({
      state: 'FAILED',
      failure: expect.stringMatching(/on our side/),
      url: null,
      finishedAt: expect.any(String),
    });
  });

  test('lets the next import of the vendor begin', async () => {
    await using other = await openMarket();
    const { models } = other.app.context();
    await models.ImportTurn.create([{ _id: 'ven_a', importId: 'imp_1' }]);
    await models.ProductImport.create([
      { _id: 'imp_1', vendorId: 'ven_a', startedBy: 'usr_ann', key: 'x', errorPolicy: 'IGNORE_FAILED', state: 'RUNNING' },
    ]);
    const uploadId = await handIn(other, 'slug,name,sku,price\nwaits,W,W-1,1.00\n');
    const { productImport } = await other.change('startProductImport', { vendorId: 'ven_a', uploadId }, IMPORT);
    await other.app.settled();
    const { data } = await other.app.ask(`{ productImport(id: "${productImport.id}") { state total } }`);

    other.app.clock.advance(25 * 3_600_000);
    await other.app.runJob('end-stalled-jobs');

    expect(data.productImport).toEqual({ state: 'QUEUED', total: null });
    expect(await finished(other, 'productImport', productImport.id, 'created')).toMatchObject({ state: 'DONE', created: 1 });
    const { data: stalled } = await other.app.ask('{ productImport(id: "imp_1") { state errors { code message } } }');
    expect(stalled.productImport).toEqual({
      state: 'FAILED',
      errors: [{ code: 'JOB_FAILED', message: 'It stood still for a day and was ended.' }],
    });
  });
});

test('an import ends where its store is suspended, and says so', async () => {
  await using other = await openMarket();
  const { models } = other.app.context();
  await models.ProductImport.create([
    { _id: 'imp_2', vendorId: 'ven_a', startedBy: 'usr_ann', key: 'x', errorPolicy: 'IGNORE_FAILED', state: 'RUNNING', parts: 1, total: 1 },
  ]);
  const cells = { slug: 'late', name: 'Late', sku: 'LATE', price: '1.00' };
  await models.ImportPart.create([{ _id: 'imp_2 1', importId: 'imp_2', rows: [{ number: 2, cells, fault: null }] }]);
  other.suspended.add('ven_a');

  await deliverLast(other, importJob.type, { importId: 'imp_2', part: 1 });

  const { data } = await other.app.ask('{ productImport(id: "imp_2") { state created errors { row code } } }', {}, { as: admin });
  expect(data.productImport).toEqual({ state: 'FAILED', created: 0, errors: [{ row: null, code: 'VENDOR_SUSPENDED' }] });
  expect(await models.Product.countDocuments()).toBe(0);
});

test('a job stops when whoever started it may not edit products any more', async () => {
  await using other = await openMarket();
  const { models } = other.app.context();
  await models.ProductImport.create([
    { _id: 'imp_1', vendorId: 'ven_a', startedBy: 'usr_ann', key: 'x', errorPolicy: 'IGNORE_FAILED', state: 'RUNNING', parts: 1, total: 1 },
  ]);
  const cells = { slug: 'late', name: 'Late', sku: 'LATE', price: '1.00' };
  await models.ImportPart.create([{ _id: 'imp_1 1', importId: 'imp_1', rows: [{ number: 2, cells, fault: null }] }]);
  await models.ProductExport.create([{ _id: 'exp_1', vendorId: 'ven_a', startedBy: 'usr_ann', productStates: ['DRAFT'], columns: [] }]);
  other.left.add('usr_ann');

  await deliverLast(other, importJob.type, { importId: 'imp_1', part: 1 });
  await deliverLast(other, exportJob.type, { exportId: 'exp_1', part: 0 });

  const { data } = await other.app.ask(
    '{ productImport(id: "imp_1") { state errors { message } } productExport(id: "exp_1") { state failure } }',
    {},
    { as: admin },
  );
  const message = expect.stringMatching(/may not edit products of the vendor any more/);
  expect(data.productImport).toEqual({ state: 'FAILED', errors: [{ message }] });
  expect(data.productExport).toEqual({ state: 'FAILED', failure: message });
  expect(await models.Product.countDocuments()).toBe(0);
});

test('the rows of a wide file are laid aside without their empty cells, in parts the store can hold, and an empty cell still clears', async () => {
  await using other = await openMarket();
  const { models } = other.app.context();
  await published(other, { slug: 'wide-0', description: 'Old', variants: [{ sku: 'W-0', price: zmw('1.00'), weightGrams: 5 }] });
  const insertMany = models.ImportPart.insertMany;
  const sizes: number[] = [];
  models.ImportPart.insertMany = async function measured(this: unknown, ...args: Data[]) {
    sizes.push(JSON.stringify(args[0]).length);
    return insertMany.apply(this, args as never);
  } as never;
  const names = Array.from({ length: 990 }, (_, index) => `attribute:${'a'.repeat(90)}-${index}`);
  const heading = ['slug', 'name', 'description', 'sku', 'price', 'weight_grams', ...names].join(',');
  const rows = Array.from(
    { length: 14 },
    (_, index) => `wide-${index},W,,W-${index},1.00,${',x'.repeat(index < 7 ? 0 : 990) || ','.repeat(990)}`,
  );

  const done = await importFile(other, [heading, ...rows].join('\n'));

  expect(done).toMatchObject({ state: 'DONE', total: 14, processed: 14, created: 6, updated: 1, failed: 7, errorCount: 7 * 990 });
  expect(sizes.length).toBeGreaterThan(1);
  expect(Math.max(...sizes)).toBeLessThan(1_000_000);
  expect(await models.Product.findOne({ slug: 'wide-0' }).lean()).toMatchObject({ description: null, variants: [{ weightGrams: null }] });
});

test.each<[string, () => Error]>([
  ['a mistake of ours', () => new RangeError('offset 17825793 is out of range')],
  ['a document that is too large', () => Object.assign(new Error('BSONObj size is invalid'), { code: 10_334 })],
])('%s while a file is read ends the import at once, and the next one begins', async (_case, error) => {
  await using other = await openMarket();
  const { models } = other.app.context();
  const insertMany = models.ImportPart.insertMany;
  let attempts = 0;
  models.ImportPart.insertMany = async function failing(this: unknown, ...args: Data[]) {
    attempts += 1;
    if (attempts === 1) throw error();
    return insertMany.apply(this, args as never);
  } as never;

  const done = await importFile(other, 'slug,name,sku,price\nfirst,F,F-1,1.00\n');
  const next = await importFile(other, 'slug,name,sku,price\nsecond,S,S-1,1.00\n');

  expect(done).toMatchObject({ state: 'FAILED', errorCount: 1 });
  expect(done.errors).toEqual([{ row: null, column: null, code: 'JOB_FAILED', message: expect.stringMatching(/on our side/) }]);
  expect(next).toMatchObject({ state: 'DONE', created: 1 });
  expect(attempts).toBe(2);
});

test('reading a file goes on behind the rows that are laid aside, in transactions of some rows each', async () => {
  await using other = await openMarket();
  const { models } = other.app.context();
  const insertMany = models.ImportPart.insertMany;
  const staged: [string, number][] = [];
  models.ImportPart.insertMany = async function dying(this: unknown, ...args: Data[]) {
    const [{ _id, rows }] = args[0];
    staged.push([_id.split(' ')[1], rows.length]);
    // What a process that dies here leaves behind: the part before was committed, this one is not.
    if (staged.length === 3) throw new Error('died while reading');
    return insertMany.apply(this, args as never);
  } as never;
  const rows = Array.from({ length: 450 }, (_, index) => `p-${index},P,P-${index},1.00`);

  const done = await importFile(other, ['slug,name,sku,price', ...rows].join('\n'));

  expect(staged).toEqual([
    ['1', 100],
    ['2', 100],
    ['3', 100],
    ['3', 100],
    ['4', 100],
    ['5', 50],
  ]);
  expect(done).toMatchObject({ state: 'DONE', total: 450, processed: 450, created: 450 });
  expect(await models.Product.countDocuments()).toBe(450);
  expect([await models.ImportPart.countDocuments(), await models.ImportTurn.countDocuments()]).toEqual([0, 0]);
}, 60_000);

test('nobody else learns of a failed export', async () => {
  expect(topCodes(await market.app.ask('{ productExport(id: "exp_none") { failure } }', {}, { as: null }))).toEqual(['UNAUTHENTICATED']);
});

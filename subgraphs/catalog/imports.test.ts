import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Data } from '#shared/testing/open.ts';
import { jobRunsOf } from '#shared/jobs/store.ts';
import { removeExport } from './actions/export.ts';
import { admin, ben, codesOf, openMarket, published, topCodes, zmw, type Market } from './testing.ts';
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

/** Calls `before` with the number of the call, then inserts. */
function onInsert(of: Market, before: (call: number, products: unknown[]) => void): void {
  const { Product } = of.app.context().models;
  const insertMany = Product.insertMany;
  let calls = 0;
  Product.insertMany = async function watched(this: unknown, ...args: Data[]) {
    before((calls += 1), args[0]);
    return insertMany.apply(this, args as never);
  } as never;
}

const rowsOf = (count: number): string =>
  ['slug,name,sku,price', ...Array.from({ length: count }, (_, index) => `p-${index},P,P-${index},1.00`)].join('\n');

async function startImport(of: Market, text: string): Promise<string> {
  const uploadId = await handIn(of, text);
  return (await of.change('startProductImport', { vendorId: 'ven_a', uploadId }, IMPORT)).productImport.id;
}

describe('a job that is given up', () => {
  test('ends an import as FAILED, tells its owner why, and is seen by admins', async () => {
    await using other = await openMarket();
    const { models } = other.app.context();
    models.Attribute.find = () => {
      throw new TypeError('password=secret at 10.0.0.7');
    };

    const { id } = await importFile(other, rowsOf(1));

    const query = `{ productImport(id: "${id}") { ${IMPORT.slice('productImport {'.length, -1)} } }`;
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
  });

  test('ends an export as FAILED and tells its owner why', async () => {
    await using other = await openMarket();
    const { models } = other.app.context();
    models.Attribute.find = () => {
      throw new TypeError('password=secret');
    };
    const { productExport } = await other.change('startProductExport', { vendorId: 'ven_a' }, 'productExport { id state }');

    const done = await finished(other, 'productExport', productExport.id, 'failure url finishedAt');

    expect(done).toEqual({ state: 'FAILED', failure: expect.stringMatching(/on our side/), url: null, finishedAt: expect.any(String) });
  });

  test.each<[string, () => Error]>([
    ['a mistake of ours', () => new RangeError('offset 17825793 is out of range')],
    ['a document that is too large', () => Object.assign(new Error('BSONObj size is invalid'), { code: 10_334 })],
  ])('by %s ends at once, and the next import of the vendor begins', async (_case, error) => {
    await using other = await openMarket();
    let attempts = 0;
    onInsert(other, (call) => {
      attempts = call;
      if (call === 1) throw error();
    });

    const [first, second] = [await startImport(other, 'slug,name,sku,price\nfirst,F,F-1,1.00\n'), await startImport(other, rowsOf(1))];
    const [done, next] = await Promise.all(
      [first, second].map((id) => finished(other, 'productImport', id, 'created errors { code message }')),
    );

    expect(done).toMatchObject({ state: 'FAILED', errors: [{ code: 'JOB_FAILED', message: expect.stringMatching(/on our side/) }] });
    expect(next).toMatchObject({ state: 'DONE', created: 1 });
    expect(attempts).toBe(2);
  });
});

test('imports of a vendor do not overlap', async () => {
  await using other = await openMarket();
  const ids = [await startImport(other, rowsOf(120)), await startImport(other, rowsOf(120))];

  for (const id of ids) expect(await finished(other, 'productImport', id, 'total')).toEqual({ state: 'DONE', total: 120 });

  const runs = await Promise.all(ids.map((_id) => jobRunsOf(other.app.context().db).findOne({ _id })));
  const [one, two] = runs.toSorted((a, b) => a!.startedAt!.getTime() - b!.startedAt!.getTime());
  expect(two!.startedAt!.getTime()).toBeGreaterThanOrEqual(one!.finishedAt!.getTime());
});

test('an import ends where its store is suspended, and says so', async () => {
  await using other = await openMarket();
  onInsert(other, () => void other.suspended.add('ven_a'));

  const id = await startImport(other, rowsOf(150));

  expect(await finished(other, 'productImport', id, 'created errors { row code }', { as: admin })).toEqual({
    state: 'FAILED',
    created: 100,
    errors: [{ row: null, code: 'VENDOR_SUSPENDED' }],
  });
});

test('a job stops when the person who started it may not edit products any more', async () => {
  await using other = await openMarket();
  const { models } = other.app.context();
  const count = models.Product.countDocuments;
  models.Product.countDocuments = function leaving(this: unknown, ...args: Data[]) {
    other.left.add('usr_ann');
    return count.apply(this, args as never);
  } as never;
  const { productExport } = await other.change('startProductExport', { vendorId: 'ven_a' }, 'productExport { id }');
  const exported = await finished(other, 'productExport', productExport.id, 'failure', { as: admin });
  other.left.delete('usr_ann');
  onInsert(other, () => void other.left.add('usr_ann'));
  const id = await startImport(other, rowsOf(150));

  const imported = await finished(other, 'productImport', id, 'created errors { message }', { as: admin });

  const message = expect.stringMatching(/may not edit products of the vendor any more/);
  expect(imported).toEqual({ state: 'FAILED', created: 100, errors: [{ message }] });
  expect(exported).toEqual({ state: 'FAILED', failure: message });
});

test('the rows of a wide file are imported in parts the store can hold, and an empty cell still clears', async () => {
  await using other = await openMarket();
  const { models } = other.app.context();
  await published(other, { slug: 'wide-0', description: 'Old', variants: [{ sku: 'W-0', price: zmw('1.00'), weightGrams: 5 }] });
  const names = Array.from({ length: 990 }, (_, index) => `attribute:${'a'.repeat(90)}-${index}`);
  const heading = ['slug', 'name', 'description', 'sku', 'price', 'weight_grams', ...names].join(',');
  const rows = Array.from(
    { length: 14 },
    (_, index) => `wide-${index},W,,W-${index},1.00,${`,${'x'.repeat(50)}`.repeat(index < 7 ? 0 : 990) || ','.repeat(990)}`,
  );

  const done = await importFile(
    other,
    [heading, ...rows, ...rows.slice(7).map((row) => row.replaceAll('wide-', 'wider-').replaceAll('W-', 'V-'))].join('\n'),
  );

  expect(done).toMatchObject({ state: 'DONE', total: 21, processed: 21, created: 6, updated: 1, failed: 14, errorCount: 14 * 990 });
  expect((await models.ProductImport.findById(done.id).lean())!.parts).toBe(2);
  expect(await models.Product.findOne({ slug: 'wide-0' }).lean()).toMatchObject({ description: null, variants: [{ weightGrams: null }] });
});

test('an import goes on behind the parts that are done, in transactions of some rows each', async () => {
  await using other = await openMarket();
  const inserted: number[] = [];
  onInsert(other, (call, products) => {
    inserted.push(products.length);
    // What a process that dies here leaves behind: the part before was committed, this one is not.
    if (call === 3) throw new Error('died in the middle of a part');
  });

  const done = await importFile(other, rowsOf(450));

  expect(inserted).toEqual([100, 100, 100, 100, 100, 50]);
  expect(done).toMatchObject({ state: 'DONE', total: 450, processed: 450, created: 450 });
  expect(await other.app.context().models.Product.countDocuments()).toBe(450);
}, 60_000);

describe('a job that is under way', () => {
  test('is followed live, and cancelled: what an import has written stays', async () => {
    await using other = await openMarket();
    let free: () => void = () => undefined;
    const blocked = new Promise<void>((resolve) => (free = resolve));
    const { Product } = other.app.context().models;
    const insertMany = Product.insertMany;
    let calls = 0;
    Product.insertMany = async function blocking(this: unknown, ...args: Data[]) {
      if ((calls += 1) === 1) await blocked;
      return insertMany.apply(this, args as never);
    } as never;
    const id = await startImport(other, rowsOf(4_000));
    const stream = await other.app.subscribe(
      'subscription ($id: ID!) { productImportChanged(id: $id) { cursor productImport { state processed total } } }',
      { id },
    );
    const next = stream.next();
    free();
    const first = (await next).value.data.productImportChanged;

    const { productImport } = await other.change('cancelProductImport', { id }, 'productImport { state }');
    const done = await finished(other, 'productImport', id, 'errorCount');

    expect(first).toEqual({ cursor: expect.any(String), productImport: { state: 'RUNNING', processed: expect.any(Number), total: 4_000 } });
    expect(productImport.state).toBe('RUNNING');
    expect(done).toEqual({ state: 'CANCELLED', errorCount: 0 });
    await other.app.settled();
    const written = await Product.countDocuments();
    expect([written % 100, written > 0, written < 4_000]).toEqual([0, true, true]);
    expect(codesOf(await other.change('cancelProductImport', { id }, 'productImport { id }'))).toEqual(['JOB_NOT_OPEN']);
    await stream.return?.();
  });

  test('is cancelled and followed by members only', async () => {
    await using other = await openMarket();
    const { productExport } = await other.change('startProductExport', { vendorId: 'ven_a' }, 'productExport { id }');
    const input = { id: productExport.id };

    expect(codesOf(await other.change('cancelProductExport', input, 'productExport { id }', ben))).toEqual(['NOT_FOUND']);
    const following = other.app.subscribe('subscription ($id: ID!) { productExportChanged(id: $id) { cursor } }', input, { as: ben });
    await expect(following).rejects.toThrow('There is no ProductExport');
  });

  test('leaves the file of an export for 30 days, and its removal is enqueued', async () => {
    await using other = await openMarket();
    const { productExport } = await other.change('startProductExport', { vendorId: 'ven_a' }, 'productExport { id }');
    const { fileExpiresAt } = await finished(other, 'productExport', productExport.id, 'fileExpiresAt');
    const removal = await jobRunsOf(other.app.context().db).findOne({ job: 'remove-export' });
    const key = (removal!.input as { key: string }).key;

    other.app.clock.advance(31 * 24 * 3_600_000);

    expect(removal!.runAt.toISOString()).toBe(fileExpiresAt);
    const { data } = await other.app.ask(`{ productExport(id: "${productExport.id}") { state url } }`);
    expect(data.productExport).toEqual({ state: 'DONE', url: null });
    const { uploads } = other.app.context().providers;
    expect((await uploads.inspect(key)).state).toBe('STORED');
    await removeExport(other.app.context() as never, { key });
    expect((await uploads.inspect(key)).state).toBe('MISSING');
  });
});

test('nobody else learns of a failed export', async () => {
  expect(topCodes(await market.app.ask('{ productExport(id: "exp_none") { failure } }', {}, { as: null }))).toEqual(['UNAUTHENTICATED']);
});

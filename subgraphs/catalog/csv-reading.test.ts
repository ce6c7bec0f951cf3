import { setImmediate as turn } from 'node:timers/promises';
import { beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { unescapedCell } from '#shared/files/csv.ts';
import { splitList, writeRows } from './actions/csv.ts';
import { readTable, SLICE_BYTES, type TableRow } from './actions/csv-reading.ts';
import { factsOf, productInput } from './actions/import-rows.ts';
import { NewProduct } from './actions/inputs.ts';
import { inChunks } from './test-files.ts';

const read = (text: string | Buffer): Promise<TableRow[]> => Array.fromAsync(readTable(inChunks(text)));
const HEADING = 'slug,name,sku,price';

describe('a row', () => {
  test('has the number a spreadsheet shows beside it, whatever blank rows and cells of several lines stand before it', async () => {
    const file = `\n${HEADING}\n\nr-a,Row A,RA-1,10.00\n\n,,,\n"r-b","two\nlines",RB-1,bad\r\nr-c,Row C,RC-1,1.00\n`;

    expect((await read(file)).map(({ number, cells }) => [number, cells['slug']])).toEqual([
      [4, 'r-a'],
      [7, 'r-b'],
      [8, 'r-c'],
    ]);
  });

  test.each<[string, string, string | RegExp]>([
    ['that is too short', 'x,X,X-1', 'The row has 3 cells, the heading has 4.'],
    ['with a cell too many', 'x,X,X-1,1.00,more', 'A cell stands under no heading.'],
    ['with a bare quotation mark', 'x,5" pipe,X-1,1.00', /quotation mark/],
    ['with something behind a quoted cell', 'x,"X" and more,X-1,1.00', /quotation mark/],
    ['with a quotation mark in the middle that is not doubled', 'x,"5" pipe",X-1,1.00', /quotation mark/],
  ])('%s is told alone, and the others are read', async (_case, row, message) => {
    const rows = await read(`${HEADING}\na,A,A-1,1.00\n${row}\nb,"B ""the"" second",B-1,2.00\n`);

    expect(rows).toEqual([
      { number: 2, cells: { slug: 'a', name: 'A', sku: 'A-1', price: '1.00' }, fault: null },
      { number: 3, cells: { slug: 'x' }, fault: { column: null, message: expect.stringMatching(message) } },
      { number: 4, cells: { slug: 'b', name: 'B "the" second', sku: 'B-1', price: '2.00' }, fault: null },
    ]);
  });

  test('whose quotation mark is never closed is told, and those before it are read', async () => {
    const rows = await read(`${HEADING}\na,A,A-1,1.00\nb,"B,B-1,2.00\nc,C,C-1,3.00\n`);

    expect(rows.map(({ number, fault }) => [number, fault?.message])).toEqual([
      [2, undefined],
      [3, 'A quotation mark is opened in this row and never closed.'],
    ]);
  });

  test('may end in commas that nothing stands behind, like the heading', async () => {
    expect(await read('slug,sku,,\na,A-1,,\nb,B-1\nc,C-1,,,,\n')).toMatchObject([
      { cells: { slug: 'a', sku: 'A-1' }, fault: null },
      { cells: { slug: 'b', sku: 'B-1' }, fault: null },
      { cells: { slug: 'c', sku: 'C-1' }, fault: null },
    ]);
  });

  test('says the same with spaces around its cells', async () => {
    expect(await read('slug, SKU ,price\n a , A-1 ,\u00A012.50 \n')).toMatchObject([{ cells: { slug: 'a', sku: 'A-1', price: '12.50' } }]);
  });
});

const LONG = 199_000;

/** Processor time, which a busy machine does not lengthen much. */
async function costOf(work: () => unknown): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
}

/** Harmless text of the same length in the same run is the measure; what is quadratic takes some thousand times as long. */
const mostFor = (harmless: number): number => 20 * harmless + 300;

describe('a long row', () => {
  const readRow = (row: string) => read(`slug,sku,name,price\n${row}\n`);
  let harmless: number;
  beforeAll(async () => {
    harmless = await costOf(() => readRow('x'.repeat(LONG)));
  });

  test.each<[string, string]>([
    ['carriage returns before a mark', `${'\r'.repeat(LONG)}"x`],
    ['quoted carriage returns and a mark', `"${'\r'.repeat(LONG)}"\r"x`],
    ['doubled marks and something behind', `${'""'.repeat(LONG / 2)}"x`],
    ['closed cells and a mark', `${'"",'.repeat(LONG / 3)}x"`],
    ['delimiters before a mark', `${','.repeat(LONG)}x"`],
    ['delimiters and line ends before a mark', `${',\r'.repeat(LONG / 2)}x"`],
    ['marks that close nothing', `x${'"'.repeat(LONG)}`],
    ['spaces', `x${' '.repeat(LONG)}x`],
  ])('of %s is read in the time of any other', async (_case, row) => {
    expect(await costOf(() => readRow(row))).toBeLessThan(mostFor(harmless));
  });
});

describe('a long cell', () => {
  const understand = (cell: string): void => {
    splitList(unescapedCell(cell));
    factsOf(cell);
    productInput({ tags: cell }, new Map(), undefined);
    NewProduct.safeParse({
      vendorId: 'ven_a',
      name: cell,
      slug: cell,
      description: cell,
      variants: [{ sku: cell, barcode: cell, price: cell }],
    });
    writeRows(['name'], [{ name: cell }], { header: false });
  };
  let harmless: number;
  beforeAll(async () => {
    harmless = await costOf(() => understand('x'.repeat(LONG)));
  });

  test.each<[string, string]>([
    ['bars', '|'.repeat(LONG)],
    ['entries and backslashes', String.raw`a\|`.repeat(LONG / 3)],
    ['backslashes', '\\'.repeat(LONG - 1)],
    ['apostrophes', "'".repeat(LONG)],
    ['digits and no number', `${'1'.repeat(LONG)}x`],
    ['marks', '"'.repeat(LONG)],
    ['escaped marks', `"${String.raw`\"`.repeat(LONG / 2)}`],
    ['facts', `{${'"a":"b",'.repeat(LONG / 8)}"a":"b"}`],
    ['facts and no end', `{${'"a":"b",'.repeat(LONG / 8)}`],
    ['spaces', `{"a"${' '.repeat(LONG)}x}`],
    ['dashes', `a${'-'.repeat(LONG)}`],
    ['words that a dash parts', 'a-'.repeat(LONG / 2)],
    ['invisible characters', `a${'\u200D'.repeat(LONG)}a`],
    ['marks of combination', `a${'\u0301'.repeat(LONG)}a`],
  ])('of %s is understood in the time of any other', async (_case, cell) => {
    expect(await costOf(() => understand(cell))).toBeLessThan(mostFor(harmless));
  });
});

describe('a file', () => {
  test.each([
    ['sep=;\nslug;sku\na,1;b\n', { slug: 'a,1', sku: 'b' }],
    ['\uFEFF"sep=\t"\r\nslug\tsku\r\na\tb;c;d;e\r\n', { slug: 'a', sku: 'b;c;d;e' }],
    ['slug;sku\na;b\n', { slug: 'a', sku: 'b' }],
    ['slug\tsku\ra\tb', { slug: 'a', sku: 'b' }],
  ])('names its delimiter or shows it: %j', async (file, cells) => {
    expect(await read(file)).toEqual([{ number: 2, cells, fault: null }]);
  });

  test('reads the same in pieces of any size', async () => {
    const file = Buffer.from(`\uFEFF${HEADING}\r\nä,"Ä ""ö""\r\nü",A-1,1.00\r\n\r\nß,5" x,B-1,2\r\nñ,N,C-1,3.00`);
    const whole = await read(file);

    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 60 }), async (bytes) =>
        expect(await Array.fromAsync(readTable(inChunks(file, bytes)))).toEqual(whole),
      ),
    );
    expect(whole.map(({ number, fault }) => [number, fault === null])).toEqual([
      [2, true],
      [4, false],
      [5, true],
    ]);
  });

  test('leaves everybody else a turn after each slice, however large the pieces are that it comes in', async () => {
    const row = `slug-1,Name,SKU-1,${'9'.repeat(80)}\n`;
    const file = `${HEADING}\n${row.repeat(4_000)}`;
    let turns = 0;
    let isRead = false;
    const others = (async () => {
      for (; !isRead; turns += 1) await turn();
    })();
    const rowsAtTurn = new Map<number, number>();

    for await (const _row of readTable(inChunks(file, file.length))) rowsAtTurn.set(turns, (rowsAtTurn.get(turns) ?? 0) + 1);
    isRead = true;
    await others;

    // A slice, and what the parser had kept back of the one before.
    expect(Math.max(...rowsAtTurn.values())).toBeLessThanOrEqual(Math.ceil((2 * SLICE_BYTES) / row.length));
    expect(turns).toBeGreaterThanOrEqual(Math.floor(file.length / SLICE_BYTES));
  });
});

import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { parse } from 'csv-parse/sync';
import { strFromU8, unzipSync } from 'fflate';
import { isoWithOffset, localTime, type Cell, type Column, type FileContent } from './cells.ts';
import { csv, unescapedCell } from './csv.ts';
import { xlsx } from './xlsx.ts';

async function bytesOf({ body }: FileContent): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks);
}

const column = (value: (row: any) => Cell = (row) => row, rest: object = {}): Column<any> => ({ name: 'value', value, ...rest });
const csvOf = async (rows: unknown[], options = {}, columns = [column()]) => (await bytesOf(csv(columns, rows, options))).toString();

/** The parts of a workbook. */
const partsOf = async (content: FileContent): Promise<Record<string, string>> =>
  Object.fromEntries(Object.entries(unzipSync(await bytesOf(content))).map(([name, part]) => [name, strFromU8(part)]));
const cellOf = async (value: Cell, rest: object = {}): Promise<string> => {
  const parts = await partsOf(xlsx([{ name: 'A', columns: [column(() => value, rest)], rows: [0] }]));
  return /<row r="2">(.*)<\/row>/s.exec(parts['xl/worksheets/sheet1.xml']!)![1]!;
};

const LUSAKA = { timeZone: 'Africa/Lusaka' };
const AT = new Date('2026-12-06T07:34:12.534Z');

test('a CSV file is quoted as RFC 4180 says', async () => {
  const cells = ['plain', 'a,b', 'a"b', 'a\nb', 'a\r\nb', ' spaces ', ''];

  const text = await csvOf(cells);

  expect(text).toBe('value\r\nplain\r\n"a,b"\r\n"a""b"\r\n"a\nb"\r\n"a\r\nb"\r\n spaces \r\n\r\n');
  expect(parse(text, { relax_column_count: true }).map(([cell]: string[]) => cell)).toEqual(['value', ...cells]);
});

test('a CSV file begins with a byte order mark where that is asked for, and ends its lines as asked', async () => {
  expect(await csvOf(['é'], { bom: true, lineBreak: '\n' })).toBe('\uFEFFvalue\né\n');
  expect(await csvOf([])).toBe('value\r\n');
});

test.each(['=1+1', '+260971234567', '-1', '@SUM(A1)', '\t=1', '\r=1', '＝1+1', "'=1", "''=1"])(
  'the text %j is no formula in CSV, and is read back as it was',
  async (cell) => {
    const [[heading], [written]] = parse(await csvOf([cell], {}, [{ name: '=A1', value: (row: string) => row }])) as [string[], string[]];

    expect([heading, written]).toEqual(["'=A1", `'${cell}`]);
    expect(unescapedCell(written!)).toBe(cell);
  },
);

test.each<[Cell, string]>([
  [-12.5, '-12.5'],
  [12n, '12'],
  [true, 'true'],
  [null, ''],
  [undefined, ''],
  [{ amount: -1_250, currency: 'ZMW' }, '-12.50'],
  [{ amount: 1_250, currency: 'JPY' }, '1250'],
  ['007', '007'],
  [AT, '2026-12-06T09:34:12.534+02:00'],
  [new Date('2026-07-01T00:00:00Z'), '2026-07-01T02:00:00+02:00'],
])('%p is %j in CSV', async (cell, text) => {
  expect(await csvOf([0], {}, [column(() => cell, LUSAKA)])).toBe(`value\r\n${text}\r\n`);
});

test.each([
  ['America/New_York', '2026-11-01T05:30:00Z', '2026-11-01T01:30:00-04:00'],
  ['America/New_York', '2026-11-01T06:30:00Z', '2026-11-01T01:30:00-05:00'],
  ['Asia/Kathmandu', '2026-01-01T00:00:00Z', '2026-01-01T05:45:00+05:45'],
  ['UTC', '2026-01-01T00:00:00.001Z', '2026-01-01T00:00:00.001+00:00'],
])('a moment in %s is written with the offset of that day', (timeZone, at, text) => {
  expect(isoWithOffset(new Date(at), timeZone)).toBe(text);
  expect(new Date(text)).toEqual(new Date(at));
});

test.each<[string, Cell, string]>([
  ['a text that looks like a number', '007', '<c r="A2" t="inlineStr"><is><t xml:space="preserve">007</t></is></c>'],
  ['a long number as text', '260971234567890123', '<c r="A2" t="inlineStr"><is><t xml:space="preserve">260971234567890123</t></is></c>'],
  ['a formula', '=1+1', '<c r="A2" t="inlineStr" s="3"><is><t xml:space="preserve">=1+1</t></is></c>'],
  ['markup', `<b>"&'</b>`, `<c r="A2" t="inlineStr"><is><t xml:space="preserve">&lt;b&gt;&quot;&amp;'&lt;/b&gt;</t></is></c>`],
  ['a character that XML cannot hold', 'a\u0000b\uD800', '<c r="A2" t="inlineStr"><is><t xml:space="preserve">ab\uFFFD</t></is></c>'],
  ['what reads like an escape', '_x0041_', '<c r="A2" t="inlineStr"><is><t xml:space="preserve">_x005F_x0041_</t></is></c>'],
  ['a number', -12.5, '<c r="A2"><v>-12.5</v></c>'],
  [
    'a number that is too long to be exact',
    2n ** 60n,
    '<c r="A2" t="inlineStr"><is><t xml:space="preserve">1152921504606846976</t></is></c>',
  ],
  ['a boolean', true, '<c r="A2" t="b"><v>1</v></c>'],
  ['money', { amount: 1_250, currency: 'ZMW' }, '<c r="A2" s="4"><v>12.50</v></c>'],
  ['nothing', null, ''],
])('%s keeps its kind in XLSX', async (_case, cell, xml) => {
  expect(await cellOf(cell)).toBe(xml);
});

test('a time in XLSX is the local one of its zone, to the millisecond, and its heading names the zone', async () => {
  const parts = await partsOf(xlsx([{ name: 'A', columns: [column(() => AT, LUSAKA)], rows: [0] }]));
  const days = Number(/<c r="A2" s="2"><v>([\d.]+)<\/v>/.exec(parts['xl/worksheets/sheet1.xml']!)![1]);

  expect(new Date(Math.round(Date.UTC(1899, 11, 30) + days * 86_400_000)).toISOString()).toBe('2026-12-06T09:34:12.534Z');
  expect(parts['xl/worksheets/sheet1.xml']).toContain('value (Africa/Lusaka)');
  expect(await cellOf(new Date('1899-12-31T00:00:00Z'))).toContain('1899-12-31T00:00:00.000Z');
});

test('the local time is right for each minute of the days when clocks change', () => {
  for (let at = Date.parse('2026-03-29T00:00:00Z'); at < Date.parse('2026-03-29T03:00:00Z'); at += 60_000) {
    const { epochMs, offset } = localTime(new Date(at), 'Europe/Berlin');
    expect(epochMs - at).toBe(Number(offset.slice(1, 3)) * 3_600_000);
  }
});

test('a workbook has all its sheets, with the formats of all currencies', async () => {
  async function* rows() {
    yield { total: { amount: 1, currency: 'ZMW' } };
    yield { total: { amount: 1, currency: 'JPY' } };
  }
  const total = column((row: any) => row.total);
  const parts = await partsOf(
    xlsx([
      { name: 'A & B', columns: [total], rows: rows() },
      { name: 'Leer', columns: [], rows: [] },
    ]),
  );

  expect(Object.keys(parts).sort()).toEqual([
    '[Content_Types].xml',
    '_rels/.rels',
    'xl/_rels/workbook.xml.rels',
    'xl/styles.xml',
    'xl/workbook.xml',
    'xl/worksheets/sheet1.xml',
    'xl/worksheets/sheet2.xml',
  ]);
  expect(parts['xl/workbook.xml']).toContain(
    '<sheet name="A &amp; B" sheetId="1" r:id="rId1"/><sheet name="Leer" sheetId="2" r:id="rId2"/>',
  );
  expect(parts['xl/worksheets/sheet1.xml']).toContain('<c r="A2" s="4"><v>0.01</v></c></row><row r="3"><c r="A3" s="5"><v>1</v></c>');
  expect(parts['xl/styles.xml']).toContain('formatCode="#,##0.00 &quot;ZMW&quot;"');
  expect(parts['xl/styles.xml']).toContain('formatCode="#,##0 &quot;JPY&quot;"');
});

test.each([
  ['no sheets', []],
  ['a name that is too long', ['x'.repeat(32)]],
  ['a name with a slash', ['a/b']],
  ['two names that differ in case', ['A', 'a']],
])('a workbook with %s is refused at once', (_case, names) => {
  expect(() => xlsx(names.map((name) => ({ name, columns: [], rows: [] })))).toThrow(TypeError);
});

test.each<[string, unknown]>([
  ['a number that is none', Number.NaN],
  ['an object', { a: 1 }],
])('%s in a cell fails the file', async (_case, cell) => {
  await expect(cellOf(cell as Cell)).rejects.toThrow(TypeError);
});

test('50,000 rows are written as CSV and as XLSX within 60 MB beside what the process had', () => {
  const { stdout, stderr } = spawnSync(
    process.execPath,
    ['--expose-gc', join(import.meta.dirname, '../testing/measure-tables.ts'), '50000'],
    {
      encoding: 'utf8',
    },
  );

  expect(stderr).toBe('');
  const measured = JSON.parse(stdout) as Record<'csv' | 'xlsx', { extraMb: number; bytes: number }>;
  for (const { extraMb, bytes } of Object.values(measured)) {
    expect(bytes).toBeGreaterThan(1_000_000);
    expect(extraMb).toBeLessThan(60);
  }
}, 60_000);

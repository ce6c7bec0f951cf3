import { stringify } from 'csv-stringify/sync';
import { isMoney, isoWithOffset, moneyText, RISKY, type Cell, type Column, type FileContent, type Rows } from './cells.ts';

interface CsvOptions {
  /** Excel takes a file without a byte order mark for one of the system's old encoding. Default false. */
  bom?: boolean;
  /** RFC 4180 says CRLF, the default. */
  lineBreak?: '\r\n' | '\n';
}

const ROWS_AT_ONCE = 200;
const BOM = '\uFEFF';

/** A CSV file of rows as they come; a few hundred are in memory at a time. */
export function csv<R>(columns: readonly Column<R>[], rows: Rows<R>, { bom = false, lineBreak = '\r\n' }: CsvOptions = {}): FileContent {
  return { contentType: 'text/csv', body: write(columns, rows, { bom, lineBreak }) };
}

async function* write<R>(
  columns: readonly Column<R>[],
  rows: Rows<R>,
  { bom, lineBreak }: Required<CsvOptions>,
): AsyncGenerator<Uint8Array> {
  const heading = columns.map(({ name }) => escapedCell(name));
  yield Buffer.from((bom ? BOM : '') + csvLines([heading], lineBreak));
  let some: string[][] = [];
  for await (const row of rows) {
    some.push(columns.map(({ value, timeZone }) => textOf(value(row), timeZone)));
    if (some.length < ROWS_AT_ONCE) continue;
    yield Buffer.from(csvLines(some, lineBreak));
    some = [];
  }
  if (some.length > 0) yield Buffer.from(csvLines(some, lineBreak));
}

function textOf(cell: Cell, timeZone: string | undefined): string {
  if (cell === null || cell === undefined) return '';
  if (typeof cell !== 'object') return typeof cell === 'string' ? escapedCell(cell) : String(cell);
  if (cell instanceof Date) return isoWithOffset(cell, timeZone);
  if (isMoney(cell)) return moneyText(cell);
  throw new TypeError('A cell holds text, a number, a boolean, a time or money');
}

/**
 * A text that begins like a formula would run in the spreadsheet of whoever opens the file, so it gets an apostrophe; so does one that looks as
 * if it had got one. Reading takes away what writing put there, nothing else. Numbers and money keep their sign.
 */
export const escapedCell = (cell: string): string => (RISKY.test(cell) ? `'${cell}` : cell);
export const unescapedCell = (cell: string): string => (cell.startsWith("'") && RISKY.test(cell.slice(1)) ? cell.slice(1) : cell);

/** Lines of cells that are escaped already. */
export const csvLines = (rows: readonly (readonly string[])[], lineBreak: '\r\n' | '\n' = '\r\n'): string =>
  // A line break of either kind within a cell is quoted, whichever ends the lines.
  rows.length === 0 ? '' : stringify(rows as string[][], { record_delimiter: lineBreak, quoted_match: /[\r\n]/ });

import { Zip, ZipDeflate, type ZipInputFile } from 'fflate';
import { currencyDigits } from '../base/money.ts';
import { isExact, isMoney, localTime, moneyText, RISKY, type Cell, type Column, type FileContent, type Rows } from './cells.ts';
import { columnLetters, createStyles, packageFiles, textXml, type Styles } from './xlsx-parts.ts';

export interface Sheet<R = any> {
  name: string;
  columns: readonly Column<R>[];
  rows: Rows<R>;
}

const XLSX_TYPE = 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet';

/** What the format takes. */
const MAX_ROWS = 1_048_576;
const MAX_COLUMNS = 16_384;
const MAX_NAME = 31;
/** XML that is collected before it is compressed. */
const CHARACTERS_AT_ONCE = 64 * 1_024;

/** A workbook of rows as they come, sheet after sheet: what is in memory does not grow with them. */
export function xlsx(sheets: readonly Sheet[]): FileContent {
  refuseNames(sheets);
  return { contentType: XLSX_TYPE, body: write(sheets) };
}

function refuseNames(sheets: readonly Sheet[]): void {
  if (sheets.length === 0) throw new TypeError('A workbook has at least one sheet');
  for (const { name, columns } of sheets) {
    if (name === '' || name.length > MAX_NAME || /[[\]:*?/\\]|^'|'$/.test(name))
      throw new TypeError(`"${name}" cannot name a sheet: at most ${MAX_NAME} characters, none of []:*?/\\, no apostrophe at its ends`);
    if (columns.length > MAX_COLUMNS) throw new TypeError(`The sheet ${name} has more than ${MAX_COLUMNS} columns`);
  }
  if (new Set(sheets.map(({ name }) => name.toLowerCase())).size < sheets.length) throw new TypeError('Two sheets have one name');
}

/** The library hands out compressed bytes in a callback; they are yielded before it gets more. */
async function* write(sheets: readonly Sheet[]): AsyncGenerator<Uint8Array> {
  let ready: Uint8Array[] = [];
  const take = (): Uint8Array[] => {
    const taken = ready;
    ready = [];
    return taken;
  };
  const zip = new Zip((error, data) => {
    if (error) throw error;
    ready.push(data);
  });
  const add = (name: string): ZipInputFile & { push(data: Uint8Array, final?: boolean): void } => {
    const file = new ZipDeflate(name, { level: 6 });
    zip.add(file);
    return file;
  };
  const styles = createStyles();
  for (const [index, sheet] of sheets.entries()) {
    const file = add(`xl/worksheets/sheet${index + 1}.xml`);
    for await (const text of sheetXml(sheet, styles)) {
      file.push(Buffer.from(text));
      yield* take();
    }
    file.push(new Uint8Array(0), true);
  }
  // Last, since only now are all number formats known.
  for (const [name, text] of packageFiles(
    sheets.map(({ name }) => name),
    styles,
  ))
    add(name).push(Buffer.from(text), true);
  zip.end();
  yield* take();
}

async function* sheetXml({ name, columns, rows }: Sheet, styles: Styles): AsyncGenerator<string> {
  const letters = columns.map((_column, index) => columnLetters(index));
  const headings = columns.map(({ name: heading, timeZone }) => (timeZone ? `${heading} (${timeZone})` : heading));
  let text =
    sheetStart(headings) +
    rowXml(
      1,
      headings.map((heading, index) => textCell(`${letters[index]}1`, heading, styles.heading)),
    );
  let number = 1;
  for await (const row of rows) {
    number += 1;
    if (number > MAX_ROWS) throw new RangeError(`The sheet ${name} holds at most ${MAX_ROWS} rows: write CSV, or several sheets`);
    text += rowXml(
      number,
      columns.map(({ value, timeZone }, index) => cellXml(`${letters[index]}${number}`, value(row), { styles, timeZone })),
    );
    if (text.length < CHARACTERS_AT_ONCE) continue;
    yield text;
    text = '';
  }
  yield `${text}</sheetData></worksheet>`;
}

const MIN_WIDTH = 12;
const MAX_WIDTH = 40;

function sheetStart(headings: readonly string[]): string {
  const widths = headings.map((heading) => Math.min(Math.max(heading.length + 2, MIN_WIDTH), MAX_WIDTH));
  const cols = widths.map((width, index) => `<col min="${index + 1}" max="${index + 1}" width="${width}" customWidth="1"/>`);
  return (
    '<?xml version="1.0" encoding="UTF-8" standalone="yes"?><worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">' +
    '<sheetViews><sheetView workbookViewId="0"><pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/></sheetView></sheetViews>' +
    `${cols.length > 0 ? `<cols>${cols.join('')}</cols>` : ''}<sheetData>`
  );
}

const rowXml = (number: number, cells: readonly string[]): string => `<row r="${number}">${cells.join('')}</row>`;

const textCell = (place: string, text: string, style: number): string =>
  `<c r="${place}" t="inlineStr"${style ? ` s="${style}"` : ''}><is><t xml:space="preserve">${textXml(text)}</t></is></c>`;

const numberCell = (place: string, decimal: string, style = 0): string =>
  `<c r="${place}"${style ? ` s="${style}"` : ''}><v>${decimal}</v></c>`;

function cellXml(place: string, cell: Cell, { styles, timeZone }: { styles: Styles; timeZone: string | undefined }): string {
  if (cell === null || cell === undefined || cell === '') return '';
  switch (typeof cell) {
    case 'string':
      // It is a text whatever it looks like. The style keeps it one where somebody edits it, or saves the sheet as CSV.
      return textCell(place, cell, RISKY.test(cell) ? styles.literal : 0);
    case 'number':
      if (!Number.isFinite(cell)) throw new TypeError(`${cell} cannot stand in a cell`);
      return numberCell(place, String(cell));
    case 'bigint':
      return isExact(String(cell)) ? numberCell(place, String(cell)) : textCell(place, String(cell), 0);
    case 'boolean':
      return `<c r="${place}" t="b"><v>${cell ? 1 : 0}</v></c>`;
  }
  if (cell instanceof Date) return timeCell(place, cell, { styles, timeZone });
  if (!isMoney(cell)) throw new TypeError('A cell holds text, a number, a boolean, a time or money');
  const decimal = moneyText(cell);
  const style = styles.money(cell.currency, currencyDigits(cell.currency));
  // Beyond fifteen digits a spreadsheet would round it.
  return isExact(decimal) ? numberCell(place, decimal, style) : textCell(place, decimal, 0);
}

const DAY_MS = 86_400_000;
/** Day 0 of a spreadsheet. Days before day 61 are counted otherwise: its calendar has a 29 February 1900. */
const EPOCH_MS = Date.UTC(1899, 11, 30);
const FIRST_DAY = 61;

function timeCell(place: string, at: Date, { styles, timeZone }: { styles: Styles; timeZone: string | undefined }): string {
  const days = (localTime(at, timeZone).epochMs - EPOCH_MS) / DAY_MS;
  return days >= FIRST_DAY ? numberCell(place, String(days), styles.time) : textCell(place, at.toISOString(), 0);
}

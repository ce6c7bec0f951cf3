import { pipeline, Readable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { CsvError, parse } from 'csv-parse';
import { Problem } from '#shared/base/errors.ts';
import { unescapedCell } from '#shared/files/csv.ts';
import { isColumn, REQUIRED_COLUMNS, type Row } from './csv.ts';

/** A row with its number as a spreadsheet counts: blank rows are rows, and a cell with several lines is in one row. */
export interface TableRow {
  number: number;
  /** Of a row with a fault, only what says which product it belongs to. */
  cells: Row;
  /** Why the row cannot be taken, whatever its cells say. */
  fault: { column: string | null; message: string } | null;
}

const MAX_ROWS = 50_000;
/** More than a product can have values, and no more than a part of an import holds for each of its rows. */
const MAX_COLUMNS = 1_000;
const MAX_ROW_LENGTH = 200_000;
/** So much is parsed in one turn of the event loop: some milliseconds. */
export const SLICE_BYTES = 16 * 1024;
const MAX_HEADING_LENGTH = 64 * 1024;
const DELIMITERS = [',', ';', '\t'];

const invalidFile = (message: string, row: number | null = null): Problem => new Problem('INVALID', message, { row });

/**
 * The rows of a file, read in slices so that everybody else has a turn between them. Comma, semicolon and tab are understood. Throws INVALID
 * when the file is none that can be imported; what is wrong with a single row is said with the row.
 */
export async function* readTable(file: AsyncIterable<Uint8Array>): AsyncGenerator<TableRow> {
  const source = slices(file);
  let [number, rows] = [0, 0];
  let heading: Heading | undefined;
  try {
    const { delimiter, texts } = await opening(source);
    for await (const { record, raw } of records(texts, delimiter)) {
      number += 1;
      if (record.every((cell) => cell.trim() === '')) continue;
      if (heading === undefined) {
        heading = headingOf(record, delimiter);
        continue;
      }
      rows += 1;
      if (rows > MAX_ROWS) throw invalidFile(`The file has more than ${MAX_ROWS} rows.`);
      yield rowOf(heading, number, { record, raw });
    }
  } catch (error) {
    if (!(error instanceof CsvError) || error.code !== 'CSV_QUOTE_NOT_CLOSED' || heading === undefined) throw refusalOf(error, number + 1);
    rows += 1;
    yield { number: number + 1, cells: {}, fault: { column: null, message: 'A quotation mark is opened in this row and never closed.' } };
  } finally {
    // Closes the file, wherever reading ended.
    await source.return(undefined);
  }
  if (rows === 0) throw invalidFile('The file has no rows.');
}

function refusalOf(error: unknown, row: number): unknown {
  if (!(error instanceof CsvError)) return error;
  if (error.code === 'CSV_MAX_RECORD_SIZE')
    return invalidFile(`Row ${row} has more than ${MAX_ROW_LENGTH} characters; perhaps a quotation mark is never closed.`, row);
  return invalidFile('The file cannot be read as a table.', row);
}

/** The file as text, in slices; each of them comes in a turn of its own. */
async function* slices(file: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  const decoded = (bytes?: Uint8Array): string => {
    try {
      return bytes ? decoder.decode(bytes, { stream: true }) : decoder.decode();
    } catch {
      throw invalidFile('The file is not text in UTF-8.');
    }
  };
  for await (const chunk of file) {
    for (let at = 0; at < chunk.length; at += SLICE_BYTES) {
      yield decoded(chunk.subarray(at, at + SLICE_BYTES));
      await turn();
    }
  }
  yield decoded();
}

/** Looks at the first line, which names the delimiter or shows it. A line `sep=;`, which spreadsheets write and do not count, is left out. */
async function opening(texts: AsyncGenerator<string>): Promise<{ delimiter: string; texts: AsyncGenerator<string> }> {
  let head = '';
  while (!head.includes('\n') && head.length < MAX_HEADING_LENGTH) {
    const next = await texts.next();
    if (next.done) break;
    head += next.value;
  }
  const named = /^"?sep=(.)"?(?:\r?\n|\r|$)/i.exec(head);
  const start = named ? head.slice(named[0].length) : head;
  const [line = ''] = start.split(/\r?\n|\r/, 1);
  const shown = DELIMITERS.toSorted((a, b) => line.split(b).length - line.split(a).length)[0]!;
  const delimiter = named?.[1] ?? shown;
  if (!DELIMITERS.includes(delimiter)) throw invalidFile('The file parts its cells by something else than comma, semicolon or tab.');
  return { delimiter, texts: joined(start, texts) };
}

async function* joined(first: string, rest: AsyncGenerator<string>): AsyncGenerator<string> {
  if (first !== '') yield first;
  for await (const text of rest) if (text !== '') yield text;
}

interface ParsedRecord {
  record: string[];
  /** As it stands in the file. */
  raw: string;
}

function records(texts: AsyncGenerator<string>, delimiter: string): AsyncIterable<ParsedRecord> {
  const parser = parse({ delimiter, raw: true, relax_column_count: true, relax_quotes: true, max_record_size: MAX_ROW_LENGTH });
  // Whoever reads the parser is told of its errors.
  return pipeline(Readable.from(texts, { objectMode: true, highWaterMark: 1 }), parser, () => undefined);
}

interface Heading {
  /** Empty where a column has no heading. */
  names: string[];
  /** Cells that each row must have. */
  width: number;
  delimiter: string;
}

function headingOf(record: readonly string[], delimiter: string): Heading {
  const names = record.map((name) => name.trim().toLowerCase());
  const missing = REQUIRED_COLUMNS.filter((column) => !names.includes(column));
  if (missing.length > 0) throw invalidFile(`The file has no column ${missing.join(' and no column ')}.`);
  if (names.filter((name) => name !== '').length > MAX_COLUMNS) throw invalidFile(`The file has more than ${MAX_COLUMNS} columns.`);
  const unknown = names.find((name) => name !== '' && !isColumn(name));
  if (unknown !== undefined) throw invalidFile(`There is no column "${unknown.slice(0, 60)}".`);
  const twice = names.find((name, index) => name !== '' && names.indexOf(name) !== index);
  if (twice !== undefined) throw invalidFile(`The file has two columns "${twice.slice(0, 60)}".`);
  return { names, width: names.findLastIndex((name) => name !== '') + 1, delimiter };
}

function rowOf({ names, width, delimiter }: Heading, number: number, { record, raw }: ParsedRecord): TableRow {
  const cleaned = record.map(clean);
  const faulty = (message: string): TableRow => ({
    number,
    cells: { slug: cleaned[names.indexOf('slug')] ?? '' },
    fault: { column: null, message },
  });
  if (raw.includes('"') && !isWellQuoted(raw, delimiter))
    return faulty('A cell that holds a quotation mark stands in quotation marks, with the one inside doubled.');
  if (record.length < width) return faulty(`The row has ${record.length} cells, the heading has ${width}.`);
  if (cleaned.some((cell, index) => cell !== '' && !names[index])) return faulty('A cell stands under no heading.');
  const cells = Object.fromEntries(names.flatMap((name, index) => (name === '' ? [] : [[name, cleaned[index] ?? '']])));
  return { number, cells, fault: null };
}

/** Quotation marks stand only around cells, and doubled inside. Each character is looked at once: a row is as long as its sender likes. */
function isWellQuoted(raw: string, delimiter: string): boolean {
  let end = raw.length;
  while (raw[end - 1] === '\n' || raw[end - 1] === '\r') end -= 1;
  for (let at = 0; at <= end;) {
    const behind = raw[at] === '"' ? behindQuoted(raw, at + 1) : at;
    if (behind === undefined) return false;
    const next = raw.indexOf(delimiter, behind);
    const cellEnd = next < 0 ? end : next;
    const rest = raw.slice(behind, cellEnd);
    if (behind > at ? rest !== '' : rest.includes('"')) return false;
    at = cellEnd + 1;
  }
  return true;
}

/** Where a quoted cell that begins at `start` is over, behind its closing mark; undefined where nothing closes it. */
function behindQuoted(raw: string, start: number): number | undefined {
  for (let at = start; ;) {
    const mark = raw.indexOf('"', at);
    if (mark < 0) return undefined;
    if (raw[mark + 1] !== '"') return mark + 1;
    at = mark + 2;
  }
}

/** Spaces around a cell say nothing, nor does the apostrophe of our own files. */
const clean = (cell: string): string => unescapedCell(cell.trim()).trim();

import { parse } from 'csv-parse/sync';
import { stringify } from 'csv-stringify/sync';
import { Problem } from '../../../shared/errors.ts';
import { formatDecimal } from '../../../shared/money.ts';
import type { Attribute, Product, Value, Variant } from '../model.ts';

/*
 * One row a variant. The first row of a product says what holds for the product; the rows after it with the same slug only add variants. An
 * empty cell clears what it stands for, a column that is not there says nothing. Lists in a cell are parted by `|`.
 */

export type Row = Record<string, string>;

/** A row with its number as a spreadsheet counts: the heading is 1. */
export interface NumberedRow {
  number: number;
  cells: Row;
}

const PRODUCT_COLUMNS = [
  'slug',
  'name',
  'description',
  'state',
  'publish_at',
  'unpublish_at',
  'categories',
  'tags',
  'axes',
  'media',
  'metadata',
  'private_metadata',
];
const VARIANT_COLUMNS = ['sku', 'price', 'currency', 'compare_at_price', 'weight_grams', 'barcode', 'variant_state', 'variant_media'];
const ATTRIBUTE = 'attribute:';

export const attributeColumn = (code: string): string => ATTRIBUTE + code;

export const columnsFor = (codes: readonly string[]): string[] => [...PRODUCT_COLUMNS, ...VARIANT_COLUMNS, ...codes.map(attributeColumn)];

const KNOWN = new Set([...PRODUCT_COLUMNS, ...VARIANT_COLUMNS]);
const REQUIRED = ['slug', 'sku'];
const MOST_ROWS = 50_000;

/**
 * A cell that begins like a formula would run in the spreadsheet of whoever opens the file, so it gets an apostrophe; so does one that looks
 * as if it had got one. Reading takes away what writing put there, nothing else.
 */
const RISKY = /^'*[=+\-@\t\r\uFF0B\uFF0D\uFF1D\uFF20]/;

const escaped = (cell: string): string => (RISKY.test(cell) ? `'${cell}` : cell);
const unescaped = (cell: string): string => (cell.startsWith("'") && RISKY.test(cell.slice(1)) ? cell.slice(1) : cell);

export const joinList = (entries: readonly string[]): string =>
  entries.map((entry) => entry.replaceAll(/[\\|]/g, String.raw`\$&`)).join('|');

export function splitList(cell: string): string[] {
  const entries = [...cell.matchAll(/(?:\\.|[^|\\])+/gs)].map(([entry]) => entry.replaceAll(/\\(.)/gs, '$1').trim());
  return entries.filter((entry) => entry !== '');
}

/** Lines of a CSV file; with `header`, its first line too. */
export const writeRows = (columns: readonly string[], rows: readonly Row[], { header }: { header: boolean }): string =>
  stringify(
    rows.map((row) => columns.map((column) => escaped(row[column] ?? ''))),
    { ...(header && { header: true, columns: [...columns] }) },
  );

/** The rows of a file; throws INVALID when it is none that can be imported. Comma, semicolon and tab are understood. */
export function readRows(file: Buffer): Row[] {
  const text = textOf(file);
  const [heading = ''] = text.split(/\r?\n/, 1);
  const delimiter = [',', ';', '\t'].sort((a, b) => heading.split(b).length - heading.split(a).length)[0]!;
  const rows = parsed(text, delimiter);
  if (rows.length > MOST_ROWS) throw invalidFile(`The file has more than ${MOST_ROWS} rows.`);
  if (rows.length === 0) throw invalidFile('The file has no rows.');
  const columns = Object.keys(rows[0]!);
  const missing = REQUIRED.filter((column) => !columns.includes(column));
  if (missing.length > 0) throw invalidFile(`The file has no column ${missing.join(' and no column ')}.`);
  const unknown = columns.find((column) => !KNOWN.has(column) && !column.startsWith(ATTRIBUTE));
  if (unknown !== undefined) throw invalidFile(`There is no column "${unknown.slice(0, 60)}".`);
  return rows.map((row) => Object.fromEntries(Object.entries(row).map(([column, cell]) => [column, unescaped(cell)])));
}

const invalidFile = (message: string): Problem => new Problem('INVALID', message);

function textOf(file: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(file);
  } catch {
    throw invalidFile('The file is not text in UTF-8.');
  }
}

function parsed(text: string, delimiter: string): Row[] {
  try {
    return parse(text, {
      delimiter,
      bom: true,
      columns: (heading) => heading.map((column: string) => column.trim().toLowerCase()),
      skip_empty_lines: true,
      max_record_size: 200_000,
    }) as Row[];
  } catch (error) {
    throw invalidFile(`The file cannot be read: ${(error as Error).message.slice(0, 200)}.`);
  }
}

/** What a product looks like in rows, one a variant; a product without variants has one row without a SKU. */
export function rowsOf(product: Product, attributes: ReadonlyMap<string, Attribute>): Row[] {
  const variants = product.variants.map((variant) => ({ slug: product.slug, ...variantCells(product, variant, attributes) }));
  const [first = {}, ...rest] = variants;
  return [{ ...first, ...productCells(product, attributes) }, ...rest];
}

function productCells(product: Product, attributes: ReadonlyMap<string, Attribute>): Row {
  return {
    slug: product.slug,
    name: product.name,
    description: product.description ?? '',
    state: product.state,
    publish_at: product.publishAt?.toISOString() ?? '',
    unpublish_at: product.unpublishAt?.toISOString() ?? '',
    categories: joinList(product.categoryIds),
    tags: joinList(product.tags),
    axes: joinList(product.axisIds.map((id) => attributes.get(id)?.code ?? id)),
    media: joinList(product.media.map(({ key, alt }) => `${key} ${alt}`.trim())),
    metadata: factsCell(product.metadata),
    private_metadata: factsCell(product.privateMetadata),
    ...valueCells(product.attributes, attributes),
  };
}

function variantCells(product: Product, variant: Variant, attributes: ReadonlyMap<string, Attribute>): Row {
  return {
    sku: variant.sku,
    price: formatDecimal(variant.price),
    currency: variant.price.currency,
    compare_at_price: variant.compareAtPrice ? formatDecimal(variant.compareAtPrice) : '',
    weight_grams: variant.weightGrams === null || variant.weightGrams === undefined ? '' : String(variant.weightGrams),
    barcode: variant.barcode ?? '',
    variant_state: variant.archivedAt ? 'ARCHIVED' : 'ACTIVE',
    variant_media: product.media.find(({ _id }) => _id === variant.mediaId)?.key ?? '',
    ...valueCells(variant.axes, attributes),
  };
}

const factsCell = (facts: Product['metadata']): string =>
  facts.length > 0 ? JSON.stringify(Object.fromEntries(facts.map(({ key, value }) => [key, value]))) : '';

function valueCells(values: readonly { attributeId: string; value: Value }[], attributes: ReadonlyMap<string, Attribute>): Row {
  const cells = values.flatMap(({ attributeId, value }) => {
    const code = attributes.get(attributeId)?.code;
    return code === undefined ? [] : [[attributeColumn(code), Array.isArray(value) ? joinList(value) : String(value)] as const];
  });
  return Object.fromEntries(cells);
}

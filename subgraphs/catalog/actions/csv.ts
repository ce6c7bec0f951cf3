import { csvLines, escapedCell } from '#shared/files/csv.ts';
import { formatDecimal } from '#shared/base/money.ts';
import type { Attribute, Product, Value, Variant } from '../model.ts';

/*
 * One row a variant. The first row of a product says what holds for the product; the rows after it with the same slug only add variants. An
 * empty cell clears what it stands for, a column that is not there says nothing. Lists in a cell are parted by `|`. Spaces around a cell say
 * nothing.
 */

export type Row = Record<string, string>;

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
export const REQUIRED_COLUMNS = ['slug', 'sku'];

/** No code is longer, and a name stands in the store with each of its cells. */
const MAX_COLUMN_LENGTH = ATTRIBUTE.length + 100;

export const isColumn = (name: string): boolean => KNOWN.has(name) || (name.startsWith(ATTRIBUTE) && name.length <= MAX_COLUMN_LENGTH);

export const joinList = (entries: readonly string[]): string =>
  entries.map((entry) => entry.replaceAll(/[\\|]/g, String.raw`\$&`)).join('|');

export function splitList(cell: string): string[] {
  const entries = [...cell.matchAll(/(?:\\.|[^|\\])+/gs)].map(([entry]) => entry.replaceAll(/\\(.)/gs, '$1').trim());
  return entries.filter((entry) => entry !== '');
}

/** Lines of a CSV file; with `header`, its first line too. */
export const writeRows = (columns: readonly string[], rows: readonly Row[], { header }: { header: boolean }): string =>
  csvLines([...(header ? [columns] : []), ...rows.map((row) => columns.map((column) => escapedCell(row[column] ?? '')))], '\n');

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

/** In the order they are kept in, which an object would not keep for keys that are numbers. */
const factsCell = (facts: Product['metadata']): string =>
  facts.length > 0 ? `{${facts.map(({ key, value }) => `${JSON.stringify(key)}:${JSON.stringify(value)}`).join(',')}}` : '';

function valueCells(values: readonly { attributeId: string; value: Value }[], attributes: ReadonlyMap<string, Attribute>): Row {
  const cells = values.flatMap(({ attributeId, value }) => {
    const code = attributes.get(attributeId)?.code;
    return code === undefined ? [] : [[attributeColumn(code), Array.isArray(value) ? joinList(value) : String(value)] as const];
  });
  return Object.fromEntries(cells);
}

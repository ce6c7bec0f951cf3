import type { InputPath } from '#shared/base/errors.ts';
import type { Attribute, Product, Variant } from '../model.ts';
import { attributeColumn, splitList, type Row } from './csv.ts';

/** How cells become what the rest of the catalog takes as input, and how a place in that input is called in the table. */

type Attributes = ReadonlyMap<string, Attribute>;
type Input = Record<string, unknown>;

const cell = (row: Row, column: string): string | undefined => row[column];
const listCell = (row: Row, column: string): string[] | undefined => (row[column] === undefined ? undefined : splitList(row[column]));

/** Only columns that are there say something. */
const given = (input: Input): Input => Object.fromEntries(Object.entries(input).filter(([, value]) => value !== undefined));

/** The product's part of its first row, for a new product as for a known one. */
export function productInput(row: Row, attributes: Attributes, known: Product | undefined): Input {
  const axes = listCell(row, 'axes')?.map((code) => attributes.get(code)?._id ?? code);
  const axisIds = axes ?? known?.axisIds ?? [];
  return given({
    slug: cell(row, 'slug'),
    name: cell(row, 'name') || undefined,
    description: cell(row, 'description'),
    categoryIds: listCell(row, 'categories'),
    tags: listCell(row, 'tags'),
    variantAxes: axes,
    attributes: valuesInput(row, attributes, (attribute) => !axisIds.includes(attribute._id), known),
  });
}

/** A variant's part of a row. */
export function variantInput(
  row: Row,
  attributes: Attributes,
  { axisIds, currency, known }: { axisIds: readonly string[]; currency: string; known: Variant | undefined },
): Input {
  const priceOf = (amount: string) => ({ amount, currency: cell(row, 'currency') || currency });
  const optional = (column: string): string | null | undefined => (row[column] === '' ? null : row[column]);
  const weight = optional('weight_grams');
  const compareAt = optional('compare_at_price');
  const price = cell(row, 'price');
  return given({
    sku: cell(row, 'sku'),
    price: price === undefined || (price === '' && known) ? undefined : priceOf(price),
    compareAtPrice: typeof compareAt === 'string' ? priceOf(compareAt) : compareAt,
    weightGrams: typeof weight === 'string' ? numberOf(weight) : weight,
    barcode: optional('barcode'),
    axisValues: valuesInput(row, attributes, (attribute) => axisIds.includes(attribute._id), undefined) ?? (known ? undefined : []),
  });
}

/** The values of all columns that stand for wanted attributes; undefined when there is no such column. Values without a column stay. */
function valuesInput(
  row: Row,
  attributes: Attributes,
  wanted: (attribute: Attribute) => boolean,
  known: Product | undefined,
): Input[] | undefined {
  const columns = Object.keys(row).filter((column) => column.startsWith(attributeColumn('')));
  const named = columns.flatMap((column) => {
    const attribute = attributes.get(column.slice(attributeColumn('').length));
    return attribute && wanted(attribute) ? [{ attribute, text: row[column]! }] : [];
  });
  if (named.length === 0) return undefined;
  const stated = new Set(named.map(({ attribute }) => attribute._id));
  const byId = new Map([...attributes.values()].map((attribute) => [attribute._id, attribute]));
  const kept = (known?.attributes ?? []).filter(({ attributeId }) => !stated.has(attributeId));
  return [
    ...kept.map(({ attributeId, value }) => ({ attributeId, ...fieldOf(byId.get(attributeId), value) })),
    ...named
      .filter(({ text }) => text !== '')
      .map(({ attribute, text }) => ({ attributeId: attribute._id, ...fieldOf(attribute, valueOf(attribute, text)) })),
  ];
}

const YES = new Set(['true', 'yes', '1']);
const NO = new Set(['false', 'no', '0']);

/** A text that does not read as a value of the type stays a text, and is refused as such. */
function valueOf({ type }: Attribute, text: string): unknown {
  if (type === 'NUMBER') return numberOf(text);
  if (type === 'BOOLEAN') return YES.has(text.toLowerCase()) || (NO.has(text.toLowerCase()) ? false : text);
  return type === 'MULTISELECT' ? splitList(text) : text;
}

const FIELDS: Partial<Record<Attribute['type'], string>> = { TEXT: 'text', NUMBER: 'number', BOOLEAN: 'boolean' };

function fieldOf(attribute: Attribute | undefined, value: unknown): Input {
  const field = attribute && FIELDS[attribute.type];
  return field ? { [field]: value } : { options: [value].flat() };
}

const numberOf = (text: string): number | string => (/^-?\d+(?:\.\d+)?$/.test(text) ? Number(text) : text);

const JSON_TEXT = /"(?:[^"\\]|\\.)*"/g;
/** What an object of nothing but texts looks like without its texts. */
const ONLY_TEXTS = /^\{(?::(?:,:)*)?\}$/;

/** The facts of a cell in their order, a key that is given twice twice; undefined when the cell is no JSON object of texts. */
export function factsOf(text: string): { key: string; value: string }[] | undefined {
  if (text === '') return [];
  if (!isJson(text) || !ONLY_TEXTS.test(text.replaceAll(JSON_TEXT, '').replaceAll(/\s/g, ''))) return undefined;
  const texts = [...text.matchAll(JSON_TEXT)].map(([each]) => JSON.parse(each) as string);
  return texts.flatMap((key, index) => (index % 2 === 0 ? [{ key, value: texts[index + 1]! }] : []));
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

const COLUMNS: Record<string, string> = {
  categoryIds: 'categories',
  variantAxes: 'axes',
  attributes: 'attribute:',
  axisValues: 'attribute:',
  compareAtPrice: 'compare_at_price',
  weightGrams: 'weight_grams',
  privateMetadata: 'private_metadata',
};

/** The column a place in the input came from; values of attributes are named by the attribute's code. */
export function columnOf(path: InputPath, input: Input, attributes: Attributes): string | null {
  const [field, index, inner] = path;
  if (field === undefined) return null;
  if (field === 'price' && index === 'currency') return 'currency';
  const column = COLUMNS[String(field)] ?? String(field);
  if (column !== 'attribute:') return column;
  const entry = (input[String(field)] as { attributeId?: string }[] | undefined)?.[Number(index)];
  const attribute = [...attributes.values()].find(({ _id }) => _id === entry?.attributeId);
  return attribute && inner !== undefined ? attributeColumn(attribute.code) : null;
}

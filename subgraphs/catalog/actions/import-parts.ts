import { invalid } from '#shared/base/errors.ts';
import type { Ctx } from '../loaders.ts';
import { readTable, type TableRow } from './csv-reading.ts';
import { NewVariant } from './inputs.ts';

/** Rows of one transaction; the rows of a product stay together. */
const ROWS_A_PART = 100;
/** Not all rows of a file can be those of one product. */
const MAX_ROWS_PER_PART = 500;
/** What one transaction writes of them is a few times that, and a document of the store holds 16 MB. */
const MAX_CHARACTERS_PER_PART = 500_000;

/** The rows of a file in parts, each of which is one transaction. The same file gives the same parts, so an import can go on behind one. */
export async function* readParts(ctx: Ctx, key: string): AsyncGenerator<TableRow[]> {
  const file = await ctx.providers.uploads.stream(key);
  if (!file) throw invalid([], 'The file is not there any more.');
  yield* partsOf(unlikeEarlier(readTable(file)));
}

async function* partsOf(rows: AsyncIterable<TableRow>): AsyncGenerator<TableRow[]> {
  let part: TableRow[] = [];
  let characters = 0;
  for await (const row of rows) {
    const isSameProduct = part.at(-1)?.cells['slug'] === row.cells['slug'];
    const isFull = part.length >= (isSameProduct ? MAX_ROWS_PER_PART : ROWS_A_PART) || characters >= MAX_CHARACTERS_PER_PART;
    if (isFull) {
      yield part;
      [part, characters] = [[], 0];
    }
    part.push(row);
    for (const cell of Object.values(row.cells)) characters += cell.length;
  }
  if (part.length > 0) yield part;
}

/** A variant has one row in a file: which of two should count is not ours to guess. */
async function* unlikeEarlier(rows: AsyncIterable<TableRow>): AsyncGenerator<TableRow> {
  const seen = new Map<string, number>();
  for await (const row of rows) {
    const sku = row.fault ? '' : skuOf(row.cells['sku'] ?? '');
    const key = JSON.stringify([row.cells['slug'], sku]);
    const earlier = sku === '' ? undefined : seen.get(key);
    if (sku !== '' && earlier === undefined) seen.set(key, row.number);
    yield earlier === undefined
      ? row
      : { ...row, fault: { column: 'sku', message: `Row ${earlier} has this SKU of this product already.` } };
  }
}

/** As it would be kept. */
export function skuOf(cell: string): string {
  const parsed = NewVariant.shape.sku.safeParse(cell);
  return parsed.success ? parsed.data : cell;
}

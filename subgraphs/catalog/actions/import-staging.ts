import { invalid } from '#shared/base/errors.ts';
import { importJob } from '../contract.ts';
import type { Ctx } from '../loaders.ts';
import type { ProductImport } from '../model.ts';
import { readTable, type TableRow } from './csv-reading.ts';
import { NewVariant } from './inputs.ts';

/** Rows of one transaction; the rows of a product stay together. */
const ROWS_A_PART = 100;
/** Not all rows of a file can be those of one product. */
const MAX_ROWS_PER_PART = 500;
/** A document of the store holds 16 MB, and a character takes up to 3 bytes. */
const MAX_CHARACTERS_PER_PART = 500_000;
/** What the store adds to a cell, at most. */
const CHARACTERS_A_CELL = 10;

/** Rows as they are laid aside: cells that are empty are left out, and come back by the columns. */
export interface StagedPart {
  rows: TableRow[];
  /** Missing in a part of an earlier version, whose rows have all their cells. */
  columns?: string[];
}

/**
 * Reads the file and lays its rows aside in parts, each in a transaction of its own. Reading again after a crash goes on behind the last part,
 * since the same file gives the same parts.
 */
export async function stageRows(ctx: Ctx, running: ProductImport): Promise<void> {
  const file = await ctx.providers.uploads.stream(running.key);
  if (!file) throw invalid([], 'The file is not there any more.');
  let [part, total] = [0, 0];
  for await (const rows of partsOf(unlikeEarlier(readTable(file)))) {
    part += 1;
    total += rows.length;
    if (part > running.parts && !(await stagePart(ctx, running._id, { part, rows }))) return;
  }
  await ctx.transaction(async (inner: Ctx) => {
    const { modifiedCount } = await inner.models.ProductImport.updateOne(
      { _id: running._id, parts: part, total: null, finishedAt: null },
      { $set: { total } },
    );
    if (modifiedCount > 0) inner.enqueue(importJob({ importId: running._id, part: 1 }));
  });
}

/** False when somebody else is ahead with this import, or has ended it. */
const stagePart = (ctx: Ctx, importId: string, { part, rows }: { part: number; rows: TableRow[] }): Promise<boolean> =>
  ctx.transaction(async (inner: Ctx) => {
    const { modifiedCount } = await inner.models.ProductImport.updateOne(
      { _id: importId, parts: part - 1, total: null, finishedAt: null },
      { $set: { parts: part } },
    );
    if (modifiedCount > 0)
      await inner.models.ImportPart.insertMany([{ _id: partId(importId, part), importId, ...stagedPart(rows) }], { lean: true });
    return modifiedCount > 0;
  });

export const partId = (importId: string, part: number): string => `${importId} ${part}`;

function stagedPart(rows: readonly TableRow[]): StagedPart {
  const columns = Object.keys(rows.find(({ fault }) => fault === null)?.cells ?? {});
  return { columns, rows: rows.map((row) => ({ ...row, cells: Object.fromEntries(filledCells(row)) })) };
}

const filledCells = ({ cells }: TableRow): [string, string][] => Object.entries(cells).filter(([, cell]) => cell !== '');

/** The rows as they were read. */
export function rowsIn({ rows, columns = [] }: StagedPart): TableRow[] {
  const empty = Object.fromEntries(columns.map((column) => [column, '']));
  return rows.map((row) => ({ ...row, cells: { ...(row.fault === null ? empty : { slug: '' }), ...row.cells } }));
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
    for (const [column, cell] of filledCells(row)) characters += column.length + cell.length + CHARACTERS_A_CELL;
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

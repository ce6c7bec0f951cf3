import { z } from 'zod';
import { invalid, isProblem } from '../../../shared/errors.ts';
import { idempotencyKey } from '../../../shared/input.ts';
import { newId } from '../../../shared/ids.ts';
import { findVendors } from '../../vendors/contract.ts';
import { importWork } from '../contract.ts';
import type { Ctx } from '../loaders.ts';
import type { ProductImport } from '../model.ts';
import { readRows, type NumberedRow } from './csv.ts';
import { importGroups, type RowProblem } from './import-groups.ts';
import { ERROR_POLICIES } from './rows.ts';
import { takeUpload } from './uploads.ts';

export const StartProductImport = z.object({
  vendorId: z.string(),
  uploadId: z.string(),
  errorPolicy: z.enum(ERROR_POLICIES).nullish(),
  idempotencyKey: idempotencyKey().optional(),
});

/** Looks at the file and puts the work on its queue; the rows are read there. */
export async function startProductImport(ctx: Ctx, { vendorId, uploadId, errorPolicy }: z.infer<typeof StartProductImport>) {
  await ctx.loaders.memberships.require(vendorId, 'PRODUCTS');
  const policy = errorPolicy ?? 'REJECT_FAILED_ROWS';
  if (policy === 'REJECT_ALL')
    throw invalid(['input', 'errorPolicy'], 'A file is taken product by product; use bulkCreateProducts for all or nothing.');
  const importId = newId('imp');
  const { key } = await takeUpload(ctx, { id: uploadId, vendorId, purpose: 'IMPORT', usedBy: importId });
  const [row] = await ctx.models.ProductImport.create([{ _id: importId, vendorId, startedBy: ctx.viewer!.id, key, errorPolicy: policy }]);
  ctx.publish(importWork({ importId, part: 0 }));
  return { productImport: row!.toObject() };
}

/** Rows of one transaction; the rows of a product stay together. */
const ROWS_A_PART = 100;
/** Not all rows of a file can be those of one product. */
const MOST_ROWS_A_PART = 500;
const MOST_ERRORS = 1_000;

/**
 * Part 0 reads the file and lays its rows aside, each later part takes some of them. The parts' effects, the counts and the next part are
 * one transaction, so that a crash goes on where it stopped and nothing is done twice.
 */
export async function runImportPart(ctx: Ctx, { importId, part }: { importId: string; part: number }): Promise<void> {
  const running = await ctx.models.ProductImport.findById(importId).lean<ProductImport>();
  if (!running || running.finishedAt) return;
  if (part === 0) return layAside(ctx, running);
  const staged = await ctx.models.ImportPart.findById(`${importId} ${part}`).lean<{ rows: NumberedRow[] }>();
  if (!staged) return finish(ctx, importId, 'DONE');
  if (!(await maySell(ctx, running.vendorId))) {
    const message = 'The store may not sell any more: the rows that were left are not read.';
    return fail(ctx, running, { code: 'VENDOR_SUSPENDED', message });
  }
  const outcome = await importGroups(ctx, running, staged.rows);
  await record(ctx, running, { ...outcome, processed: staged.rows.length });
  ctx.publish(importWork({ importId, part: part + 1 }));
}

async function layAside(ctx: Ctx, running: ProductImport): Promise<void> {
  const rows = await read(ctx, running);
  if (!rows) return;
  const parts = partsOf(rows).map((part, index) => ({ _id: `${running._id} ${index + 1}`, importId: running._id, rows: part }));
  await ctx.models.ImportPart.insertMany(parts);
  await ctx.models.ProductImport.updateOne({ _id: running._id }, { $set: { state: 'RUNNING', total: rows.length } });
  ctx.publish(importWork({ importId: running._id, part: 1 }));
}

/** Undefined when the file is none that can be imported; the import says why. */
async function read(ctx: Ctx, running: ProductImport): Promise<NumberedRow[] | undefined> {
  const file = await ctx.ports.uploads.read(running.key);
  try {
    if (!file) throw invalid([], 'The file is not there any more.');
    return readRows(file).map((cells, index) => ({ number: index + 2, cells }));
  } catch (error) {
    if (!isProblem(error)) throw error;
    await fail(ctx, running, { code: error.code, message: error.message });
    return undefined;
  }
}

/** Asked before each part: a store can be suspended while its file is read. */
async function maySell(ctx: Ctx, vendorId: string): Promise<boolean> {
  const { vendors } = await ctx.call(findVendors, { ids: [vendorId] });
  return vendors[0]?.state === 'ACTIVE';
}

async function fail(ctx: Ctx, { _id }: ProductImport, problem: { code: string; message: string }): Promise<void> {
  const whole = { row: null, column: null, ...problem };
  await ctx.models.ProductImport.updateOne({ _id }, { $push: { errors: whole }, $inc: { errorCount: 1 } });
  await finish(ctx, _id, 'FAILED');
}

function partsOf(rows: readonly NumberedRow[]): NumberedRow[][] {
  const parts: NumberedRow[][] = [];
  for (const row of rows) {
    const part = parts.at(-1);
    const isSameProduct = part?.at(-1)!.cells['slug'] === row.cells['slug'];
    const goesOn = part && part.length < (isSameProduct ? MOST_ROWS_A_PART : ROWS_A_PART);
    if (goesOn) part.push(row);
    else parts.push([row]);
  }
  return parts;
}

interface PartOutcome {
  processed: number;
  created: number;
  updated: number;
  failed: number;
  problems: RowProblem[];
}

async function record(ctx: Ctx, running: ProductImport, { problems, ...counts }: PartOutcome): Promise<void> {
  const room = Math.max(0, MOST_ERRORS - running.errors.length);
  await ctx.models.ProductImport.updateOne(
    { _id: running._id },
    { $inc: { ...counts, errorCount: problems.length }, $push: { errors: { $each: problems.slice(0, room) } } },
  );
}

async function finish(ctx: Ctx, importId: string, state: 'DONE' | 'FAILED'): Promise<void> {
  await ctx.models.ProductImport.updateOne({ _id: importId }, { $set: { state, finishedAt: ctx.now() } });
  await ctx.models.ImportPart.deleteMany({ importId });
}

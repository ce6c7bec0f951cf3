import { z } from 'zod';
import { invalid, isProblem, notFound, type Problem } from '#shared/base/errors.ts';
import { idempotencyKey } from '#shared/base/input.ts';
import { newId } from '#shared/base/ids.ts';
import type { JobRun } from '#shared/kit/define-job.ts';
import { isCancelled } from '#shared/kit/job-stop.ts';
import { importJob } from '../contract.ts';
import type { Ctx } from '../loaders.ts';
import type { ProductImport } from '../model.ts';
import { importGroups, type RowProblem } from './import-groups.ts';
import { readParts } from './import-parts.ts';
import { failureOf, finalOf, whyNotEdit } from './jobs.ts';
import type { TableRow } from './csv-reading.ts';
import { seesPrivate } from '../visibility.ts';
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
  ctx.enqueue(importJob({ importId, vendorId }), { id: importId });
  return { productImport: row!.toObject() };
}

export const MAX_ERRORS = 1_000;

/**
 * Reads the file once to see that it can be read and how many rows it has, then imports it part by part. A part's effects, its counts and
 * "this part is done" are one transaction, so a crash goes on where it stopped and nothing is done twice.
 */
export async function runImport(ctx: Ctx, { importId }: Input, run: JobRun): Promise<void> {
  const started = await ctx.models.ProductImport.findOne({ _id: importId, finishedAt: null }).lean<ProductImport>();
  if (!started) return;
  try {
    await refuseStopped(ctx, started);
    await importParts(ctx, await begin(ctx, started), run);
    await ctx.transaction((inner: Ctx) => finish(inner, importId, { state: 'DONE' }));
  } catch (error) {
    if (!isProblem(error) || error.retryable || run.signal.aborted) throw finalOf(error);
    await ctx.transaction((inner: Ctx) => finish(inner, importId, { state: 'FAILED', problem: problemOf(error) }));
  }
}

interface Input {
  importId: string;
}

/** The person who started it may have lost the right to since. */
async function refuseStopped(ctx: Ctx, started: ProductImport): Promise<void> {
  const refusal = await whyNotEdit(ctx, started);
  if (refusal) throw refusal;
}

async function begin(ctx: Ctx, started: ProductImport): Promise<ProductImport> {
  if (started.total !== null) return started;
  let total = 0;
  for await (const rows of readParts(ctx, started.key)) total += rows.length;
  await ctx.models.ProductImport.updateOne({ _id: started._id, finishedAt: null }, { $set: { state: 'RUNNING', total } });
  return { ...started, total };
}

async function importParts(ctx: Ctx, running: ProductImport, run: JobRun): Promise<void> {
  let part = 0;
  let done = 0;
  for await (const rows of readParts(ctx, running.key)) {
    part += 1;
    done += rows.length;
    if (part <= running.parts) continue;
    await refuseStopped(ctx, running);
    await ctx.transaction((inner: Ctx) => importPart(inner, running._id, { part, rows }));
    await run.progress({ done, total: running.total! });
  }
}

async function importPart(ctx: Ctx, _id: string, { part, rows }: { part: number; rows: TableRow[] }): Promise<void> {
  const isDue = { _id, parts: part - 1, finishedAt: null };
  const running = await ctx.models.ProductImport.findOneAndUpdate(isDue, { $set: { parts: part } }).lean<ProductImport>();
  // Another attempt was faster, or has ended it.
  if (!running) return;
  await record(ctx, running, { ...(await importGroups(ctx, running, rows)), processed: rows.length });
}

/** Of the whole file, or of the row that makes it unreadable. */
function problemOf({ code, message, facts }: Problem): ProductImport['errors'][number] {
  return { row: typeof facts['row'] === 'number' ? facts['row'] : null, column: null, code, message };
}

interface PartOutcome {
  processed: number;
  created: number;
  updated: number;
  failed: number;
  problems: RowProblem[];
}

async function record(ctx: Ctx, running: ProductImport, { problems, ...counts }: PartOutcome): Promise<void> {
  const room = Math.max(0, MAX_ERRORS - running.errors.length);
  await ctx.models.ProductImport.updateOne(
    { _id: running._id },
    { $inc: { ...counts, errorCount: problems.length }, $push: { errors: { $each: problems.slice(0, room) } } },
  );
}

type End = { state: 'DONE' } | { state: 'CANCELLED' } | { state: 'FAILED'; problem: ProductImport['errors'][number] };

/** Ends an import, once. What is wrong with the whole stands before what is wrong with rows. */
async function finish(ctx: Ctx, importId: string, end: End): Promise<void> {
  const running = await ctx.models.ProductImport.findOne({ _id: importId, finishedAt: null }).lean<ProductImport>();
  if (!running) return;
  const { errors, errorCount } = running;
  const why = end.state === 'FAILED' && { errors: [end.problem, ...errors].slice(0, MAX_ERRORS), errorCount: errorCount + 1 };
  await ctx.models.ProductImport.updateOne({ _id: importId }, { $set: { state: end.state, finishedAt: ctx.now(), ...why } });
}

/** The run was cancelled or given up: the import ends, and its owner reads why. What was imported stays. */
export const giveUpImport = (ctx: Ctx, { importId }: Input, error: unknown): Promise<void> =>
  finish(
    ctx,
    importId,
    isCancelled(error) ? { state: 'CANCELLED' } : { state: 'FAILED', problem: { row: null, column: null, ...failureOf(error) } },
  );

export const CancelProductImport = z.object({ id: z.string() });

export async function cancelProductImport(ctx: Ctx, { id }: z.infer<typeof CancelProductImport>) {
  const found = await findImport(ctx, id);
  if (!found) throw notFound('ProductImport', id, ['input', 'id']);
  await ctx.cancelRun(importJob, id);
  return { productImport: await ctx.models.ProductImport.findById(id).lean<ProductImport>() };
}

/** An import, if the viewer may edit products of its vendor; to others there is none. */
export async function findImport(ctx: Ctx, id: string): Promise<ProductImport | null> {
  const found = await ctx.loaders.productImport.load(id);
  return found && (await seesPrivate(ctx, found.vendorId)) ? found : null;
}

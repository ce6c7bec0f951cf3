import { z } from 'zod';
import { invalid, isProblem, type Problem } from '#shared/base/errors.ts';
import { idempotencyKey } from '#shared/base/input.ts';
import { newId } from '#shared/base/ids.ts';
import { importJob } from '../contract.ts';
import type { Ctx } from '../loaders.ts';
import type { ProductImport } from '../model.ts';
import { importGroups, type RowProblem } from './import-groups.ts';
import { partId, rowsIn, stageRows, type StagedPart } from './import-staging.ts';
import { failureOf, whyNotEdit } from './jobs.ts';
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
  ctx.enqueue(importJob({ importId, part: 0 }));
  return { productImport: row!.toObject() };
}

export const MAX_ERRORS = 1_000;

interface Turn {
  importId: string;
  part: number;
}

/**
 * Part 0 reads the file and lays its rows aside, each later part takes some of them. A part's effects, the counts and the next part are one
 * transaction that begins with "this part is due", so that a crash goes on where it stopped and nothing is done twice.
 */
export async function runImportPart(ctx: Ctx, turn: Turn): Promise<void> {
  const started = await ctx.models.ProductImport.findOne({ _id: turn.importId, finishedAt: null }).lean<ProductImport>();
  if (!started) return;
  const refusal = await whyNotEdit(ctx, started);
  if (refusal) return ctx.transaction((inner: Ctx) => finish(inner, turn.importId, { state: 'FAILED', problem: problemOf(refusal) }));
  if (turn.part > 0) return ctx.transaction((inner: Ctx) => takePart(inner, turn));
  const running = await ctx.transaction((inner: Ctx) => takeTurn(inner, turn.importId));
  if (!running) return;
  try {
    await stageRows(ctx, running);
  } catch (error) {
    if (isOurMistake(error)) return ctx.transaction((inner: Ctx) => giveUpImport(inner, turn, error));
    if (!isProblem(error) || error.retryable) throw error;
    await ctx.transaction((inner: Ctx) => finish(inner, turn.importId, { state: 'FAILED', problem: problemOf(error) }));
  }
}

const MISTAKES = new Set(['RangeError', 'TypeError', 'ReferenceError', 'SyntaxError', 'BSONError', 'MongoInvalidArgumentError']);
/** By which the store says that a document is too large. */
const TOO_LARGE = new Set<unknown>([10_334, 17_280]);

/** What would come again at each attempt, while the vendor's next imports wait. A request that fails on its way is a TypeError with a cause. */
const isOurMistake = (error: unknown): boolean =>
  error instanceof Error && ((MISTAKES.has(error.name) && error.cause === undefined) || TOO_LARGE.has((error as { code?: unknown }).code));

/** Of the whole file, or of the row that makes it unreadable. */
function problemOf({ code, message, facts }: Problem): ProductImport['errors'][number] {
  return { row: typeof facts['row'] === 'number' ? facts['row'] : null, column: null, code, message };
}

/** One import of a vendor at a time: undefined while another one runs, whose end will wake this one, and when there is nothing to read. */
async function takeTurn(ctx: Ctx, importId: string): Promise<ProductImport | undefined> {
  const waiting = await ctx.models.ProductImport.findById(importId).lean<ProductImport>();
  if (!waiting || waiting.finishedAt || waiting.total !== null) return undefined;
  const { vendorId } = waiting;
  // A write, so that whoever ends the other one at this moment sees that this one waits.
  const taken = await ctx.models.ImportTurn.findOneAndUpdate({ _id: vendorId }, { $inc: { asked: 1 } }).lean();
  if (taken && taken.importId !== importId) return undefined;
  if (!taken) await ctx.models.ImportTurn.create([{ _id: vendorId, importId }]);
  await ctx.models.ProductImport.updateOne({ _id: importId }, { $set: { state: 'RUNNING' } });
  return waiting;
}

async function takePart(ctx: Ctx, { importId, part }: Turn): Promise<void> {
  const isDue = { _id: importId, next: part, finishedAt: null };
  const running = await ctx.models.ProductImport.findOneAndUpdate(isDue, { $set: { next: part + 1 } }).lean<ProductImport>();
  if (!running) return;
  const _id = partId(importId, part);
  const staged = await ctx.models.ImportPart.findById(_id).lean<StagedPart>();
  if (staged) {
    const outcome = await importGroups(ctx, running, rowsIn(staged));
    await record(ctx, running, { ...outcome, processed: staged.rows.length });
    await ctx.models.ImportPart.deleteOne({ _id });
  }
  if (part >= running.parts) return finish(ctx, importId, { state: 'DONE' });
  ctx.enqueue(importJob({ importId, part: part + 1 }));
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

type End = { state: 'DONE' } | { state: 'FAILED'; problem: ProductImport['errors'][number] };

/** Ends an import, once, and lets the vendor's next one begin. What is wrong with the whole stands before what is wrong with rows. */
async function finish(ctx: Ctx, importId: string, end: End): Promise<void> {
  const running = await ctx.models.ProductImport.findOne({ _id: importId, finishedAt: null }).lean<ProductImport>();
  if (!running) return;
  const { vendorId, errors, errorCount } = running;
  const why = end.state === 'FAILED' && { errors: [end.problem, ...errors].slice(0, MAX_ERRORS), errorCount: errorCount + 1 };
  await ctx.models.ProductImport.updateOne({ _id: importId }, { $set: { state: end.state, finishedAt: ctx.now(), ...why } });
  const { deletedCount } = await ctx.models.ImportTurn.deleteOne({ _id: vendorId, importId });
  const next = deletedCount > 0 && (await ctx.models.ProductImport.findOne({ vendorId, state: 'QUEUED' }).sort({ _id: 1 }).lean());
  if (next) ctx.enqueue(importJob({ importId: next._id, part: 0 }));
}

/** The delivery of a part was given up: the import ends, and its owner reads why. What was imported stays. */
export const giveUpImport = (ctx: Ctx, { importId }: Pick<Turn, 'importId'>, error: unknown): Promise<void> => {
  ctx.log.error({ importId, err: error }, 'an import was given up');
  return finish(ctx, importId, { state: 'FAILED', problem: { row: null, column: null, ...failureOf(error) } });
};

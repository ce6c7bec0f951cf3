import { z } from 'zod';
import { notFound } from '#shared/base/errors.ts';
import { newId } from '#shared/base/ids.ts';
import { idempotencyKey, list } from '#shared/base/input.ts';
import type { FoundRun, JobRun } from '#shared/kit/define-job.ts';
import { exportJob, removeExportJob } from '../contract.ts';
import type { Ctx } from '../loaders.ts';
import { PRODUCT_STATES, type ProductState } from '../machine.ts';
import type { Attribute, Product } from '../model.ts';
import { seesPrivate } from '../visibility.ts';
import { columnsFor, rowsOf, writeRows } from './csv.ts';
import { finalOf, messageFor, whyNotRead } from './jobs.ts';

export const StartProductExport = z.object({
  vendorId: z.string(),
  states: list(z.enum(PRODUCT_STATES), { min: 1, max: PRODUCT_STATES.length }).nullish(),
  idempotencyKey: idempotencyKey().optional(),
});

export async function startProductExport(ctx: Ctx, { vendorId, states }: z.infer<typeof StartProductExport>) {
  await ctx.loaders.memberships.requireReader(vendorId, 'PRODUCTS');
  const input = { vendorId, startedBy: ctx.viewer!.id, states: states ?? [...PRODUCT_STATES] };
  const id = ctx.enqueue(exportJob(input), { id: newId('exp') });
  const queued = { state: 'QUEUED' as const, progress: null, result: null, error: null, finishedAt: null, isCancelling: false };
  return { productExport: shown({ id, input, createdAt: ctx.now(), ...queued }) };
}

const PRODUCTS_AT_ONCE = 50;
const MINUTES_15 = 15 * 60;
const FILE_KEPT_MS = 30 * 24 * 3_600_000;

type ExportInput = z.infer<typeof exportJob.schema>;
type ExportResult = z.infer<NonNullable<typeof exportJob.result>>;

/** Safe to repeat: the file has the name of the run. */
export const runExport = (ctx: Ctx, input: ExportInput, run: JobRun): Promise<ExportResult> =>
  writeProducts(ctx, input, run).catch((error: unknown) => {
    throw finalOf(error);
  });

async function writeProducts(ctx: Ctx, input: ExportInput, run: JobRun): Promise<ExportResult> {
  const { vendorId, states } = input;
  const attributes = await ctx.models.Attribute.find({ vendorId: { $in: [null, vendorId] } })
    .sort({ code: 1 })
    .lean<Attribute[]>();
  const filter = { vendorId, deletedAt: null, state: { $in: states as ProductState[] } };
  const total = await ctx.models.Product.countDocuments(filter);
  const columns = columnsFor(await usedCodes(ctx, vendorId, attributes));
  const byId = new Map(attributes.map((attribute) => [attribute._id, attribute]));
  const pieces = [Buffer.from(writeRows(columns, [], { header: true }))];
  let [done, after] = [0, ''];
  for (;;) {
    // The person who started it may have lost the right to since.
    const refusal = await whyNotRead(ctx, input);
    if (refusal) throw refusal;
    const beyond = after === '' ? filter : { ...filter, _id: { $gt: after } };
    const products = await ctx.models.Product.find(beyond).sort({ _id: 1 }).limit(PRODUCTS_AT_ONCE).lean<Product[]>();
    pieces.push(Buffer.from(products.map((product) => writeRows(columns, rowsOf(product, byId), { header: false })).join('')));
    done += products.length;
    await run.progress({ done, total: Math.max(done, total) });
    if (products.length < PRODUCTS_AT_ONCE) break;
    after = products.at(-1)!._id;
  }
  await run.progress({ done, total: done });
  return keepFile(ctx, { vendorId, name: run.id, body: Buffer.concat(pieces) });
}

/** Its removal is enqueued before the file is there, so that none is forgotten. */
async function keepFile(ctx: Ctx, { vendorId, name, body }: { vendorId: string; name: string; body: Buffer }): Promise<ExportResult> {
  const place = { folder: `exports/${vendorId}`, visibility: 'PRIVATE', contentType: 'text/csv' } as const;
  const { key } = await ctx.providers.uploads.store(place, name, body);
  const expiresAt = new Date(ctx.now().getTime() + FILE_KEPT_MS);
  await ctx.transaction(async (inner: Ctx) => inner.enqueue(removeExportJob({ key }), { runAt: expiresAt, key }));
  return { key, expiresAt: expiresAt.toISOString() };
}

export const removeExport = (ctx: Ctx, { key }: { key: string }): Promise<void> => ctx.providers.uploads.remove(key);

/** The codes of attributes that the vendor's products have, so that the table is no wider than it must be. */
async function usedCodes(ctx: Ctx, vendorId: string, attributes: readonly Attribute[]): Promise<string[]> {
  const used = new Set<string>();
  for (const path of ['attributes.attributeId', 'axisIds']) {
    for (const id of await ctx.models.Product.distinct(path, { vendorId, deletedAt: null })) used.add(String(id));
  }
  return attributes.filter(({ _id }) => used.has(_id)).map(({ code }) => code);
}

export type ProductExport = ReturnType<typeof shown>;

/** A run as the export that it is. */
function shown({ id, input, state, progress, result, error, createdAt, finishedAt }: FoundRun<ExportInput, ExportResult>) {
  const { vendorId } = input;
  const failure = state === 'FAILED' && error ? messageFor(error) : null;
  return { id, vendorId, state, total: progress?.total ?? null, processed: progress?.done ?? 0, failure, result, createdAt, finishedAt };
}

/** An export, if the viewer may edit products of its vendor; to others there is none. */
export async function findExport(ctx: Ctx, id: string): Promise<ProductExport | null> {
  const run = await ctx.findRun(exportJob, id);
  return run && (await seesPrivate(ctx, run.input.vendorId)) ? shown(run) : null;
}

export const CancelProductExport = z.object({ id: z.string() });

export async function cancelProductExport(ctx: Ctx, { id }: z.infer<typeof CancelProductExport>) {
  if (!(await findExport(ctx, id))) throw notFound('ProductExport', id, ['input', 'id']);
  await ctx.cancelRun(exportJob, id);
  return { productExport: await findExport(ctx, id) };
}

export const exportUrl = ({ providers, now }: Ctx, { result, createdAt }: ProductExport): Promise<string> | null =>
  result && new Date(result.expiresAt) > now()
    ? providers.uploads.privateUrl(result.key, {
        expiresInSeconds: MINUTES_15,
        fileName: `products-${createdAt.toISOString().slice(0, 10)}.csv`,
      })
    : null;

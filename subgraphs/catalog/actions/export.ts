import { z } from 'zod';
import { idempotencyKey, list } from '#shared/base/input.ts';
import { exportJob } from '../contract.ts';
import type { Ctx } from '../loaders.ts';
import { PRODUCT_STATES, type ProductState } from '../machine.ts';
import type { Attribute, Product, ProductExport } from '../model.ts';
import { columnsFor, rowsOf, writeRows } from './csv.ts';
import { failureOf, whyNotRead } from './jobs.ts';

export const StartProductExport = z.object({
  vendorId: z.string(),
  states: list(z.enum(PRODUCT_STATES), { min: 1, max: PRODUCT_STATES.length }).nullish(),
  idempotencyKey: idempotencyKey().optional(),
});

export async function startProductExport(ctx: Ctx, { vendorId, states }: z.infer<typeof StartProductExport>) {
  await ctx.loaders.memberships.requireReader(vendorId, 'PRODUCTS');
  const wanted = { vendorId, startedBy: ctx.viewer!.id, productStates: states ?? [...PRODUCT_STATES] };
  const [row] = await ctx.models.ProductExport.create([wanted]);
  ctx.enqueue(exportJob({ exportId: row!._id, part: 0 }));
  return { productExport: row!.toObject() };
}

/** What one part reads, and writes: a product may have many variants and a long description, and a document of the store holds 16 MB. */
const PRODUCTS_A_PART = 50;
const ROWS_A_PART = 400;
const CHARACTERS_A_PART = 500_000;
const MINUTES_15 = 15 * 60;

/** Part 0 counts, each later part writes some products behind those before; the last one puts the file together. */
export async function runExportPart(ctx: Ctx, { exportId, part }: { exportId: string; part: number }): Promise<void> {
  const running = await ctx.models.ProductExport.findById(exportId).lean<ProductExport>();
  if (!running || running.finishedAt || running.parts !== part) return;
  const refusal = await whyNotRead(ctx, running);
  if (refusal) return giveUpExport(ctx, { exportId }, refusal);
  const filter = { vendorId: running.vendorId, deletedAt: null, state: { $in: running.productStates as ProductState[] } };
  const attributes = await ctx.models.Attribute.find({ vendorId: { $in: [null, running.vendorId] } })
    .sort({ code: 1 })
    .lean<Attribute[]>();
  if (part === 0) {
    const columns = columnsFor(await usedCodes(ctx, running.vendorId, attributes));
    const total = await ctx.models.Product.countDocuments(filter);
    await ctx.models.ProductExport.updateOne({ _id: exportId }, { $set: { state: 'RUNNING', total, columns, parts: 1 } });
    ctx.enqueue(exportJob({ exportId, part: 1 }));
    return;
  }
  const beyond = running.after ? { ...filter, _id: { $gt: running.after } } : filter;
  const products = await ctx.models.Product.find(beyond).sort({ _id: 1 }).limit(PRODUCTS_A_PART).lean<Product[]>();
  const { text, written } = writeSome(running.columns, products, { attributes, header: part === 1 });
  await ctx.models.ExportPart.create([{ _id: `${exportId} ${String(part).padStart(6, '0')}`, exportId, text }]);
  if (written === products.length && written < PRODUCTS_A_PART) return finish(ctx, running, written);
  await ctx.models.ProductExport.updateOne(
    { _id: exportId },
    { $set: { after: products[written - 1]!._id, parts: part + 1 }, $inc: { processed: written } },
  );
  ctx.enqueue(exportJob({ exportId, part: part + 1 }));
}

interface Written {
  text: string;
  /** How many of the products fitted. */
  written: number;
}

/** Writes products until the part is full, at least one. */
function writeSome(
  columns: readonly string[],
  products: readonly Product[],
  { attributes, header }: { attributes: readonly Attribute[]; header: boolean },
): Written {
  const byId = new Map(attributes.map((attribute) => [attribute._id, attribute]));
  let text = header ? writeRows(columns, [], { header }) : '';
  let [written, rows] = [0, 0];
  for (const product of products) {
    if (written > 0 && (rows >= ROWS_A_PART || text.length >= CHARACTERS_A_PART)) break;
    const own = rowsOf(product, byId);
    text += writeRows(columns, own, { header: false });
    written += 1;
    rows += own.length;
  }
  return { text, written };
}

/** The codes of attributes that the vendor's products have, so that the table is no wider than it must be. */
async function usedCodes(ctx: Ctx, vendorId: string, attributes: readonly Attribute[]): Promise<string[]> {
  const used = new Set<string>();
  for (const path of ['attributes.attributeId', 'axisIds']) {
    for (const id of await ctx.models.Product.distinct(path, { vendorId, deletedAt: null })) used.add(String(id));
  }
  return attributes.filter(({ _id }) => used.has(_id)).map(({ code }) => code);
}

/** The name of the file is that of the export, so that a repeated run leaves one file. */
async function finish(ctx: Ctx, { _id, vendorId }: ProductExport, last: number): Promise<void> {
  const body = await bodyOf(ctx, _id);
  const { key } = await ctx.providers.uploads.store(
    { folder: `exports/${vendorId}`, visibility: 'PRIVATE', contentType: 'text/csv' },
    _id,
    body,
  );
  await ctx.models.ProductExport.updateOne({ _id }, { $set: { state: 'DONE', key, finishedAt: ctx.now() }, $inc: { processed: last } });
  await ctx.models.ExportPart.deleteMany({ exportId: _id });
}

const PARTS_AT_ONCE = 10;

async function bodyOf(ctx: Ctx, exportId: string): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let after = '';
  for (;;) {
    const parts = await ctx.models.ExportPart.find({ exportId, _id: { $gt: after } })
      .sort({ _id: 1 })
      .limit(PARTS_AT_ONCE)
      .lean();
    for (const { text } of parts) pieces.push(Buffer.from(text));
    if (parts.length < PARTS_AT_ONCE) return Buffer.concat(pieces);
    after = parts.at(-1)!._id!;
  }
}

/** The delivery of a part was given up: the export ends, and its owner reads why. */
export async function giveUpExport(ctx: Ctx, { exportId }: { exportId: string }, error: unknown): Promise<void> {
  ctx.log.error({ exportId, err: error }, 'an export was given up');
  const failed = { state: 'FAILED', failure: failureOf(error).message, finishedAt: ctx.now() } as const;
  await ctx.models.ProductExport.updateOne({ _id: exportId, finishedAt: null }, { $set: failed });
}

export const exportUrl = ({ providers }: Ctx, { key, createdAt }: ProductExport): Promise<string> | null =>
  key
    ? providers.uploads.privateUrl(key, { expiresInSeconds: MINUTES_15, fileName: `products-${createdAt.toISOString().slice(0, 10)}.csv` })
    : null;

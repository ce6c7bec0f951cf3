import { z } from 'zod';
import { notFound, Problem } from '#shared/base/errors.ts';
import { idempotencyKey } from '#shared/base/input.ts';
import { drawnOf, isBeyond } from '#shared/uploads/allowance.ts';
import type { Ctx } from '../loaders.ts';
import type { Upload } from '../model.ts';
import { settings } from '../settings.ts';

const MEGABYTE = 1024 * 1024;
const MAX_BYTES: ReadonlyMap<string, number> = new Map([
  ['image/jpeg', 10 * MEGABYTE],
  ['image/png', 10 * MEGABYTE],
  ['image/gif', 10 * MEGABYTE],
  ['image/webp', 10 * MEGABYTE],
  ['image/avif', 10 * MEGABYTE],
  ['application/pdf', 10 * MEGABYTE],
  ['video/mp4', 100 * MEGABYTE],
]);
const MAX_CSV_BYTES = 20 * MEGABYTE;
const DAY_MS = 24 * 3_600_000;

const size = z.int('must be a whole number').min(1, 'must be at least 1');
const common = { vendorId: z.string(), idempotencyKey: idempotencyKey().optional() };

export const CreateMediaUpload = z
  .object({
    ...common,
    contentType: z.string().refine((type) => MAX_BYTES.has(type), 'is not a type of file that is shown with products'),
    size,
  })
  .refine(({ contentType, size: bytes }) => bytes <= (MAX_BYTES.get(contentType) ?? Infinity), {
    path: ['size'],
    message: 'is too large for this type of file',
  });

export const createMediaUpload = (ctx: Ctx, { vendorId, contentType, size: bytes }: z.infer<typeof CreateMediaUpload>) =>
  prepare(ctx, { vendorId, purpose: 'MEDIA', contentType, size: bytes });

export const CreateProductImportUpload = z.object({ ...common, size: size.max(MAX_CSV_BYTES, `must be at most ${MAX_CSV_BYTES}`) });

export const createProductImportUpload = (ctx: Ctx, { vendorId, size: bytes }: z.infer<typeof CreateProductImportUpload>) =>
  prepare(ctx, { vendorId, purpose: 'IMPORT', contentType: 'text/csv', size: bytes });

interface Wanted {
  vendorId: string;
  purpose: Upload['purpose'];
  contentType: string;
  size: number;
}

const PLACES = { MEDIA: { folder: 'products', visibility: 'PUBLIC' }, IMPORT: { folder: 'imports', visibility: 'PRIVATE' } } as const;

async function prepare(ctx: Ctx, { vendorId, purpose, contentType, size: bytes }: Wanted) {
  await ctx.loaders.memberships.require(vendorId, 'PRODUCTS');
  await draw(ctx, vendorId, bytes);
  const { folder, visibility } = PLACES[purpose];
  const { key, ...ticket } = await ctx.providers.uploads.prepare({ folder: `${folder}/${vendorId}`, visibility, contentType, size: bytes });
  const [row] = await ctx.models.Upload.create([{ vendorId, purpose, key, contentType, size: bytes, expiresAt: ticket.expiresAt }]);
  return { upload: { id: row!._id, ...ticket } };
}

/** Counts one more file before it is given an address. */
async function draw(ctx: Ctx, vendorId: string, bytes: number): Promise<void> {
  const now = ctx.now();
  const _id = `${vendorId} ${now.toISOString().slice(0, 10)}`;
  const today = await ctx.models.UploadsDrawn.findOneAndUpdate(
    { _id },
    { $inc: { files: 1, bytes }, $setOnInsert: { endsAt: new Date(now.getTime() + 2 * DAY_MS) } },
    { upsert: true, returnDocument: 'after' },
  ).lean();
  const { perDay, inUnused } = await allowances(ctx, vendorId);
  if (isBeyond(today, perDay)) throw tooMuch('This vendor has prepared as many files today as a day may bring.');
  const unused = await ctx.models.Upload.find({ vendorId, usedBy: null }, { size: 1 }).limit(inUnused.files).lean();
  if (isBeyond(drawnOf([...unused, { size: bytes }]), inUnused))
    throw tooMuch('This vendor has prepared many files that are not in use; use them, or wait a day until they are removed.');
}

/** What a vendor may have drawn and not used, and what it may draw in a day. */
async function allowances(ctx: Ctx, vendor: string) {
  const [unusedFiles, unusedMegabytes, files, megabytes] = await Promise.all([
    ctx.settings.get(settings.unusedUploads, { vendor }),
    ctx.settings.get(settings.unusedUploadMegabytes, { vendor }),
    ctx.settings.get(settings.dailyUploads, { vendor }),
    ctx.settings.get(settings.dailyUploadMegabytes, { vendor }),
  ]);
  return {
    inUnused: { files: unusedFiles, bytes: unusedMegabytes * MEGABYTE },
    perDay: { files, bytes: megabytes * MEGABYTE },
  };
}

const tooMuch = (message: string): Problem => new Problem('UPLOAD_LIMIT', message, { path: ['input', 'vendorId'] });

/** The file that was handed in under this id, looked at; it belongs to `usedBy` from now on and to nothing else. */
export async function takeUpload(
  ctx: Ctx,
  wanted: { id: string; vendorId: string; purpose: Upload['purpose']; usedBy: string },
): Promise<Upload> {
  const path = ['input', 'uploadId'];
  const upload = await ctx.models.Upload.findOne({ _id: wanted.id, vendorId: wanted.vendorId, purpose: wanted.purpose }).lean<Upload>();
  if (!upload) throw notFound('ProductUpload', wanted.id, path);
  const inspected = await ctx.providers.uploads.inspect(upload.key);
  if (inspected.state === 'MISSING') throw new Problem('UPLOAD_MISSING', 'Nothing was handed in yet.', { path });
  if (inspected.state === 'REFUSED') throw new Problem('UPLOAD_REFUSED', inspected.reason, { path });
  const { modifiedCount } = await ctx.models.Upload.updateOne({ _id: upload._id, usedBy: null }, { $set: { usedBy: wanted.usedBy } });
  if (modifiedCount === 0) throw new Problem('UPLOAD_USED', 'This file is in use already.', { path });
  return upload;
}

const IMPORTED_MS = 7 * DAY_MS;
const BATCH = 200;

/** Files that were handed in and never used go after a day, tables that were imported after a week. */
export async function removeUnusedUploads(ctx: Ctx): Promise<void> {
  const old = new Date(ctx.now().getTime() - DAY_MS);
  const unused = await ctx.models.Upload.find({ usedBy: null, expiresAt: { $lt: old } })
    .limit(BATCH)
    .lean<Upload[]>();
  for (const { _id, key } of unused) {
    // Taken away from whoever might use it at this moment, before the file goes.
    const { deletedCount } = await ctx.models.Upload.deleteOne({ _id, usedBy: null });
    if (deletedCount > 0) await ctx.providers.uploads.remove(key);
  }
  const before = new Date(ctx.now().getTime() - IMPORTED_MS);
  const tables = await ctx.models.Upload.find({ purpose: 'IMPORT', usedBy: { $ne: null }, expiresAt: { $lt: before } })
    .limit(BATCH)
    .lean<Upload[]>();
  for (const { _id, key, usedBy } of tables) {
    if (await ctx.models.ProductImport.exists({ _id: usedBy, finishedAt: null })) continue;
    // The row last, so that a crash forgets no file.
    await ctx.providers.uploads.remove(key);
    await ctx.models.Upload.deleteOne({ _id });
  }
}

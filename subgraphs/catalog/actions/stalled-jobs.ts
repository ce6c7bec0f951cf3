import { Problem } from '#shared/base/errors.ts';
import type { Ctx } from '../loaders.ts';
import { giveUpExport } from './export.ts';
import { giveUpImport } from './import.ts';

const STALLED_MS = 24 * 3_600_000;
const BATCH = 100;
const PARTS_AT_ONCE = 20;

/**
 * Imports and exports that stood still for a day end as FAILED, whatever stopped them, and what was laid aside for those that ended goes. An
 * import that waits for another one of its vendor does not stand still.
 */
export async function endStalledJobs(ctx: Ctx): Promise<void> {
  const stalled = { state: { $in: ['QUEUED', 'RUNNING'] as const }, updatedAt: { $lt: new Date(ctx.now().getTime() - STALLED_MS) } };
  const stoodStill = new Problem('JOB_FAILED', 'It stood still for a day and was ended.');
  for (const { _id, vendorId } of await ctx.models.ProductImport.find(stalled, { vendorId: 1 }).limit(BATCH).lean()) {
    const turn = await ctx.models.ImportTurn.findById(vendorId).lean();
    if (!turn || turn.importId === _id) await ctx.transaction((inner: Ctx) => giveUpImport(inner, { importId: _id }, stoodStill));
  }
  for (const { _id } of await ctx.models.ProductExport.find(stalled, { _id: 1 }).limit(BATCH).lean())
    await ctx.transaction((inner: Ctx) => giveUpExport(inner, { exportId: _id }, stoodStill));
  await removeLeftParts(ctx);
}

/** Some at a time, since each may hold half a megabyte. */
async function removeLeftParts(ctx: Ctx): Promise<void> {
  const { ImportPart, ProductImport, ExportPart, ProductExport } = ctx.models;
  const isOver = { finishedAt: { $ne: null } };
  for (const importId of await ImportPart.distinct('importId')) {
    if (!(await ProductImport.exists({ _id: importId, ...isOver }))) continue;
    for (let left = PARTS_AT_ONCE; left === PARTS_AT_ONCE;) {
      const parts = await ImportPart.find({ importId }, { _id: 1 }).limit(PARTS_AT_ONCE).lean();
      await ImportPart.deleteMany({ _id: { $in: parts.map(({ _id }) => _id) } });
      left = parts.length;
    }
  }
  for (const exportId of await ExportPart.distinct('exportId'))
    if (await ProductExport.exists({ _id: exportId, ...isOver })) await ExportPart.deleteMany({ exportId });
}

import { z } from 'zod';
import { notFound } from '../../../shared/errors.ts';
import { newId } from '../../../shared/ids.ts';
import { text } from '../../../shared/input.ts';
import type { productDeleted } from '../../catalog/contract.ts';
import type { lowStockAlert } from '../contract.ts';
import type { Ctx } from '../loaders.ts';

type LowStock = z.infer<typeof lowStockAlert.schema>;

/** Keeps the alert where the vendor's members find it. One that is still open is raised again instead of standing there twice. */
export async function recordAlert(ctx: Ctx, low: LowStock): Promise<void> {
  const { stockItemId, vendorId, variantId, warehouse: warehouseId, available, threshold } = low;
  const lastRaisedAt = new Date(low.timestamp);
  await ctx.models.StockAlert.updateOne(
    { openKey: stockItemId },
    {
      $set: { available, threshold },
      $max: { lastRaisedAt },
      $inc: { timesRaised: 1 },
      $setOnInsert: {
        _id: newId('sal'),
        stockItemId,
        state: 'OPEN',
        vendorId,
        variantId,
        warehouseId,
        raisedAt: lastRaisedAt,
        acknowledgedAt: null,
        acknowledgedById: null,
      },
    },
    { upsert: true },
  );
}

export const AcknowledgeStockAlert = z.object({ id: text({ min: 1, max: 100 }) });

/** Says that it was seen. The first one who says so is remembered. */
export async function acknowledgeStockAlert(ctx: Ctx, { id: _id }: z.infer<typeof AcknowledgeStockAlert>) {
  const { StockAlert } = ctx.models;
  const found = await StockAlert.findById(_id).lean();
  if (!found || !(await ctx.loaders.sees(found.vendorId))) throw notFound('StockAlert', _id, ['input', 'id']);
  await ctx.loaders.memberships.require(found.vendorId, 'STOCK');
  const acknowledged = await StockAlert.findOneAndUpdate(
    { _id, state: 'OPEN' },
    { $set: { state: 'ACKNOWLEDGED', acknowledgedAt: ctx.now(), acknowledgedById: ctx.viewer!.id }, $unset: { openKey: 1 } },
    { returnDocument: 'after' },
  ).lean();
  return { stockAlert: acknowledged ?? found };
}

/** Nothing of a deleted product can be reserved any more; what lies there, and what is held or sold, stays as it is. */
export async function discontinueProduct(ctx: Ctx, { variantIds }: z.infer<typeof productDeleted.schema>): Promise<void> {
  await ctx.models.StockItem.updateMany({ variantId: { $in: variantIds } }, { $set: { isDiscontinued: true, changedAt: ctx.now() } });
}

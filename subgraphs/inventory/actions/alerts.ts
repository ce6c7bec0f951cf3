import { z } from 'zod';
import { notFound } from '#shared/base/errors.ts';
import { newId } from '#shared/base/ids.ts';
import { text } from '#shared/base/input.ts';
import type { productDeleted } from '../../catalog/contract.ts';
import type { lowStockAlert } from '../contract.ts';
import type { Ctx } from '../loaders.ts';
import type { StockAlert } from '../model.ts';

type LowStock = z.infer<typeof lowStockAlert.schema>;

/**
 * Keeps the alert where the vendor's members find it. One that is still open is raised again instead of standing there twice. Who has said that
 * they saw it is not told of each piece that goes after that, but once more when the last one goes.
 */
export async function recordAlert(ctx: Ctx, low: LowStock): Promise<void> {
  const { StockAlert } = ctx.models;
  const { stockItemId, available } = low;
  const latest = low.wasLow ? await StockAlert.findOne({ stockItemId }).sort({ _id: -1 }).lean() : null;
  if (latest?.state !== 'ACKNOWLEDGED') return raise(ctx, low);
  if (available > 0) return;
  const reopened = { state: 'OPEN' as const, openKey: stockItemId, acknowledgedAt: null, acknowledgedById: null };
  await StockAlert.updateOne({ _id: latest._id }, { ...raising(low), $set: { ...raising(low).$set, ...reopened } });
}

const raising = ({ available, threshold, timestamp }: LowStock) => ({
  $set: { available, threshold },
  $max: { lastRaisedAt: new Date(timestamp) },
  $inc: { timesRaised: 1 },
});

async function raise(ctx: Ctx, low: LowStock): Promise<void> {
  const { stockItemId, vendorId, variantId, warehouse: warehouseId } = low;
  const first = { vendorId, variantId, warehouseId, raisedAt: new Date(low.timestamp), acknowledgedAt: null, acknowledgedById: null };
  await ctx.models.StockAlert.updateOne(
    { openKey: stockItemId },
    { ...raising(low), $setOnInsert: { _id: newId('sal'), stockItemId, state: 'OPEN', ...first } },
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
  const available = await availableOfAlert(ctx, found);
  const acknowledged = await StockAlert.findOneAndUpdate(
    { _id, state: 'OPEN' },
    {
      $set: { state: 'ACKNOWLEDGED', available, acknowledgedAt: ctx.now(), acknowledgedById: ctx.viewer!.id },
      $unset: { openKey: 1 },
    },
    { returnDocument: 'after' },
  ).lean();
  return { stockAlert: acknowledged ?? found };
}

/** Today's figure as long as the alert is open; then what was there when somebody saw it. */
export async function availableOfAlert(ctx: Ctx, { state, stockItemId, available }: StockAlert): Promise<number> {
  const item = state === 'OPEN' ? await ctx.loaders.stockItem.load(stockItemId) : null;
  return item?.available ?? available;
}

/** Nothing of a deleted product can be reserved any more; what lies there, and what is held or sold, stays as it is. */
export async function discontinueProduct(ctx: Ctx, { variantIds }: z.infer<typeof productDeleted.schema>): Promise<void> {
  await ctx.models.StockItem.updateMany({ variantId: { $in: variantIds } }, { $set: { isDiscontinued: true, changedAt: ctx.now() } });
}

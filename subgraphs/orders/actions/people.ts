import { unauthenticated, unavailable } from '#shared/base/errors.ts';
import { restockReservation } from '../../inventory/contract.ts';
import { invalidateOrder } from '../cache.ts';
import type { Ctx } from '../loaders.ts';
import { isFinal } from '../machine.ts';

/**
 * The account is gone: orders stay for the record, without what they knew of the person. One that is under way keeps it until nobody delivers
 * any more. While a checkout runs there may soon be one more, so the event is taken up again later.
 */
export async function forgetUser(ctx: Ctx, { userId }: { userId: string }) {
  const { Cart, DeletedBuyer, Order, VendorOrder } = ctx.models;
  if (await Cart.exists({ userId, checkout: { $ne: null } })) throw unavailable('buyer while an order is being placed');
  await DeletedBuyer.updateOne({ _id: userId }, { $setOnInsert: { at: ctx.now() } }, { upsert: true });
  await Cart.deleteOne({ userId });
  const orders = await Order.find({ buyerId: userId }, { status: 1 }).lean();
  const underWay = orders.filter(({ status }) => !isFinal(status)).map(({ _id }) => _id);
  invalidateOrder(ctx, ...orders.map(({ _id }) => _id));
  const forgotten = { $set: { shippingAddress: null, note: null } };
  await Order.updateMany({ _id: { $in: underWay } }, { $set: { isBuyerDeleted: true } });
  await Order.updateMany({ buyerId: userId, _id: { $nin: underWay } }, forgotten);
  await VendorOrder.updateMany({ buyerId: userId, orderId: { $nin: underWay } }, forgotten);
}

/** Longer than any request that began before its account was deleted. */
const LATE_CARTS_MS = 2 * 3_600_000;

/** A request that began before the deletion may have written its cart after it. */
export async function removeLateCarts(ctx: Ctx) {
  const { Cart, DeletedBuyer } = ctx.models;
  const deleted = DeletedBuyer.find({ at: { $gte: new Date(ctx.now().getTime() - LATE_CARTS_MS) } }, { _id: 1 }).lean();
  for await (const { _id: userId } of deleted.cursor()) await Cart.deleteOne({ userId, checkout: null });
}

export const isDeleted = async (ctx: Ctx, userId: string): Promise<boolean> =>
  (await ctx.models.DeletedBuyer.exists({ _id: userId })) !== null;

/** A token that still works begins nothing more for an account that is gone: nobody would remove it again. */
export async function refuseDeleted(ctx: Ctx, userId: string): Promise<void> {
  if (await isDeleted(ctx, userId)) throw unauthenticated();
}

interface StockReturn {
  orderId: string;
  vendorOrderId: string;
  lines: { variantId: string; quantity: number }[];
  reason: string;
}

/** Goods of a cancelled vendor order go back on the shelf, once for each vendor order. */
export async function returnStock(ctx: Ctx, { orderId, vendorOrderId, lines, reason }: StockReturn) {
  const input = { reference: orderId, returnId: vendorOrderId, lines, reason: reason.slice(0, 200) };
  await ctx.call(restockReservation, input, { idempotencyKey: `return:${vendorOrderId}` });
}

import { restockReservation } from '../../inventory/contract.ts';
import { forgetOrder } from '../kept.ts';
import type { Ctx } from '../loaders.ts';

/** The account is gone: orders stay for the record, without what they knew of the person. */
export async function forgetUser(ctx: Ctx, { userId }: { userId: string }) {
  const orders = await ctx.models.Order.find({ buyerId: userId }, { _id: 1 }).lean();
  forgetOrder(ctx, ...orders.map(({ _id }) => _id));
  const forgotten = { $set: { shippingAddress: null, note: null } };
  await ctx.models.Order.updateMany({ buyerId: userId }, forgotten);
  await ctx.models.VendorOrder.updateMany({ buyerId: userId }, forgotten);
  await ctx.models.Cart.deleteOne({ userId });
}

interface StockReturn {
  orderId: string;
  vendorOrderId: string;
  lines: { variantId: string; quantity: number }[];
  reason: string;
}

/** Goods of a cancelled part go back on the shelf, once for each part. */
export async function returnStock(ctx: Ctx, { orderId, vendorOrderId, lines, reason }: StockReturn) {
  const input = { reference: orderId, returnId: vendorOrderId, lines, reason: reason.slice(0, 200) };
  await ctx.call(restockReservation, input, { idempotencyKey: `return:${vendorOrderId}` });
}

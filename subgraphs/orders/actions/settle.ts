import { sum } from '#shared/base/money.ts';
import { orderCancelled, orderCompleted, orderStatusChanged, type VendorOrderStatus } from '../contract.ts';
import type { Ctx } from '../loaders.ts';
import { deriveStatus, isFinal, type Actor } from '../machine.ts';
import type { Order, VendorOrder } from '../model.ts';

/** Who changed a status, and why. */
export interface Act {
  actor: Actor;
  actorId: string | null;
  reason: string | null;
}

/** A status that only follows from others is nobody's act, and gives away no word of those who acted. */
export const FOLLOWS: Act = { actor: 'SYSTEM', actorId: null, reason: null };

export interface Change extends Act {
  from: VendorOrderStatus;
  to: VendorOrderStatus;
}

/** An entry of a timeline. */
export const entryOf = (ctx: Ctx, { from, to, actor, actorId, reason }: Change) => ({
  previousStatus: from,
  newStatus: to,
  actor,
  actorId,
  reason,
  at: ctx.now(),
});

type Part = Pick<VendorOrder, '_id' | 'vendorId'>;

/** Says that a vendor order, or without one the order as a whole, has another status. */
export function publishChange(ctx: Ctx, order: Pick<Order, '_id' | 'buyerId' | 'total'>, vendorOrder: Part | null, change: Change): void {
  const { _id: orderId, buyerId: userId, total } = order;
  const { from: previousStatus, to: newStatus, reason } = change;
  const [vendorOrderId, vendorId] = vendorOrder ? [vendorOrder._id, vendorOrder.vendorId] : [null, null];
  ctx.publish(orderStatusChanged({ orderId, userId, vendorOrderId, vendorId, previousStatus, newStatus, reason, total }));
  if (vendorOrder) return;
  if (newStatus === 'CANCELLED') ctx.publish(orderCancelled({ orderId, userId, reason, total }));
  if (newStatus === 'DELIVERED') ctx.publish(orderCompleted({ orderId, userId, total }));
}

/**
 * Brings status and amounts of an order in line with its vendor orders. The order is written in any case, so that two vendor orders that move at
 * once cannot miss each other. `act` is set when an actor changed the order as a whole.
 */
export async function settleOrder(ctx: Ctx, order: Order, act: Act = FOLLOWS): Promise<{ order: Order; change: Change | undefined }> {
  const vendorOrders = await ctx.models.VendorOrder.find({ orderId: order._id }, { status: 1, subtotal: 1 }).lean();
  const status = deriveStatus(vendorOrders.map((vendorOrder) => vendorOrder.status));
  const paid = vendorOrders.filter((vendorOrder) => vendorOrder.status !== 'CANCELLED').map(({ subtotal }) => subtotal);
  const total = sum(order.total.currency, paid);
  const change = status === order.status ? undefined : { ...act, from: order.status, to: status };
  const settled = await ctx.models.Order.findOneAndUpdate(
    { _id: order._id },
    {
      $set: { status, subtotal: total, total, originalTotal: originalTotalOf(order) },
      $inc: { version: 1 },
      ...(change && { $push: { timeline: entryOf(ctx, change) } }),
    },
    { returnDocument: 'after' },
  ).lean<Order>();
  return { order: await forgetWhenOver(ctx, settled!), change };
}

/** What was to be paid when the order was placed. Orders of old have no such field, and a total that never changed. */
export const originalTotalOf = ({ originalTotal, total }: Order): Order['total'] => originalTotal ?? total;

const FORGOTTEN = { shippingAddress: null, note: null };

/** What the vendors needed to deliver goes as soon as nobody delivers any more, if the account it belonged to is gone. */
export async function forgetWhenOver(ctx: Ctx, order: Order): Promise<Order> {
  if (!order.isBuyerDeleted || !isFinal(order.status)) return order;
  await ctx.models.Order.updateOne({ _id: order._id }, { $set: FORGOTTEN });
  await ctx.models.VendorOrder.updateMany({ orderId: order._id }, { $set: FORGOTTEN });
  return { ...order, ...FORGOTTEN };
}

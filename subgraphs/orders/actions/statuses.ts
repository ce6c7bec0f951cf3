import { z } from 'zod';
import { invalid, notFound, Problem } from '../../../shared/errors.ts';
import { text } from '../../../shared/input.ts';
import {
  orderCancelled,
  orderCompleted,
  orderStatusChanged,
  stockReturnWork,
  VENDOR_ORDER_STATUSES,
  type VendorOrderStatus,
} from '../contract.ts';
import { forgetOrder } from '../kept.ts';
import type { Ctx } from '../loaders.ts';
import { canMove, deriveStatus, sourcesOf, type Mover } from '../machine.ts';
import type { Order, VendorOrder } from '../model.ts';

const id = z.string().min(1).max(100);
const reason = text({ max: 500 }).nullish();

export const CancelOrder = z.object({ orderId: id, reason });

/** Cancels every part or none. Cancelling twice is the same as cancelling once. */
export async function cancelOrder(ctx: Ctx, input: z.infer<typeof CancelOrder>) {
  const mover: Mover = isAdmin(ctx) ? 'ADMIN' : 'BUYER';
  const mine = mover === 'ADMIN' ? {} : { buyerId: ctx.viewer!.id };
  const order = await ctx.models.Order.findOne({ _id: input.orderId, ...mine }).lean<Order>();
  if (!order) throw notFound('Order', input.orderId, ['input', 'orderId']);
  if (order.status === 'CANCELLED') return { order };
  refuseWhilePending(order);
  const parts = await ctx.models.VendorOrder.find({ orderId: order._id, status: { $ne: 'CANCELLED' } }).lean<VendorOrder[]>();
  for (const { status } of parts) if (!canMove(status, 'CANCELLED', mover)) throw notCancellable(['input', 'orderId']);
  const actor = { mover, actorId: ctx.viewer!.id, reason: input.reason || null };
  for (const part of parts) await move(ctx, part, 'CANCELLED', actor);
  return { order: await settleOrder(ctx, order, actor) };
}

export const CancelVendorOrder = z.object({ vendorOrderId: id, reason });

/** Cancels one part; the buyer until it is packed, the vendor until it is shipped, and the vendor says why. */
export async function cancelVendorOrder(ctx: Ctx, input: z.infer<typeof CancelVendorOrder>) {
  return changeStatus(ctx, { ...input, status: 'CANCELLED' }, () => notCancellable(['input', 'vendorOrderId']));
}

export const UpdateVendorOrderStatus = z.object({ vendorOrderId: id, status: z.enum(VENDOR_ORDER_STATUSES), reason });

/** Moves one part on to one of its next statuses. A status it has already is no mistake. */
export async function updateVendorOrderStatus(ctx: Ctx, input: z.infer<typeof UpdateVendorOrderStatus>) {
  return changeStatus(
    ctx,
    input,
    ({ status }) =>
      new Problem('ILLEGAL_TRANSITION', `${input.status} cannot follow ${status}.`, { path: ['input', 'status'], currentStatus: status }),
  );
}

interface Actor {
  mover: Mover;
  actorId: string | null;
  reason: string | null;
}

async function changeStatus(ctx: Ctx, input: z.infer<typeof UpdateVendorOrderStatus>, refusal: (part: VendorOrder) => Problem) {
  const part = await ctx.models.VendorOrder.findById(input.vendorOrderId).lean<VendorOrder>();
  const mover = part && (await moverOf(ctx, part));
  if (!part || !mover) throw notFound('VendorOrder', input.vendorOrderId, ['input', 'vendorOrderId']);
  if (part.status === input.status) return { vendorOrder: part };
  if (input.status === 'CANCELLED' && mover !== 'BUYER' && !input.reason) throw invalid(['input', 'reason'], 'Say why it is cancelled.');
  if (!canMove(part.status, input.status, mover)) throw refusal(part);
  const order = await ctx.models.Order.findById(part.orderId).lean<Order>();
  refuseWhilePending(order!);
  const actor = { mover, actorId: ctx.viewer!.id, reason: input.reason || null };
  const vendorOrder = await move(ctx, part, input.status, actor);
  await settleOrder(ctx, order!, actor);
  return { vendorOrder };
}

/** As whom the viewer moves this part; undefined when the viewer may not know of it. */
export async function moverOf(ctx: Ctx, part: Pick<VendorOrder, 'buyerId' | 'vendorId'>): Promise<Mover | undefined> {
  if (!ctx.viewer) return undefined;
  if (isAdmin(ctx)) return 'ADMIN';
  if (await ctx.loaders.memberships.can(part.vendorId, 'ORDERS')) return 'VENDOR';
  return part.buyerId === ctx.viewer.id ? 'BUYER' : undefined;
}

const isAdmin = (ctx: Ctx): boolean => ctx.viewer?.roles.includes('admin') ?? false;

/** Until the checkout is through, its saga alone decides. */
function refuseWhilePending(order: Order): void {
  if (order.status === 'PENDING')
    throw new Problem('CHECKOUT_IN_PROGRESS', 'The order is not confirmed yet.', { path: ['input'], retryable: true });
}

async function move(ctx: Ctx, part: VendorOrder, to: VendorOrderStatus, { mover, actorId, reason: why }: Actor): Promise<VendorOrder> {
  const change = { previousStatus: part.status, newStatus: to, actor: mover, actorId, reason: why, at: ctx.now() };
  const moved = await ctx.models.VendorOrder.findOneAndUpdate(
    { _id: part._id, status: { $eq: part.status, $in: sourcesOf(to, mover) } },
    { $set: { status: to }, $push: { timeline: change }, $inc: { version: 1 } },
    { returnDocument: 'after' },
  ).lean<VendorOrder>();
  forgetOrder(ctx, part.orderId);
  if (!moved) throw new Problem('ILLEGAL_TRANSITION', `${to} cannot follow the status it has.`, { path: ['input', 'status'] });
  const { orderId, vendorId, buyerId: userId } = part;
  const timestamp = ctx.now().toISOString();
  ctx.publish(
    orderStatusChanged({
      orderId,
      userId,
      vendorOrderId: part._id,
      vendorId,
      previousStatus: part.status,
      newStatus: to,
      reason: why,
      timestamp,
    }),
  );
  if (to === 'CANCELLED') {
    const lines = part.lines.map(({ variantId, quantity }) => ({ variantId, quantity }));
    ctx.publish(stockReturnWork({ orderId, vendorOrderId: part._id, lines, reason: why ?? '' }));
  }
  return moved;
}

/** Brings the order's own status in line with its parts. It is written in any case, so that two parts that move at once cannot miss each other. */
async function settleOrder(ctx: Ctx, order: Order, { mover, actorId, reason: why }: Actor): Promise<Order> {
  const parts = await ctx.models.VendorOrder.find({ orderId: order._id }, { status: 1 }).lean();
  const status = deriveStatus(parts.map((part) => part.status));
  const change = { previousStatus: order.status, newStatus: status, actor: mover, actorId, reason: why, at: ctx.now() };
  const settled = await ctx.models.Order.findOneAndUpdate(
    { _id: order._id },
    { $set: { status }, $inc: { version: 1 }, ...(status !== order.status && { $push: { timeline: change } }) },
    { returnDocument: 'after' },
  ).lean<Order>();
  if (status === order.status) return settled!;
  const { _id: orderId, buyerId: userId } = order;
  const timestamp = ctx.now().toISOString();
  const whole = {
    orderId,
    userId,
    vendorOrderId: null,
    vendorId: null,
    previousStatus: order.status,
    newStatus: status,
    reason: why,
    timestamp,
  };
  ctx.publish(orderStatusChanged(whole));
  if (status === 'CANCELLED') ctx.publish(orderCancelled({ orderId, userId, reason: why, timestamp }));
  if (status === 'DELIVERED') ctx.publish(orderCompleted({ orderId, userId, timestamp }));
  return settled!;
}

const notCancellable = (path: string[]): Problem => new Problem('NOT_CANCELLABLE', 'It is too far on to be cancelled.', { path });

/** What the viewer can do with the order as a whole, as of now. */
export async function availableActions(ctx: Ctx, order: Order): Promise<'CANCEL'[]> {
  if (order.status === 'PENDING' || order.status === 'CANCELLED') return [];
  const mover: Mover = isAdmin(ctx) ? 'ADMIN' : 'BUYER';
  const parts = (await ctx.loaders.partsOf.load(order._id)).filter(({ status }) => status !== 'CANCELLED');
  return parts.every(({ status }) => canMove(status, 'CANCELLED', mover)) ? ['CANCEL'] : [];
}

import { z } from 'zod';
import { forbidden, invalid, notFound, Problem } from '#shared/base/errors.ts';
import { text } from '#shared/base/input.ts';
import { stockReturnJob, VENDOR_ORDER_STATUSES, type VendorOrderStatus } from '../contract.ts';
import { invalidateOrder } from '../cache.ts';
import type { Ctx } from '../loaders.ts';
import { canMove, sourcesOf, type Mover } from '../machine.ts';
import type { Order, VendorOrder } from '../model.ts';
import { entryOf, settleOrder, tellChange, type Act } from './settle.ts';

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
  const act = { mover, actorId: ctx.viewer!.id, reason: input.reason || null };
  return { order: (await moveParts(ctx, order, { parts, to: 'CANCELLED', act, isOfWhole: true })).order };
}

export const CancelVendorOrder = z.object({ vendorOrderId: id, reason });

/** Cancels one part; the buyer until it is packed, the vendor until it is shipped, and the vendor says why. */
export async function cancelVendorOrder(ctx: Ctx, input: z.infer<typeof CancelVendorOrder>) {
  return changeStatus(ctx, { ...input, status: 'CANCELLED' }, () => notCancellable(['input', 'vendorOrderId']));
}

export const UpdateVendorOrderStatus = z.object({ vendorOrderId: id, status: z.enum(VENDOR_ORDER_STATUSES), reason });

/** Moves one part on to one of its next statuses. A status it has already is no mistake. */
export async function updateVendorOrderStatus(ctx: Ctx, input: z.infer<typeof UpdateVendorOrderStatus>) {
  return changeStatus(ctx, input, ({ status }) => illegal(input.status, status));
}

async function changeStatus(ctx: Ctx, input: z.infer<typeof UpdateVendorOrderStatus>, refusal: (part: VendorOrder) => Problem) {
  const part = await ctx.models.VendorOrder.findById(input.vendorOrderId).lean<VendorOrder>();
  if (!part || !(await mayRead(ctx, part))) throw notFound('VendorOrder', input.vendorOrderId, ['input', 'vendorOrderId']);
  const mover = await moverOf(ctx, part);
  if (!mover) throw forbidden();
  if (part.status === input.status) return { vendorOrder: part };
  if (input.status === 'CANCELLED' && mover !== 'BUYER' && !input.reason) throw invalid(['input', 'reason'], 'Say why it is cancelled.');
  const order = await ctx.models.Order.findById(part.orderId).lean<Order>();
  refuseWhilePending(order!);
  if (!canMove(part.status, input.status, mover)) throw refusal(part);
  const act = { mover, actorId: ctx.viewer!.id, reason: input.reason || null };
  const { parts } = await moveParts(ctx, order!, { parts: [part], to: input.status, act });
  return { vendorOrder: parts[0]! };
}

/** Whether the viewer may know of this part: its buyer, everybody who works for the vendor, admins. */
export async function mayRead(ctx: Ctx, part: Pick<VendorOrder, 'buyerId' | 'vendorId'>): Promise<boolean> {
  if (!ctx.viewer) return false;
  return isAdmin(ctx) || part.buyerId === ctx.viewer.id || ctx.loaders.memberships.has(part.vendorId);
}

/** As whom the viewer moves this part; undefined when the viewer may not. */
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

interface Moves {
  parts: VendorOrder[];
  to: VendorOrderStatus;
  act: Act;
  /** True when somebody moved the order as such, and its parts with it. */
  isOfWhole?: boolean;
}

/** Moves parts of one order, and the order with them; then the world is told. */
async function moveParts(ctx: Ctx, order: Order, { parts, to, act, isOfWhole = false }: Moves) {
  const moved: VendorOrder[] = [];
  for (const part of parts) moved.push(await move(ctx, part, to, act));
  const settled = await settleOrder(ctx, order, isOfWhole ? act : undefined);
  for (const part of parts) tellChange(ctx, settled.order, part, { ...act, from: part.status, to });
  if (settled.change) tellChange(ctx, settled.order, null, settled.change);
  return { order: settled.order, parts: moved };
}

async function move(ctx: Ctx, part: VendorOrder, to: VendorOrderStatus, act: Act): Promise<VendorOrder> {
  const moved = await ctx.models.VendorOrder.findOneAndUpdate(
    { _id: part._id, status: { $eq: part.status, $in: sourcesOf(to, act.mover) } },
    { $set: { status: to }, $push: { timeline: entryOf(ctx, { ...act, from: part.status, to }) }, $inc: { version: 1 } },
    { returnDocument: 'after' },
  ).lean<VendorOrder>();
  invalidateOrder(ctx, part.orderId);
  if (!moved) throw new Problem('ILLEGAL_TRANSITION', `${to} cannot follow the status it has.`, { path: ['input', 'status'] });
  if (to === 'CANCELLED') {
    const lines = part.lines.map(({ variantId, quantity }) => ({ variantId, quantity }));
    ctx.publish(stockReturnJob({ orderId: part.orderId, vendorOrderId: part._id, lines, reason: act.reason ?? '' }));
  }
  return moved;
}

const illegal = (to: VendorOrderStatus, from: VendorOrderStatus): Problem =>
  new Problem('ILLEGAL_TRANSITION', `${to} cannot follow ${from}.`, { path: ['input', 'status'] });

const notCancellable = (path: string[]): Problem => new Problem('NOT_CANCELLABLE', 'It is too far on to be cancelled.', { path });

/** What the viewer can do with the order as a whole, as of now. */
export async function availableActions(ctx: Ctx, order: Order): Promise<'CANCEL'[]> {
  if (order.status === 'CANCELLED') return [];
  const mover: Mover = isAdmin(ctx) ? 'ADMIN' : 'BUYER';
  const parts = (await ctx.loaders.partsOf.load(order._id)).filter(({ status }) => status !== 'CANCELLED');
  return parts.every(({ status }) => canMove(status, 'CANCELLED', mover)) ? ['CANCEL'] : [];
}

import { z } from 'zod';
import { forbidden, invalid, notFound, Problem } from '#shared/base/errors.ts';
import { text } from '#shared/base/input.ts';
import { stockReturnJob, VENDOR_ORDER_STATUSES, type VendorOrderStatus } from '../contract.ts';
import { invalidateOrder } from '../cache.ts';
import type { Ctx } from '../loaders.ts';
import { canMove, sourcesOf, type Actor } from '../machine.ts';
import type { Order, VendorOrder } from '../model.ts';
import { entryOf, settleOrder, publishChange, type Act } from './settle.ts';

const id = z.string().min(1).max(100);
const reason = text({ max: 500 }).nullish();

export const CancelOrder = z.object({ orderId: id, reason });

/** Cancels every vendor order or none. Cancelling twice is the same as cancelling once. */
export async function cancelOrder(ctx: Ctx, input: z.infer<typeof CancelOrder>) {
  const actor: Actor = isAdmin(ctx) ? 'ADMIN' : 'BUYER';
  const mine = actor === 'ADMIN' ? {} : { buyerId: ctx.viewer!.id };
  const order = await ctx.models.Order.findOne({ _id: input.orderId, ...mine }).lean<Order>();
  if (!order) throw notFound('Order', input.orderId, ['input', 'orderId']);
  if (order.status === 'CANCELLED') return { order };
  refuseWhilePending(order);
  const vendorOrders = await ctx.models.VendorOrder.find({ orderId: order._id, status: { $ne: 'CANCELLED' } }).lean<VendorOrder[]>();
  for (const { status } of vendorOrders) if (!canMove(status, 'CANCELLED', actor)) throw notCancellable(['input', 'orderId']);
  const act = { actor, actorId: ctx.viewer!.id, reason: input.reason || null };
  return { order: (await moveVendorOrders(ctx, order, { vendorOrders, to: 'CANCELLED', act, isOfWhole: true })).order };
}

export const CancelVendorOrder = z.object({ vendorOrderId: id, reason });

/** Cancels one vendor order; the buyer until it is packed, the vendor until it is shipped, and the vendor says why. */
export async function cancelVendorOrder(ctx: Ctx, input: z.infer<typeof CancelVendorOrder>) {
  return changeStatus(ctx, { ...input, status: 'CANCELLED' }, () => notCancellable(['input', 'vendorOrderId']));
}

export const UpdateVendorOrderStatus = z.object({ vendorOrderId: id, status: z.enum(VENDOR_ORDER_STATUSES), reason });

/** Moves one vendor order on to one of its next statuses. A status it has already is no mistake. */
export async function updateVendorOrderStatus(ctx: Ctx, input: z.infer<typeof UpdateVendorOrderStatus>) {
  return changeStatus(ctx, input, ({ status }) => illegal(input.status, status));
}

async function changeStatus(ctx: Ctx, input: z.infer<typeof UpdateVendorOrderStatus>, refusal: (vendorOrder: VendorOrder) => Problem) {
  const vendorOrder = await ctx.models.VendorOrder.findById(input.vendorOrderId).lean<VendorOrder>();
  if (!vendorOrder || !(await mayRead(ctx, vendorOrder))) throw notFound('VendorOrder', input.vendorOrderId, ['input', 'vendorOrderId']);
  const actor = await actorOf(ctx, vendorOrder);
  if (!actor) throw forbidden();
  if (vendorOrder.status === input.status) return { vendorOrder };
  if (input.status === 'CANCELLED' && actor !== 'BUYER' && !input.reason) throw invalid(['input', 'reason'], 'Say why it is cancelled.');
  const order = await ctx.models.Order.findById(vendorOrder.orderId).lean<Order>();
  refuseWhilePending(order!);
  if (!canMove(vendorOrder.status, input.status, actor)) throw refusal(vendorOrder);
  const act = { actor, actorId: ctx.viewer!.id, reason: input.reason || null };
  const { vendorOrders } = await moveVendorOrders(ctx, order!, { vendorOrders: [vendorOrder], to: input.status, act });
  return { vendorOrder: vendorOrders[0]! };
}

/** Whether the viewer may know of this vendor order: its buyer, everybody who works for the vendor, admins. */
export async function mayRead(ctx: Ctx, vendorOrder: Pick<VendorOrder, 'buyerId' | 'vendorId'>): Promise<boolean> {
  if (!ctx.viewer) return false;
  return isAdmin(ctx) || vendorOrder.buyerId === ctx.viewer.id || ctx.loaders.memberships.has(vendorOrder.vendorId);
}

/** As whom the viewer moves this vendor order; undefined when the viewer may not. */
export async function actorOf(ctx: Ctx, vendorOrder: Pick<VendorOrder, 'buyerId' | 'vendorId'>): Promise<Actor | undefined> {
  if (!ctx.viewer) return undefined;
  if (isAdmin(ctx)) return 'ADMIN';
  if (await ctx.loaders.memberships.can(vendorOrder.vendorId, 'ORDERS')) return 'VENDOR';
  return vendorOrder.buyerId === ctx.viewer.id ? 'BUYER' : undefined;
}

const isAdmin = (ctx: Ctx): boolean => ctx.viewer?.roles.includes('admin') ?? false;

/** Until the checkout is through, its saga alone decides. */
function refuseWhilePending(order: Order): void {
  if (order.status === 'PENDING')
    throw new Problem('CHECKOUT_IN_PROGRESS', 'The order is not confirmed yet.', { path: ['input'], retryable: true });
}

interface Moves {
  vendorOrders: VendorOrder[];
  to: VendorOrderStatus;
  act: Act;
  /** True when somebody moved the order as such, and its vendor orders with it. */
  isOfWhole?: boolean;
}

/** Moves vendor orders of one order, and the order with them; then the world is told. */
async function moveVendorOrders(ctx: Ctx, order: Order, { vendorOrders, to, act, isOfWhole = false }: Moves) {
  const moved: VendorOrder[] = [];
  for (const vendorOrder of vendorOrders) moved.push(await move(ctx, vendorOrder, to, act));
  const settled = await settleOrder(ctx, order, isOfWhole ? act : undefined);
  for (const vendorOrder of vendorOrders) publishChange(ctx, settled.order, vendorOrder, { ...act, from: vendorOrder.status, to });
  if (settled.change) publishChange(ctx, settled.order, null, settled.change);
  return { order: settled.order, vendorOrders: moved };
}

async function move(ctx: Ctx, vendorOrder: VendorOrder, to: VendorOrderStatus, act: Act): Promise<VendorOrder> {
  const moved = await ctx.models.VendorOrder.findOneAndUpdate(
    { _id: vendorOrder._id, status: { $eq: vendorOrder.status, $in: sourcesOf(to, act.actor) } },
    { $set: { status: to }, $push: { timeline: entryOf(ctx, { ...act, from: vendorOrder.status, to }) }, $inc: { version: 1 } },
    { returnDocument: 'after' },
  ).lean<VendorOrder>();
  invalidateOrder(ctx, vendorOrder.orderId);
  if (!moved) throw new Problem('ILLEGAL_TRANSITION', `${to} cannot follow the status it has.`, { path: ['input', 'status'] });
  if (to === 'CANCELLED') {
    const lines = vendorOrder.lines.map(({ variantId, quantity }) => ({ variantId, quantity }));
    ctx.enqueue(stockReturnJob({ orderId: vendorOrder.orderId, vendorOrderId: vendorOrder._id, lines, reason: act.reason ?? '' }));
  }
  return moved;
}

const illegal = (to: VendorOrderStatus, from: VendorOrderStatus): Problem =>
  new Problem('ILLEGAL_TRANSITION', `${to} cannot follow ${from}.`, { path: ['input', 'status'] });

const notCancellable = (path: string[]): Problem => new Problem('NOT_CANCELLABLE', 'It is too far on to be cancelled.', { path });

/** What the viewer can do with the order as a whole, as of now. */
export async function availableActions(ctx: Ctx, order: Order): Promise<'CANCEL'[]> {
  if (order.status === 'CANCELLED') return [];
  const actor: Actor = isAdmin(ctx) ? 'ADMIN' : 'BUYER';
  const vendorOrders = (await ctx.loaders.vendorOrdersOf.load(order._id)).filter(({ status }) => status !== 'CANCELLED');
  return vendorOrders.every(({ status }) => canMove(status, 'CANCELLED', actor)) ? ['CANCEL'] : [];
}

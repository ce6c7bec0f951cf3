import { connection, type ListArguments } from '#shared/store/pagination.ts';
import { forbidden } from '#shared/base/errors.ts';
import type { VendorOrderStatus } from '../contract.ts';
import type { Ctx } from '../loaders.ts';
import type { Order, VendorOrder } from '../model.ts';

const NEWEST_FIRST = { field: 'PLACED_AT', direction: 'DESC' } as const;

const ORDERS = {
  fields: { status: 'enum', placedAt: 'date', total: 'money' },
  sorts: { PLACED_AT: 'placedAt', TOTAL: 'total.amount' },
  defaultSort: NEWEST_FIRST,
} as const;

const PARTS = { fields: { status: 'enum', placedAt: 'date' }, sorts: { PLACED_AT: 'placedAt' }, defaultSort: NEWEST_FIRST } as const;

const UNFINISHED = ['PENDING', 'CONFIRMED', 'PROCESSING', 'SHIPPED'] as const satisfies VendorOrderStatus[];

const isAdmin = (ctx: Ctx): boolean => ctx.viewer?.roles.includes('admin') ?? false;

/** The orders of one buyer; of all for an admin who names none. */
export function listOrders(ctx: Ctx, buyerId: string | undefined, args: ListArguments) {
  return connection<Order>(ctx.models.Order, { ...args, ...ORDERS, filter: buyerId ? { buyerId } : {} });
}

/** The viewer's orders, or those an admin asks for. */
export function listViewersOrders(ctx: Ctx, { buyerId, ...args }: ListArguments & { buyerId?: string | null }) {
  if (buyerId && buyerId !== ctx.viewer!.id && !isAdmin(ctx)) throw forbidden();
  return listOrders(ctx, buyerId ?? (isAdmin(ctx) ? undefined : ctx.viewer!.id), args);
}

/** The orders of one vendor, for its members and for admins. */
export async function listVendorOrders(ctx: Ctx, vendorId: string, args: ListArguments) {
  if (!isAdmin(ctx) && !(await ctx.loaders.memberships.has(vendorId))) throw forbidden();
  return connection<VendorOrder>(ctx.models.VendorOrder, { ...args, ...PARTS, filter: { vendorId } });
}

const MAX_UNFINISHED = 20;

/** What stands between a vendor and closing its store. */
export async function listUnfinishedVendorOrders(ctx: Ctx, { vendorId }: { vendorId: string }) {
  const underWay = { $in: [...UNFINISHED] };
  const found = await ctx.models.VendorOrder.find({ vendorId, status: underWay }, { _id: 1 }).limit(MAX_UNFINISHED).lean();
  return { vendorOrderIds: found.map(({ _id }) => _id) };
}

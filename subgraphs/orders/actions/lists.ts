import { connection, type ConnectionArgs } from '../../../shared/connections.ts';
import { forbidden } from '../../../shared/errors.ts';
import type { Ctx } from '../loaders.ts';
import type { Order, VendorOrder } from '../model.ts';

const ORDER_FIELDS = { status: { kind: 'enum' }, placedAt: { kind: 'date' }, total: { kind: 'money' } } as const;
const ORDER_SORTS = { PLACED_AT: 'placedAt', TOTAL: 'total.amount' } as const;
const PART_FIELDS = { status: { kind: 'enum' }, placedAt: { kind: 'date' } } as const;
const PART_SORTS = { PLACED_AT: 'placedAt' } as const;
const NEWEST_FIRST = { field: 'PLACED_AT', direction: 'DESC' } as const;

const isAdmin = (ctx: Ctx): boolean => ctx.viewer?.roles.includes('admin') ?? false;

/** The orders of one buyer; of all for an admin who names none. */
export function listOrders(ctx: Ctx, buyerId: string | undefined, args: ConnectionArgs) {
  return connection<Order>(ctx.models.Order, {
    ...args,
    filter: buyerId ? { buyerId } : {},
    fields: ORDER_FIELDS,
    sorts: ORDER_SORTS,
    sort: args.sort ?? NEWEST_FIRST,
  });
}

/** The viewer's orders, or those an admin asks for. */
export function listViewersOrders(ctx: Ctx, { buyerId, ...args }: ConnectionArgs & { buyerId?: string | null }) {
  if (buyerId && buyerId !== ctx.viewer!.id && !isAdmin(ctx)) throw forbidden();
  return listOrders(ctx, buyerId ?? (isAdmin(ctx) ? undefined : ctx.viewer!.id), args);
}

/** A vendor's parts, for its members with the permission ORDERS and for admins. */
export async function listVendorOrders(ctx: Ctx, vendorId: string, args: ConnectionArgs) {
  if (!isAdmin(ctx)) await ctx.loaders.memberships.require(vendorId, 'ORDERS');
  return connection<VendorOrder>(ctx.models.VendorOrder, {
    ...args,
    filter: { vendorId },
    fields: PART_FIELDS,
    sorts: PART_SORTS,
    sort: args.sort ?? NEWEST_FIRST,
  });
}

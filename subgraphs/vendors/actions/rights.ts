import { forbidden, notFound, Problem, unauthenticated } from '../../../shared/errors.ts';
import type { VendorPermission } from '../contract.ts';
import type { Ctx } from '../loaders.ts';
import type { Vendor } from '../model/vendor.ts';
import type { VendorRole } from '../roles.ts';

export const isAdmin = (ctx: Pick<Ctx, 'viewer'>): boolean => ctx.viewer?.roles.includes('admin') ?? false;

export function viewerId(ctx: Pick<Ctx, 'viewer'>): string {
  if (!ctx.viewer) throw unauthenticated();
  return ctx.viewer.id;
}

/** The role the viewer acts in: admins act like owners of every store. */
export async function roleIn(ctx: Ctx, vendorId: string): Promise<VendorRole | undefined> {
  if (isAdmin(ctx)) return 'OWNER';
  const all = await ctx.loaders.memberships.all();
  return all.find((membership) => membership.vendorId === vendorId)?.role as VendorRole | undefined;
}

/** The store, for somebody who may do this in it. A store is public, so a stranger is told FORBIDDEN. */
export async function requireVendor(
  ctx: Ctx,
  { id, field, permission }: { id: string; field: string; permission?: VendorPermission },
): Promise<Vendor> {
  const vendor = await ctx.models.Vendor.findById(id).lean<Vendor>();
  if (!vendor) throw notFound('Vendor', id, ['input', field]);
  if (permission && !isAdmin(ctx)) await ctx.loaders.memberships.require(id, permission);
  return vendor;
}

/** Members and admins only: what a store keeps for itself. */
export async function requireInsider(ctx: Ctx, vendorId: string): Promise<void> {
  if (!(await ctx.loaders.vendor.load(vendorId))) throw notFound('Vendor', vendorId);
  if (!(await roleIn(ctx, vendorId))) throw forbidden();
}

export const vendorSuspended = (path: string[]): Problem =>
  new Problem('VENDOR_SUSPENDED', 'The store is suspended: ask the operator.', { path });

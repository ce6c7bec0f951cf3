import { forbidden, notFound, unauthenticated } from '#shared/base/errors.ts';
import { refuseInactive, type VendorPermission } from '../contract.ts';
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
  if (permission && !isAdmin(ctx)) await ctx.loaders.memberships.requireReader(id, permission);
  return vendor;
}

/** Members and admins only: what a store keeps for itself. */
export async function requireInsider(ctx: Ctx, vendorId: string): Promise<void> {
  if (!(await ctx.loaders.vendor.load(vendorId))) throw notFound('Vendor', vendorId);
  if (!(await roleIn(ctx, vendorId))) throw forbidden();
}

/** For changes of a store that are not asked for by permission. Admins put things right in a suspended store, too; nobody does in a closed one. */
export async function requireActive(ctx: Ctx, vendorId: string, path: readonly string[]): Promise<void> {
  const vendor = await ctx.models.Vendor.findById(vendorId, { state: 1 }).lean();
  if (vendor?.state !== 'SUSPENDED' || !isAdmin(ctx)) refuseInactive(vendor?.state ?? 'CLOSED', path);
}

import type { Ctx } from '../loaders.ts';
import { readMemberships } from '../memberships.ts';
import type { Vendor } from '../model/vendor.ts';

export const listMemberships = (ctx: Ctx, { userId }: { userId: string }) => readMemberships(ctx.models, userId);

export async function listVendors(ctx: Ctx, { ids }: { ids: string[] }) {
  const found = await ctx.models.Vendor.find({ _id: { $in: ids } }, { name: 1, slug: 1, state: 1, currency: 1 }).lean<Vendor[]>();
  return { vendors: found.map(({ _id: id, name, slug, state, currency }) => ({ id, name, slug, state, currency })) };
}

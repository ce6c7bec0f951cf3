import type { Ctx } from '../loaders.ts';

export async function findSnapshots(ctx: Ctx, { ids }: { ids: string[] }) {
  const found = await ctx.models.User.find({ _id: { $in: ids } }).lean();
  return {
    accounts: found.map(({ _id, name, email, verified, roles, isActive }) => ({
      id: _id,
      name,
      email,
      emailVerified: verified,
      roles,
      isActive,
    })),
  };
}

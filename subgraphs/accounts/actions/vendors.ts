import { findMemberships } from '../../vendors/contract.ts';
import type { Ctx } from '../loaders.ts';

/** The role opens the vendors' part of a client; what its holder may do where is asked of the vendors' subgraph each time. */
export const welcomeOwner = (ctx: Ctx, { ownerId }: { ownerId: string }): Promise<unknown> => addRole(ctx, ownerId);

export const welcomeMember = (ctx: Ctx, { userId }: { userId: string }): Promise<unknown> => addRole(ctx, userId);

/** The role goes with the last membership. Asked, not counted: events of different stores come in any order. */
export async function dismissMember(ctx: Ctx, { userId }: { userId: string }): Promise<void> {
  const { memberships } = await ctx.call(findMemberships, { userId });
  if (memberships.length > 0) return;
  await ctx.models.User.updateOne({ _id: userId, roles: ['vendor'] }, { $addToSet: { roles: 'customer' } });
  await ctx.models.User.updateOne({ _id: userId }, { $pull: { roles: 'vendor' }, $inc: { version: 1 } });
}

const addRole = (ctx: Ctx, userId: string) =>
  ctx.models.User.updateOne({ _id: userId, roles: { $ne: 'vendor' } }, { $addToSet: { roles: 'vendor' }, $inc: { version: 1 } });

import { findMemberships } from '../../vendors/contract.ts';
import { userProfileUpdated } from '../contract.ts';
import type { Ctx } from '../loaders.ts';

/** The role opens the vendors' part of a client; what its holder may do where is asked of the vendors' subgraph each time. */
export const welcomeOwner = (ctx: Ctx, { ownerId }: { ownerId: string }): Promise<void> => addRole(ctx, ownerId);

export const welcomeMember = (ctx: Ctx, { userId }: { userId: string }): Promise<void> => addRole(ctx, userId);

/** The role goes with the last membership. Asked, not counted: events of different stores come in any order. */
export async function dismissMember(ctx: Ctx, { userId }: { userId: string }): Promise<void> {
  const { memberships } = await ctx.call(findMemberships, { userId });
  if (memberships.length > 0) return;
  await ctx.models.User.updateOne({ _id: userId, roles: ['vendor'] }, { $addToSet: { roles: 'customer' } });
  const change = { $pull: { roles: 'vendor' }, $inc: { version: 1 } };
  const { modifiedCount } = await ctx.models.User.updateOne({ _id: userId, roles: 'vendor' }, change);
  if (modifiedCount > 0) sayRoles(ctx, userId);
}

async function addRole(ctx: Ctx, userId: string): Promise<void> {
  const change = { $addToSet: { roles: 'vendor' }, $inc: { version: 1 } };
  const { modifiedCount } = await ctx.models.User.updateOne({ _id: userId, roles: { $ne: 'vendor' } }, change);
  if (modifiedCount > 0) sayRoles(ctx, userId);
}

const sayRoles = (ctx: Ctx, userId: string): void => ctx.publish(userProfileUpdated({ userId, changes: ['roles'] }));

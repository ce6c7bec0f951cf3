import { z } from 'zod';
import { notFound, Problem } from '#shared/base/errors.ts';
import { list, text } from '#shared/base/input.ts';
import { staleVersion } from '#shared/store/versioned-update.ts';
import { userProfileUpdated } from '../contract.ts';
import type { Ctx } from '../loaders.ts';
import type { User } from '../model.ts';
import { ROLES } from '../roles.ts';
import { endingSessions, endSessions } from './sessions.ts';

const scope = z.string().regex(/^[a-z][a-z-]{0,30}:[a-z][a-z-]{0,30}$/, 'must be a scope such as reports:read');

export const SetUserRoles = z.object({
  id: z.string(),
  expectedVersion: z.int(),
  roles: list(z.enum(ROLES), { min: 1, max: 10 }),
  scopes: list(scope, { max: 50 }).optional(),
});

/** Whoever loses a role or a scope is signed out everywhere: a token that still names it must not live on. */
export async function setUserRoles(ctx: Ctx, { id, expectedVersion, roles, scopes }: z.infer<typeof SetUserRoles>) {
  return endingSessions(ctx, async (inner) => {
    const before = await requireUser(inner, id);
    const wanted = { roles: [...new Set(roles)], scopes: scopes ? [...new Set(scopes)] : before.scopes };
    if (before.roles.includes('admin') && !wanted.roles.includes('admin')) await requireOtherAdmin(inner, id);
    const user = await inner.models.User.findOneAndUpdate(
      { _id: id, version: expectedVersion },
      { $set: wanted, $inc: { version: 1 } },
      { returnDocument: 'after' },
    ).lean();
    if (!user) throw stale(before.version);
    inner.publish(userProfileUpdated({ userId: id, changes: ['roles', 'scopes'] }));
    const lost = before.roles.some((role) => !wanted.roles.includes(role)) || before.scopes.some((each) => !wanted.scopes.includes(each));
    return { ended: lost ? await endSessions(inner, { userId: id }, 'ROLES_CHANGED') : [], answer: { user } };
  });
}

export const DeactivateUser = z.object({ id: z.string(), reason: text({ min: 1, max: 500 }) });

/** Signs the user out everywhere and lets nobody in again. Doing it twice is the same as doing it once. */
export async function deactivateUser(ctx: Ctx, { id, reason }: z.infer<typeof DeactivateUser>) {
  return endingSessions(ctx, async (inner) => {
    const before = await requireUser(inner, id);
    if (before.roles.includes('admin')) await requireOtherAdmin(inner, id);
    const user = await setActive(inner, id, false, reason);
    await inner.models.Token.deleteMany({ userId: id });
    return { ended: await endSessions(inner, { userId: id }, 'DEACTIVATED'), answer: { user: user ?? before } };
  });
}

export const ActivateUser = z.object({ id: z.string() });

export async function activateUser(ctx: Ctx, { id }: z.infer<typeof ActivateUser>) {
  const before = await requireUser(ctx, id);
  return { user: (await setActive(ctx, id, true, null)) ?? before };
}

/**
 * LAST_ADMIN when nobody else could undo what this does. The other admin's row is written, so that two who remove each other at the same
 * time meet.
 */
export async function requireOtherAdmin(ctx: Ctx, userId: string): Promise<void> {
  const other = await ctx.models.User.findOneAndUpdate(
    { _id: { $ne: userId }, roles: 'admin', isActive: true },
    { updatedAt: ctx.now() },
  ).lean();
  if (!other) throw new Problem('LAST_ADMIN', 'There is no other admin.');
}

async function setActive(ctx: Ctx, id: string, isActive: boolean, deactivationReason: string | null): Promise<User | null> {
  const user = await ctx.models.User.findOneAndUpdate(
    { _id: id, isActive: !isActive },
    { $set: { isActive, deactivationReason }, $inc: { version: 1 } },
    { returnDocument: 'after' },
  ).lean();
  if (user) ctx.publish(userProfileUpdated({ userId: id, changes: ['isActive'] }));
  return user;
}

async function requireUser(ctx: Ctx, id: string): Promise<User> {
  const user = await ctx.models.User.findById(id).lean();
  if (!user) throw notFound('User', id, ['input', 'id']);
  return user;
}

const stale = (currentVersion: number): Problem => staleVersion('account', currentVersion);

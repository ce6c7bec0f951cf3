import { z } from 'zod';
import { Problem } from '#shared/base/errors.ts';
import { findMemberships } from '../../vendors/contract.ts';
import { userDeleted } from '../contract.ts';
import { guess } from '../limits.ts';
import type { Ctx } from '../loaders.ts';
import { messages } from '../messages.ts';
import { givenPassword } from '../passwords.ts';
import { requireOtherAdmin } from './admins.ts';
import { requirePassword, viewerOf } from './own.ts';
import { endingSessions, endSessions } from './sessions.ts';
import { badToken, issueToken, takeToken, tokenInput } from './tokens.ts';

export const RequestAccountDeletion = z.object({ password: givenPassword().nullish() });

/** Mails the token without which nothing is deleted. */
export async function requestAccountDeletion(ctx: Ctx, { password }: z.infer<typeof RequestAccountDeletion>) {
  const user = await viewerOf(ctx);
  await requirePassword(ctx, user, password);
  await refuseOwners(ctx, user._id);
  await ctx.transaction(async (inner) => {
    const { secret } = await issueToken(inner, { userId: user._id, purpose: 'DELETE_ACCOUNT' });
    inner.send(messages['delete-account'], { to: user.email, params: {}, token: secret });
  });
  return { accepted: true };
}

export const DeleteAccount = z.object({ token: tokenInput() });

/**
 * Removes the account and what is known of the person. Orders stay with the id alone. Ended sessions stay, without their device, until
 * no access token of theirs can be good any more.
 */
export async function deleteAccount(ctx: Ctx, { token: secret }: z.infer<typeof DeleteAccount>) {
  const user = await viewerOf(ctx);
  await refuseOwners(ctx, user._id);
  const deletedId = await guess(ctx, user._id, () =>
    endingSessions(ctx, async (inner) => {
      if (!(await takeToken(inner, 'DELETE_ACCOUNT', secret))) return { ended: [], answer: null };
      if (user.roles.includes('admin')) await requireOtherAdmin(inner, user._id);
      const ended = await endSessions(inner, { userId: user._id }, 'DELETED');
      await removePersonalData(inner, user._id, user.email);
      inner.publish(userDeleted({ userId: user._id }));
      inner.send(messages['account-deleted'], { to: user.email, params: {} });
      return { ended, answer: user._id };
    }),
  );
  if (!deletedId) throw badToken();
  return { deletedId };
}

async function removePersonalData({ models }: Ctx, userId: string, email: string): Promise<void> {
  const sessions = await models.Session.find({ userId }, { _id: 1 }).lean();
  await models.RefreshToken.deleteMany({ sessionId: { $in: sessions.map(({ _id }) => _id) } });
  await models.Session.updateMany({ userId }, { ip: null, userAgent: null });
  await models.Token.deleteMany({ userId });
  await models.KeptMail.deleteMany({ to: email });
  await models.User.deleteOne({ _id: userId });
}

/** A store that is open must not be left without an owner, nor its customers without one to talk to. */
async function refuseOwners(ctx: Ctx, userId: string): Promise<void> {
  const { memberships } = await ctx.call(findMemberships, { userId });
  if (memberships.some(({ role, state }) => role === 'OWNER' && state !== 'CLOSED')) {
    throw new Problem(
      'OWNS_VENDOR',
      'You own a store. Hand it to somebody else (transferVendorOwnership) or close it (closeVendor) first.',
    );
  }
}

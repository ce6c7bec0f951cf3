import { z } from 'zod';
import { Problem } from '#shared/base/errors.ts';
import { email } from '#shared/base/input.ts';
import { userProfileUpdated } from '../contract.ts';
import { guess } from '../limits.ts';
import type { Ctx } from '../loaders.ts';
import { messages } from '../messages.ts';
import { givenPassword, hashPassword, newPassword, refuseWeak } from '../passwords.ts';
import { FORGOTTEN, requirePassword, viewerOf } from './own.ts';
import { askForMail } from './register.ts';
import { endingSessions, endSessions } from './sessions.ts';
import { badToken, takeToken, tokenInput } from './tokens.ts';

export const ForgotPassword = z.object({ email: email() });

/** Whether there is such an account is found out later, so that nothing in the answer depends on it. */
export async function forgotPassword(ctx: Ctx, input: z.infer<typeof ForgotPassword>) {
  return askForMail(ctx, input.email, 'RESET_PASSWORD');
}

export const ResetPassword = z.object({ token: tokenInput(), newPassword: newPassword() });

/** A new password for who holds the mailed token. All sessions end; who opened the mail has confirmed the address, too. */
export async function resetPassword(ctx: Ctx, input: z.infer<typeof ResetPassword>) {
  const user = await guess(ctx, ctx.viewer?.id, async () => {
    const passwordHash = await hashPassword(input.newPassword);
    return endingSessions(ctx, async (inner) => {
      const token = await takeToken(inner, 'RESET_PASSWORD', input.token);
      const found = token && (await inner.models.User.findOne({ _id: token.userId, isActive: true }).lean());
      if (!found) return { ended: [], answer: null };
      refuseWeak(input.newPassword, found, 'newPassword');
      return { ended: await writePassword(inner, found._id, passwordHash), answer: await firstProof(inner, found._id) };
    });
  });
  if (!user) throw badToken();
  return { reset: true };
}

export const ChangePassword = z.object({ currentPassword: givenPassword(), newPassword: newPassword() });

/** Ends every session but the one that asks. */
export async function changePassword(ctx: Ctx, input: z.infer<typeof ChangePassword>) {
  const user = await viewerOf(ctx);
  if (!user.passwordHash) throw new Problem('NO_PASSWORD', 'This account has no password yet. Ask for one with forgotPassword.');
  refuseWeak(input.newPassword, user, 'newPassword');
  await requirePassword(ctx, user, input.currentPassword, 'currentPassword');
  const passwordHash = await hashPassword(input.newPassword);
  return endingSessions(ctx, async (inner) => {
    const ended = await writePassword(inner, user._id, passwordHash, ctx.viewer?.sessionId);
    return { ended, answer: { user: await inner.models.User.findById(user._id).lean() } };
  });
}

async function writePassword(ctx: Ctx, userId: string, passwordHash: string, keepSession?: string): Promise<string[]> {
  const user = await ctx.models.User.findOneAndUpdate({ _id: userId }, { passwordHash }, { returnDocument: 'after' }).lean();
  // Links in older mails and half-done sign-ins must not outlive the password they go with.
  await ctx.models.Token.deleteMany({ userId });
  ctx.publish(userProfileUpdated({ userId, changes: ['password'] }));
  ctx.send(messages['password-changed'], { to: user!.email, params: {} });
  return endSessions(ctx, { userId, ...(keepSession && { _id: { $ne: keepSession } }) }, 'PASSWORD_CHANGED');
}

/**
 * Somebody shows for the first time that the mailbox is theirs. Whoever made the account before may have been somebody else, so no other
 * way in that was set up then stays open, and nothing is sent to where that one lives.
 */
async function firstProof(ctx: Ctx, userId: string) {
  const user = await ctx.models.User.findOneAndUpdate(
    { _id: userId, verified: false },
    { verified: true, mfa: {}, googleSubject: null, ...FORGOTTEN },
    { returnDocument: 'after' },
  ).lean();
  return user ?? ctx.models.User.findById(userId).lean();
}

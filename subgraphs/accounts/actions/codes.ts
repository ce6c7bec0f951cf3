import { Problem } from '#shared/base/errors.ts';
import { decryptField } from '#shared/store/encrypted.ts';
import type { Ctx } from '../loaders.ts';
import { hashRecoveryCode, looksLikeTotp, stepOf } from '../totp.ts';

/**
 * Uses a code up, in the running transaction: a time step is accepted once and none before it, a recovery code once. The filter is the
 * lock, so the same code in two places at once opens one of them.
 */
export async function isRightCode(ctx: Ctx, userId: string, given: string): Promise<boolean> {
  const user = await ctx.models.User.findById(userId).lean();
  if (!user?.mfa.enabledAt) return false;
  const typed = given.trim();
  if (!looksLikeTotp(typed)) {
    const hash = hashRecoveryCode(typed);
    const { modifiedCount } = await ctx.models.User.updateOne(
      { _id: userId, 'mfa.recoveryCodes': hash },
      { $pull: { 'mfa.recoveryCodes': hash } },
    );
    return modifiedCount > 0;
  }
  const step = stepOf(decryptField(ctx.models.User, 'mfa.secret', user.mfa.secret!), typed, ctx.now());
  if (step === null) return false;
  const { modifiedCount } = await ctx.models.User.updateOne({ _id: userId, 'mfa.lastStep': { $lt: step } }, { 'mfa.lastStep': step });
  return modifiedCount > 0;
}

export const wrongCode = (): Problem =>
  new Problem('WRONG_CODE', 'This code is not right, or was used before.', { path: ['input', 'code'] });

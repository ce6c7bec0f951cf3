import { z } from 'zod';
import { Problem } from '#shared/base/errors.ts';
import { decryptField } from '#shared/store/encrypted.ts';
import { userProfileUpdated } from '../contract.ts';
import { guess } from '../limits.ts';
import type { Ctx } from '../loaders.ts';
import { messages } from '../messages.ts';
import type { User } from '../model.ts';
import { givenPassword } from '../passwords.ts';
import { hashRecoveryCode, newRecoveryCodes, newTotpSecret, stepOf, totpUri } from '../totp.ts';
import { isRightCode, wrongCode } from './codes.ts';
import { requirePassword, viewerOf } from './own.ts';

const code = z.string().max(40);

export const SetUpMfa = z.object({ password: givenPassword().nullish() });

/** A secret for the viewer's authenticator. Nothing is asked at sign-in before `confirmMfa` has seen a code of it. */
export async function setUpMfa(ctx: Ctx, { password }: z.infer<typeof SetUpMfa>) {
  const user = await viewerOf(ctx);
  await requirePassword(ctx, user, password);
  const secret = newTotpSecret();
  const { modifiedCount } = await ctx.models.User.updateOne({ _id: user._id, 'mfa.enabledAt': null }, { 'mfa.pendingSecret': secret });
  if (modifiedCount === 0) throw new Problem('MFA_ALREADY_ENABLED', 'Turn the second step off first.');
  return { secret, otpauthUri: totpUri(secret, user.email) };
}

export const ConfirmMfa = z.object({ code });

/** Turns the second step on and answers the recovery codes: this once, never again. */
export async function confirmMfa(ctx: Ctx, input: z.infer<typeof ConfirmMfa>) {
  const { _id, mfa } = await viewerOf(ctx);
  if (mfa.enabledAt) throw new Problem('MFA_ALREADY_ENABLED', 'The second step is on already.');
  const secret = pendingSecretOf(ctx, mfa);
  if (!secret) throw new Problem('MFA_NOT_ENABLED', 'Call setUpMfa first.');
  const step = await guess(ctx, _id, async () => stepOf(secret, input.code.trim(), ctx.now()));
  if (step === null) throw wrongCode();
  const recoveryCodes = newRecoveryCodes();
  const enabled = {
    secret,
    pendingSecret: null,
    enabledAt: ctx.now(),
    lastStep: step,
    recoveryCodes: recoveryCodes.map(hashRecoveryCode),
  };
  const user = await ctx.transaction(async (inner) => {
    const now = await inner.models.User.findOne({ _id, 'mfa.enabledAt': null }).lean();
    // Another setUpMfa has made the secret void that the code belongs to.
    if (!now || pendingSecretOf(inner, now.mfa) !== secret) return null;
    return changeMfa(inner, { _id, 'mfa.enabledAt': null }, enabled, 'mfa-enabled');
  });
  if (!user) throw wrongCode();
  return { user, recoveryCodes };
}

const pendingSecretOf = (ctx: Ctx, { pendingSecret }: User['mfa']): string | null =>
  decryptField(ctx.models.User, 'mfa.pendingSecret', pendingSecret);

export const DisableMfa = z.object({ code });

/** Turns the second step off, for who can still take it. */
export async function disableMfa(ctx: Ctx, input: z.infer<typeof DisableMfa>) {
  const { _id } = await useCode(ctx, input.code);
  const disabled = { secret: null, pendingSecret: null, enabledAt: null, lastStep: -1, recoveryCodes: [] };
  return { user: await changeMfa(ctx, { _id }, disabled, 'mfa-disabled') };
}

export const RenewRecoveryCodes = z.object({ code });

/** Ten new recovery codes; those there were are void. */
export async function renewRecoveryCodes(ctx: Ctx, input: z.infer<typeof RenewRecoveryCodes>) {
  const { _id } = await useCode(ctx, input.code);
  const recoveryCodes = newRecoveryCodes();
  await ctx.models.User.updateOne({ _id, 'mfa.enabledAt': { $ne: null } }, { 'mfa.recoveryCodes': recoveryCodes.map(hashRecoveryCode) });
  return { recoveryCodes };
}

async function useCode(ctx: Ctx, given: string): Promise<User> {
  const user = await viewerOf(ctx);
  if (!user.mfa.enabledAt) throw new Problem('MFA_NOT_ENABLED', 'The second step is off.');
  const isRight = await guess(ctx, user._id, async () => (await ctx.transaction((inner) => isRightCode(inner, user._id, given))) || null);
  if (!isRight) throw wrongCode();
  return user;
}

function changeMfa(
  ctx: Ctx,
  filter: Record<string, unknown>,
  mfa: User['mfa'],
  template: 'mfa-enabled' | 'mfa-disabled',
): Promise<User | null> {
  return ctx.transaction(async (inner) => {
    const user = await inner.models.User.findOneAndUpdate(filter, { mfa }, { returnDocument: 'after' }).lean();
    if (user) {
      inner.publish(userProfileUpdated({ userId: user._id, changes: ['mfa'] }));
      inner.send(messages[template], { to: user.email, params: {} });
    }
    return user;
  });
}

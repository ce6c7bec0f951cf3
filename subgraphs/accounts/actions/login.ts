import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { Problem } from '#shared/base/errors.ts';
import { email } from '#shared/base/input.ts';
import { guess, guessedAt } from '../limits.ts';
import type { Ctx } from '../loaders.ts';
import type { User } from '../model.ts';
import { givenPassword, hashPassword, isOutdated, isRightPassword } from '../passwords.ts';
import { hashSecret } from '../secrets.ts';
import { isRightCode, wrongCode } from './codes.ts';
import { grant, openSession } from './sessions.ts';
import { badToken, issueToken, tokenInput } from './tokens.ts';

const rememberMe = z
  .boolean()
  .nullish()
  .transform((value) => value ?? true);

export const Login = z.object({ email: email(), password: givenPassword(), rememberMe });

/**
 * Opens a session, or hands out the challenge for the second step. An unknown address, a wrong password and (where that is asked for) an
 * unconfirmed address are one refusal, in words and in time.
 */
export async function login(ctx: Ctx, input: z.infer<typeof Login>) {
  const started = performance.now();
  const found = await ctx.models.User.findOne({ email: input.email }).lean();
  const proven = await guess(ctx, guessedAt(found, input.email), async () => {
    const isRight = await isRightPassword(found?.passwordHash, input.password);
    return isRight && found && !(ctx.providers.settings.requireVerifiedEmail && !found.verified) ? found : null;
  });
  if (!proven) {
    await delay(Math.max(0, ctx.providers.settings.failedLoginMinMs - (performance.now() - started)));
    throw badCredentials();
  }
  refuseDeactivated(proven);
  const user = await withFreshHash(ctx, proven, input.password);
  return user.mfa.enabledAt ? challenge(ctx, user, input.rememberMe) : signIn(ctx, user, input.rememberMe);
}

/** A hash of older rules is replaced as soon as the password is at hand. */
async function withFreshHash(ctx: Ctx, user: User, password: string): Promise<User> {
  const old = user.passwordHash!;
  if (!isOutdated(old)) return user;
  const passwordHash = await hashPassword(password);
  const { modifiedCount } = await ctx.models.User.updateOne({ _id: user._id, passwordHash: old }, { passwordHash });
  return modifiedCount > 0 ? { ...user, passwordHash } : user;
}

/** Only the password as it was checked counts: one that was changed meanwhile opens nothing. */
export async function signIn(ctx: Ctx, { _id, passwordHash }: User, remembered: boolean) {
  const opened = await ctx.transaction(async (inner) => {
    const user = await inner.models.User.findOneAndUpdate(
      { _id, passwordHash, isActive: true },
      { lastSignInAt: ctx.now() },
      { returnDocument: 'after', timestamps: false },
    ).lean();
    if (!user) throw badCredentials();
    return openSession(inner, user, remembered);
  });
  return grant(ctx, opened);
}

/** Challenges live side by side: two devices may be signing in. */
export async function challenge(ctx: Ctx, { _id: userId }: User, remembered: boolean) {
  const { secret, expiresAt } = await issueToken(ctx, { userId, purpose: 'MFA_CHALLENGE', rememberMe: remembered, besideOthers: true });
  return { mfaChallenge: { token: secret, expiresAt } };
}

export const LoginWithMfa = z.object({ challengeToken: tokenInput(), code: z.string().max(40) });

/** The second step: a code of the authenticator, or a recovery code. Wrong ones count with wrong passwords. */
export async function loginWithMfa(ctx: Ctx, { challengeToken, code }: z.infer<typeof LoginWithMfa>) {
  const _id = hashSecret(challengeToken);
  const pending = { _id, purpose: 'MFA_CHALLENGE', expiresAt: { $gt: ctx.now() } } as const;
  const token = await ctx.models.Token.findOne(pending).lean();
  if (!token) throw badToken('challengeToken');
  const opened = await guess(ctx, token.userId, () =>
    ctx.transaction(async (inner) => {
      if (!(await isRightCode(inner, token.userId, code))) return null;
      if (!(await inner.models.Token.findOneAndDelete(pending))) throw badToken('challengeToken');
      const user = await inner.models.User.findOneAndUpdate(
        { _id: token.userId, isActive: true },
        { lastSignInAt: ctx.now() },
        { returnDocument: 'after', timestamps: false },
      ).lean();
      if (!user) throw badToken('challengeToken');
      return openSession(inner, user, token.rememberMe);
    }),
  );
  if (!opened) throw wrongCode();
  return grant(ctx, opened);
}

/** Told only to who knows the password (or whom Google vouches for). */
export function refuseDeactivated({ isActive }: User): void {
  if (!isActive) throw new Problem('ACCOUNT_DEACTIVATED', 'This account is deactivated. Ask the operator why.');
}

const badCredentials = (): Problem =>
  new Problem('INVALID_CREDENTIALS', 'The e-mail address or the password is not right, or the address is not confirmed yet.');

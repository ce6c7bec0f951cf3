import { z } from 'zod';
import { Problem } from '#shared/base/errors.ts';
import type { Ctx } from '../loaders.ts';
import type { TokenPurpose } from '../model.ts';
import { hashSecret, newSecret } from '../secrets.ts';
import { settings } from '../settings.ts';

const MINUTE_MS = 60_000;

/** For how many minutes each kind is good. */
const LIFETIMES = {
  VERIFY_EMAIL: settings.verificationMinutes,
  RESET_PASSWORD: settings.passwordResetMinutes,
  CHANGE_EMAIL: settings.emailChangeMinutes,
  DELETE_ACCOUNT: settings.deletionMinutes,
  MFA_CHALLENGE: settings.mfaMinutes,
} satisfies Record<TokenPurpose, unknown>;

/** A token as a client hands it back; anything else cannot be one. */
export const tokenInput = () => z.string().regex(/^[\w-]{20,200}$/, 'must be a token as it was sent');

interface Order {
  userId: string;
  purpose: TokenPurpose;
  email?: string | null;
  rememberMe?: boolean;
  /** True leaves older ones of the same purpose as they are. */
  besideOthers?: boolean;
}

/** A new secret for one purpose of one user; older ones of the same purpose end. */
export async function issueToken(ctx: Ctx, { userId, purpose, email = null, rememberMe = true, besideOthers = false }: Order) {
  const secret = newSecret();
  const expiresAt = new Date(ctx.now().getTime() + (await ctx.settings.get(LIFETIMES[purpose])) * MINUTE_MS);
  if (!besideOthers) await ctx.models.Token.deleteMany({ userId, purpose });
  await ctx.models.Token.create([{ _id: hashSecret(secret), userId, purpose, email, rememberMe, expiresAt }]);
  return { secret, expiresAt };
}

/** Uses a token up; null when it is unknown, used, too old, for something else, or not for who is signed in. */
export function takeToken(ctx: Ctx, purpose: TokenPurpose, secret: string) {
  return ctx.models.Token.findOneAndDelete({
    _id: hashSecret(secret),
    purpose,
    expiresAt: { $gt: ctx.now() },
    ...(ctx.viewer && { userId: ctx.viewer.id }),
  }).lean();
}

export const badToken = (field = 'token'): Problem =>
  new Problem('INVALID_TOKEN', 'This token is not valid (any more). Ask for a new one.', { path: ['input', field] });

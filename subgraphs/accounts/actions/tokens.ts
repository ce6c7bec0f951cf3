import { z } from 'zod';
import { Problem } from '#shared/base/errors.ts';
import type { Ctx } from '../loaders.ts';
import type { TokenPurpose } from '../model.ts';
import { hashSecret, newSecret } from '../secrets.ts';

const MINUTE_MS = 60_000;

/** How long each kind is good. */
const LIFETIMES: Record<TokenPurpose, number> = {
  VERIFY_EMAIL: 24 * 60 * MINUTE_MS,
  RESET_PASSWORD: 60 * MINUTE_MS,
  CHANGE_EMAIL: 60 * MINUTE_MS,
  DELETE_ACCOUNT: 60 * MINUTE_MS,
  MFA_CHALLENGE: 5 * MINUTE_MS,
};

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
  const expiresAt = new Date(ctx.now().getTime() + LIFETIMES[purpose]);
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

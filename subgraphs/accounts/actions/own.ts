import { Problem, unauthenticated } from '#shared/base/errors.ts';
import { guess } from '../limits.ts';
import type { Ctx } from '../loaders.ts';
import type { User } from '../model.ts';
import { isRightPassword } from '../passwords.ts';

/** The viewer's own account; UNAUTHENTICATED when it is gone or closed since the access token was made. */
export async function viewerOf(ctx: Ctx): Promise<User> {
  const user = ctx.viewer && (await ctx.models.User.findOne({ _id: ctx.viewer.id, isActive: true }).lean());
  if (!user) throw unauthenticated();
  return user;
}

/** What an account forgets when somebody shows for the first time that its mailbox is theirs: another may have written it. */
export const FORGOTTEN = { addresses: [], defaultAddressId: null, phone: null, profile: [] };

/** How long ago somebody without a password may have signed in elsewhere to be taken for the same person still. */
const FRESH_MS = 10 * 60_000;

/** The password once more, before what a borrowed device must not do. Who has none shows a sign-in (with Google) of these minutes instead. */
export async function requirePassword(
  ctx: Ctx,
  { _id, passwordHash }: User,
  given: string | null | undefined,
  field = 'password',
): Promise<void> {
  if (!passwordHash) return requireFreshSignIn(ctx, _id);
  const isRight = given ? await guess(ctx, _id, async () => (await isRightPassword(passwordHash, given)) || null) : null;
  if (!isRight) throw new Problem('WRONG_PASSWORD', 'This is not your password.', { path: ['input', field] });
}

/** The access token alone may be stolen; that its session began a moment ago means that its owner was there. */
async function requireFreshSignIn(ctx: Ctx, userId: string): Promise<void> {
  const startedAt = { $gt: new Date(ctx.now().getTime() - FRESH_MS) };
  const own = { _id: ctx.viewer?.sessionId ?? '', userId, revokedAt: null, startedAt };
  if (await ctx.models.Session.exists(own)) return;
  throw new Problem('SIGN_IN_AGAIN', 'Sign in with Google once more, or choose a password with forgotPassword; then ask again.');
}

import { Problem, unauthenticated } from '../../../shared/errors.ts';
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

/** The password once more, before what a borrowed device must not do. Who has none is let through: it came in another way. */
export async function requirePassword(
  ctx: Ctx,
  { _id, passwordHash }: User,
  given: string | null | undefined,
  field = 'password',
): Promise<void> {
  if (!passwordHash) return;
  const isRight = given ? await guess(ctx, _id, async () => (await isRightPassword(passwordHash, given)) || null) : null;
  if (!isRight) throw new Problem('WRONG_PASSWORD', 'This is not your password.', { path: ['input', field] });
}

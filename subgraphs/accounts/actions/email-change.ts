import { z } from 'zod';
import { invalid, Problem } from '#shared/base/errors.ts';
import { email } from '#shared/base/input.ts';
import { isDuplicateKey } from '#shared/store/mongo.ts';
import { userProfileUpdated } from '../contract.ts';
import { askerOf, guess, mayMail } from '../limits.ts';
import type { Ctx } from '../loaders.ts';
import { messages } from '../messages.ts';
import { givenPassword } from '../passwords.ts';
import { requirePassword, viewerOf } from './own.ts';
import { badToken, issueToken, takeToken, tokenInput } from './tokens.ts';

export const RequestEmailChange = z.object({ newEmail: email(), password: givenPassword().nullish() });

/** Mails a token to the new address and a notice to the old one. A new address that somebody has already is answered just the same. */
export async function requestEmailChange(ctx: Ctx, { newEmail, password }: z.infer<typeof RequestEmailChange>) {
  const user = await viewerOf(ctx);
  if (newEmail === user.email) throw invalid(['input', 'newEmail'], 'This is your address already.');
  await requirePassword(ctx, user, password);
  const mayWrite = await mayMail(ctx, { to: newEmail, purpose: 'CHANGE_EMAIL', asker: askerOf(ctx) });
  await ctx.transaction(async (inner) => {
    const { secret } = await issueToken(inner, { userId: user._id, purpose: 'CHANGE_EMAIL', email: newEmail });
    const taken = await inner.models.User.exists({ email: newEmail });
    if (mayWrite && taken) inner.send(messages['address-in-use'], { to: newEmail, params: {} });
    if (mayWrite && !taken) inner.send(messages['email-change'], { to: newEmail, params: {}, token: secret });
    inner.send(messages['email-change-asked'], { to: user.email, params: {} });
  });
  return { accepted: true };
}

export const ConfirmEmailChange = z.object({ token: tokenInput() });

/** The second step, by the same user: the address of the account is the new one, and confirmed. */
export async function confirmEmailChange(ctx: Ctx, { token: secret }: z.infer<typeof ConfirmEmailChange>) {
  const before = await viewerOf(ctx);
  const user = await guess(ctx, before._id, () =>
    ctx.transaction(async (inner) => {
      const token = await takeToken(inner, 'CHANGE_EMAIL', secret);
      if (!token) return null;
      const changed = await inner.models.User.findOneAndUpdate(
        { _id: before._id },
        { email: token.email!, verified: true },
        { returnDocument: 'after' },
      ).lean();
      // Links that lie in the old mailbox end.
      await inner.models.Token.deleteMany({ userId: before._id });
      inner.publish(userProfileUpdated({ userId: before._id, changes: ['email'] }));
      inner.send(messages['email-changed'], { to: before.email, params: {} });
      return changed;
    }),
  ).catch((error: unknown) => {
    if (isDuplicateKey(error)) throw new Problem('EMAIL_TAKEN', 'Another account has this address.', { path: ['input', 'token'] });
    throw error;
  });
  if (!user) throw badToken();
  return { user };
}

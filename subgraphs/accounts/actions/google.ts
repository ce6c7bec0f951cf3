import { z } from 'zod';
import { Problem } from '#shared/base/errors.ts';
import { email, text } from '#shared/base/input.ts';
import { isDuplicateKey } from '#shared/store/mongo.ts';
import { userProfileUpdated } from '../contract.ts';
import type { Ctx } from '../loaders.ts';
import { messages } from '../messages.ts';
import type { User } from '../model.ts';
import type { Google, Person } from '../providers/google.ts';
import { hashSecret, newSecret } from '../secrets.ts';
import { challenge, refuseDeactivated, signIn } from './login.ts';
import { FORGOTTEN } from './own.ts';
import { createUser } from './register.ts';
import { endingSessions, endSessions } from './sessions.ts';
import { tokenInput } from './tokens.ts';

const FLOW_MS = 10 * 60_000;

export const GoogleAuthUrl = z.object({ loginHint: email().nullish() });

/** Where to send the browser, and the secret with which only this client can finish: a code that somebody else brings opens nothing. */
export async function googleAuthUrl(ctx: Ctx, { loginHint }: z.infer<typeof GoogleAuthUrl>) {
  const flowToken = newSecret();
  const { flow, url } = await requireGoogle(ctx).newFlow(hashSecret(flowToken), loginHint ?? undefined);
  const expiresAt = new Date(ctx.now().getTime() + FLOW_MS);
  await ctx.models.SignInFlow.create([{ _id: flow.state, nonce: flow.nonce, codeVerifier: flow.codeVerifier, expiresAt }]);
  return { url, flowToken, expiresAt };
}

export const GoogleOAuth = z.object({
  code: z.string().min(1).max(2_000),
  state: z.string().max(200),
  flowToken: tokenInput(),
  iss: z.string().max(200).nullish(),
  rememberMe: z
    .boolean()
    .nullish()
    .transform((value) => value ?? true),
});

/** Signs in whom Google vouches for: the account that is linked, the one with that confirmed address, or a new one. */
export async function googleOAuth(ctx: Ctx, { code, state, flowToken, iss, rememberMe }: z.infer<typeof GoogleOAuth>) {
  const google = requireGoogle(ctx);
  const flow =
    hashSecret(flowToken) === state
      ? await ctx.models.SignInFlow.findOneAndDelete({ _id: state, expiresAt: { $gt: ctx.now() } }).lean()
      : null;
  if (!flow)
    throw new Problem('GOOGLE_SIGN_IN_FAILED', 'This sign-in was not begun here, or took too long. Begin again.', {
      path: ['input', 'state'],
    });
  const person = await google.identify(
    { state, nonce: flow.nonce, codeVerifier: flow.codeVerifier },
    { code, state, iss: iss ?? undefined },
  );
  const user = await accountOf(ctx, person);
  refuseDeactivated(user);
  return user.mfa.enabledAt ? challenge(ctx, user, rememberMe) : signIn(ctx, user, rememberMe);
}

async function accountOf(ctx: Ctx, person: Person): Promise<User> {
  const linked = await ctx.models.User.findOne({ googleSubject: person.subject }).lean();
  if (linked) return linked;
  const address = email().safeParse(person.email);
  // Anybody can type any address at Google; only one that Google has confirmed says whose account it is.
  if (!address.success || !person.emailVerified) {
    throw new Problem('GOOGLE_EMAIL_NOT_VERIFIED', 'Google has not confirmed the address of this account.', { path: ['input', 'code'] });
  }
  const join = (): Promise<User> => linkOrCreate(ctx, person, address.data);
  // Two at the same time: the second finds what the first made.
  return join().catch((error: unknown) => (isDuplicateKey(error) ? join() : Promise.reject(error as Error)));
}

function linkOrCreate(ctx: Ctx, { subject, name }: Person, address: string): Promise<User> {
  return endingSessions(ctx, async (inner) => {
    const known = await inner.models.User.findOne({ email: address }).lean();
    if (!known) {
      const called = text({ min: 1, max: 100 }).safeParse(name);
      const fresh = { email: address, name: called.success ? called.data : address.split('@')[0]!, googleSubject: subject, verified: true };
      return { ended: [], answer: await createUser(inner, { ...fresh, roles: ['customer'] }) };
    }
    refuseDeactivated(known);
    if (known.googleSubject === subject) return { ended: [], answer: known };
    if (known.googleSubject)
      throw new Problem('GOOGLE_SIGN_IN_FAILED', 'This account is linked to another Google account.', { path: ['input', 'code'] });
    // Whoever made an account that was never confirmed may have been somebody else: that one loses its way in.
    const wasProven = known.verified;
    const change = wasProven
      ? { googleSubject: subject }
      : { googleSubject: subject, verified: true, passwordHash: null, mfa: {}, ...FORGOTTEN };
    const user = await inner.models.User.findOneAndUpdate({ _id: known._id }, change, { returnDocument: 'after' }).lean();
    inner.publish(userProfileUpdated({ userId: known._id, changes: ['google'] }));
    inner.send(messages['google-linked'], { to: address, params: {} });
    return { ended: wasProven ? [] : await endSessions(inner, { userId: known._id }, 'REVOKED'), answer: user! };
  });
}

function requireGoogle({ providers }: Ctx): Google {
  if (!providers.google) throw new Problem('GOOGLE_NOT_CONFIGURED', 'Sign-in with Google is not set up here.');
  return providers.google;
}

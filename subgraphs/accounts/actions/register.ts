import { z } from 'zod';
import { newId } from '#shared/base/ids.ts';
import { email, idempotencyKey, phone, text } from '#shared/base/input.ts';
import { isDuplicateKey } from '#shared/store/mongo.ts';
import { textKey } from '#shared/base/text.ts';
import { accountMailAsked, userProfileUpdated, userRegistered } from '../contract.ts';
import { askerOf, countRegistration, guess, mayMail, sendCounted } from '../limits.ts';
import type { Ctx } from '../loaders.ts';
import { messages } from '../messages.ts';
import type { User } from '../model.ts';
import { hashPassword, newPassword, refuseWeak } from '../passwords.ts';
import { foremost, ROLES, type Role } from '../roles.ts';
import { addressFields, embedded } from './addresses.ts';
import { locale } from './profile.ts';
import { badToken, issueToken, takeToken, tokenInput } from './tokens.ts';

const name = text({ min: 1, max: 100 });

export const Register = z.object({
  email: email(),
  password: newPassword(),
  name,
  phone: phone().nullish(),
  locale: locale().nullish(),
  idempotencyKey: idempotencyKey().optional(),
});

/**
 * Makes an account and mails the link that confirms the address. Where the address has an account already, the answer is the same and its
 * owner gets a mail that says so.
 */
export async function register(ctx: Ctx, input: z.infer<typeof Register>) {
  refuseWeak(input.password, input);
  await countRegistration(ctx);
  const passwordHash = await hashPassword(input.password);
  const mayWrite = await mayMail(ctx, { to: input.email, purpose: 'REGISTER', asker: askerOf(ctx) });
  const person = { email: input.email, name: input.name, phone: input.phone ?? null, locale: input.locale ?? null, passwordHash };
  await ctx
    .transaction(async (inner) => {
      const known = await inner.models.User.findOne({ email: input.email }).lean();
      await (known ? tellOwner(inner, known, mayWrite) : admit(inner, person, mayWrite));
    })
    .catch(async (error: unknown) => {
      // Two at the same time: the other one made it.
      if (!isDuplicateKey(error)) throw error;
      await ctx.transaction(async (inner) => {
        const winner = await inner.models.User.findOne({ email: input.email }).lean();
        if (winner) await tellOwner(inner, winner, mayWrite);
      });
    });
  return { accepted: true };
}

async function admit(ctx: Ctx, person: Partial<User> & { email: string; name: string }, mayWrite: boolean): Promise<void> {
  const user = await createUser(ctx, { ...person, roles: ['customer'] });
  if (mayWrite) await mailVerification(ctx, user);
}

/** Takes as long as making an account, also when nothing is mailed. */
async function tellOwner(ctx: Ctx, user: User, mayWrite: boolean): Promise<void> {
  if (mayWrite) return mailReset(ctx, user, 'already-registered');
  await issueToken(ctx, { userId: user._id, purpose: 'RESET_PASSWORD', besideOthers: true });
  ctx.publish(mailAsked(ctx, user.email, 'RESET_PASSWORD', true));
}

/** Writes the row and tells the world, in the running transaction. */
export async function createUser(ctx: Ctx, person: Partial<User> & { email: string; name: string; roles: Role[] }): Promise<User> {
  const [user] = await ctx.models.User.create([{ ...person, searchName: textKey(person.name) }]);
  const { _id: userId, email: address, roles } = user!;
  ctx.publish(userRegistered({ userId, email: address, role: foremost(roles), roles }));
  return user!.toObject();
}

async function mailVerification(ctx: Ctx, { _id: userId, email: to }: User): Promise<void> {
  const { secret } = await issueToken(ctx, { userId, purpose: 'VERIFY_EMAIL', email: to });
  ctx.send(messages['verify-email'], { to, params: {}, token: secret });
}

export const RequestEmailVerification = z.object({ email: email() });

/** Whether there is somebody to confirm is found out later, so that nothing in the answer depends on it. */
export async function requestEmailVerification(ctx: Ctx, input: z.infer<typeof RequestEmailVerification>) {
  return askForMail(ctx, input.email, 'VERIFY_EMAIL');
}

type About = 'VERIFY_EMAIL' | 'RESET_PASSWORD';

/** The half of `requestEmailVerification` and `forgotPassword` that is answered: the same work whoever is asked about. */
export async function askForMail(ctx: Ctx, address: string, about: About) {
  await ctx.transaction(async (inner) => inner.publish(mailAsked(ctx, address, about)));
  return { accepted: true };
}

function mailAsked(ctx: Ctx, address: string, about: About, silent = false) {
  const asker = askerOf(ctx);
  return accountMailAsked({
    email: address,
    about,
    silent,
    askId: newId('ask'),
    ...(asker && { asker }),
  });
}

interface MailAsked {
  email: string;
  about: About;
  silent: boolean;
  asker?: string | undefined;
  askId?: string | undefined;
}

/** The half that nobody waits for. A mail is counted here, where it is sent: who only asks, spends nothing of the address. */
export async function answerMailAsked(ctx: Ctx, { email: address, about, silent, asker, askId }: MailAsked): Promise<void> {
  if (silent) return;
  const user = await ctx.models.User.findOne({ email: address, isActive: true }).lean();
  if (!user || (about === 'VERIFY_EMAIL' && user.verified)) return;
  const send = () => (about === 'VERIFY_EMAIL' ? mailVerification(ctx, user) : mailReset(ctx, user, 'reset-password'));
  await sendCounted(ctx, { to: address, purpose: about, asker, askId }, send);
}

async function mailReset(ctx: Ctx, { _id: userId, email: to }: User, template: 'reset-password' | 'already-registered'): Promise<void> {
  const { secret } = await issueToken(ctx, { userId, purpose: 'RESET_PASSWORD' });
  ctx.send(messages[template], { to, params: {}, token: secret });
}

export const VerifyEmail = z.object({ token: tokenInput() });

/** Confirms the address the token was mailed to, unless it was changed since. */
export async function verifyEmail(ctx: Ctx, { token: secret }: z.infer<typeof VerifyEmail>) {
  const user = await guess(ctx, ctx.viewer?.id, () =>
    ctx.transaction(async (inner) => {
      const token = await takeToken(inner, 'VERIFY_EMAIL', secret);
      if (!token) return null;
      const found = await inner.models.User.findOneAndUpdate(
        { _id: token.userId, email: token.email! },
        { verified: true },
        { returnDocument: 'after' },
      ).lean();
      if (found) inner.publish(userProfileUpdated({ userId: found._id, changes: ['verified'] }));
      return found;
    }),
  );
  if (!user) throw badToken();
  return { verified: true };
}

export const SeedAccount = z.object({
  email: email(),
  password: newPassword(),
  name,
  phone: phone().nullish(),
  locale: locale().nullish(),
  roles: z.array(z.enum(ROLES)).min(1).default(['customer']),
  scopes: z.array(z.string()).default([]),
  addresses: z.array(addressFields).default([]),
});

/**
 * An account that is confirmed and has roles from the start; an address that is taken answers its account unchanged. No door of the graph
 * leads here: it is for who runs the process (the first admin, the demo).
 */
export async function seedAccount(ctx: Ctx, wanted: z.input<typeof SeedAccount>): Promise<{ user: User; isNew: boolean }> {
  const { password, addresses, ...person } = SeedAccount.parse(wanted);
  const known = await ctx.models.User.findOne({ email: person.email }).lean();
  if (known) return { user: known, isNew: false };
  const passwordHash = await hashPassword(password);
  const rows = addresses.map((address) => embedded(address, ctx.now()));
  const defaultAddressId = rows[0]?._id ?? null;
  const user = await ctx.transaction((inner) =>
    createUser(inner, { ...person, passwordHash, addresses: rows as never, defaultAddressId, verified: true }),
  );
  return { user, isNew: true };
}

import { z } from 'zod';
import { defineCommand } from '#shared/kit/define-command.ts';
import { defineEvent } from '#shared/kit/define-event.ts';

const timestamp = z.iso.datetime();
const userId = z.string();
const key = (event: { userId: string }): string => event.userId;

/** Somebody has an account now; `role` is the one of its `roles` that opens most. */
export const userRegistered = defineEvent(
  'User.Registered',
  z.object({ userId, email: z.string(), role: z.string(), roles: z.array(z.string()).optional(), timestamp }),
  { key },
);

/** `changes` names the fields, never their values. */
export const userProfileUpdated = defineEvent('User.ProfileUpdated', z.object({ userId, changes: z.array(z.string()), timestamp }), {
  key,
});

/** The account is gone and what it knew of the person with it; who keeps personal data of theirs removes it now. */
export const userDeleted = defineEvent('User.Deleted', z.object({ userId, timestamp }), { key });

/**
 * Somebody asked for a mail to an address. Heard by its own subgraph: whether there is an account is nothing the asker's answer may depend
 * on. `silent`: nothing is to be sent, whoever lives there. `asker`: whose mails are counted together.
 */
export const accountMailAsked = defineEvent(
  'Account.MailAsked',
  z.object({
    email: z.string(),
    about: z.enum(['VERIFY_EMAIL', 'RESET_PASSWORD']),
    silent: z.boolean(),
    asker: z.string().optional(),
    /** Of this request for a mail; the same each time it is tried. */
    askId: z.string().optional(),
    timestamp,
  }),
);

const Account = z.object({
  id: userId,
  name: z.string(),
  email: z.string(),
  emailVerified: z.boolean(),
  roles: z.array(z.string()),
  isActive: z.boolean(),
});

/** The accounts that exist among these ids, in any order. At most 100. */
export const findAccounts = defineCommand('accounts', 'findAccounts', {
  input: z.object({ ids: z.array(userId).max(100) }),
  output: z.object({ accounts: z.array(Account) }),
});

const AddressCopy = z.object({
  recipient: z.string(),
  phone: z.string(),
  line1: z.string(),
  line2: z.string().nullable(),
  city: z.string(),
  region: z.string().nullable(),
  postalCode: z.string().nullable(),
  country: z.string(),
  location: z.object({ longitude: z.number(), latitude: z.number() }).nullable(),
});

/** One address of a user, to be copied where it must not change any more; null when the user has none with this id. Without id: the default one. */
export const findAddress = defineCommand('accounts', 'findAddress', {
  input: z.object({ userId, addressId: z.string().optional() }),
  output: z.object({ address: AddressCopy.nullable() }),
});

import { isProblem } from '#shared/base/errors.ts';
import { networkOf } from '#shared/base/network.ts';
import { defineLimit } from '#shared/limits/define-limit.ts';
import type { Taken } from '#shared/limits/limits.ts';
import { USER_AGENT_LENGTH } from './devices.ts';
import type { Ctx } from './loaders.ts';
import { hashSecret } from './secrets.ts';
import { settings } from './settings.ts';

/*
 * Whoever spends the guesses of an account locks strangers out, not the devices that signed in before: each of those has as many of its own.
 * An address that has no account is counted just the same.
 */

const failures = { windowSeconds: 15 * 60, count: 'FAILURES' } as const;
const HOUR_SECONDS = 3_600;

const perAccount = defineLimit('guesses', { points: settings.failedAttempts, ...failures });
const perDevice = defineLimit('guesses-device', { points: settings.failedAttempts, ...failures });
const perIp = defineLimit('guesses-ip', { points: settings.failedAttemptsPerIp, ...failures });
/** Beyond its limit a network address may guess at accounts where nobody guessed wrong of late: thousands share one address. */
const perIpSpare = defineLimit('guesses-ip-spare', { points: settings.failedAttemptsPerIp, times: 5, ...failures });
/** In an hour, so that neither the reader's mailbox fills nor one network address spends all that a mailbox may get. */
const registrations = defineLimit('registrations-ip', { points: settings.registrationsPerIp, windowSeconds: HOUR_SECONDS });
const mails = defineLimit('mails', { points: settings.mailsPerAddress, windowSeconds: HOUR_SECONDS });
const mailsOfAsker = defineLimit('mails-asker', { points: settings.mailsPerAsker, windowSeconds: HOUR_SECONDS });

/** Whose guesses are counted together: an account, or an address that has none (it is locked just the same). */
export const guessedAt = (user: { _id: string } | null, email = ''): string => (user ? user._id : hashSecret(email));

/**
 * Evaluates one guess (null = wrong) if the account and the network address have one left; RATE_LIMITED otherwise, without looking at it.
 * Only wrong ones stay counted, so nobody is locked out by being right often, and a right one does not wipe out wrong ones.
 */
export async function guess<T>(ctx: Ctx, account: string | undefined, evaluate: () => Promise<T | null>): Promise<T | null> {
  const device = await knownDevice(ctx, account);
  const atAddress = await takeAtAddress(ctx, account, device);
  const atAccount = await takeAtAccount(ctx, account, device).catch(async (error: unknown) => {
    await atAddress?.giveBack();
    throw error;
  });
  return ctx.limits.evaluate([atAddress, atAccount], evaluate);
}

const isSpent = (error: unknown): boolean => isProblem(error) && error.code === 'RATE_LIMITED';

/** One guess of the network address; beyond its limit a spare one, at an account where nobody guessed wrong; none from a known device. */
async function takeAtAddress(ctx: Ctx, account: string | undefined, device: string | undefined): Promise<Taken | undefined> {
  const key = networkOf(ctx.identity.client?.ip);
  if (!key) return undefined;
  try {
    return await ctx.limits.take(perIp, key);
  } catch (error) {
    if (!isSpent(error)) throw error;
    if (device) return undefined;
    if (account && (await ctx.limits.used(perAccount, account)) > 0) throw error;
    return ctx.limits.take(perIpSpare, key);
  }
}

/** One guess of the account; when strangers have used them up, one of the device's own. Right guesses under way are waited for. */
async function takeAtAccount(ctx: Ctx, account: string | undefined, device: string | undefined): Promise<Taken | undefined> {
  if (!account) return undefined;
  try {
    return await ctx.limits.take(perAccount, account, { waits: !device });
  } catch (error) {
    if (!device || !isSpent(error)) throw error;
    return ctx.limits.take(perDevice, device, { waits: true });
  }
}

/**
 * The device that asks, if it signed in to this account before and was not signed out since by somebody else: the same network address and
 * the same program. Either alone is shared by thousands. Both can be had by who sits behind the same address, so this keeps strangers elsewhere from
 * locking the owner out, not a neighbour: a secret of the device would. Undefined for all others.
 */
async function knownDevice(ctx: Ctx, account: string | undefined): Promise<string | undefined> {
  const { ip, userAgent } = ctx.identity.client ?? {};
  if (!account || !ip || !userAgent) return undefined;
  const seen = { userId: account, ip, userAgent: userAgent.slice(0, USER_AGENT_LENGTH), revokedBecause: { $in: [null, 'LOGOUT'] } };
  const session = await ctx.models.Session.findOne(seen, { _id: 1 }).lean();
  return session ? hashSecret([account, ip, userAgent].join('\n')) : undefined;
}

/** RATE_LIMITED when too many accounts were made from one network address. */
export async function countRegistration(ctx: Ctx): Promise<void> {
  const network = networkOf(ctx.identity.client?.ip);
  if (network) await ctx.limits.consume(registrations, network);
}

/** Who asks for a mail, as it is counted: an event that is kept names no network address. Undefined when that is not known. */
export function askerOf({ identity }: Ctx): string | undefined {
  const network = networkOf(identity.client?.ip);
  return network && hashSecret(network);
}

export interface CountedMail {
  to: string;
  /** Each purpose has a count of its own: whoever spends the confirmations keeps nobody from a new password. */
  purpose: 'REGISTER' | 'VERIFY_EMAIL' | 'RESET_PASSWORD' | 'CHANGE_EMAIL';
  asker?: string | undefined;
  /** Of the request for it: a transaction that is tried again counts once. */
  askId?: string | undefined;
}

/**
 * Counts a mail that is about to be sent; false when the address got enough of them for now, or enough on behalf of this asker. The asker is
 * not told: that would say whether anybody reads them.
 */
export async function mayMail(ctx: Ctx, { to, purpose, asker }: CountedMail): Promise<boolean> {
  const key = hashSecret(`${purpose} ${to}`);
  try {
    if (asker) await ctx.limits.consume(mailsOfAsker, `${key} ${asker}`);
    await ctx.limits.consume(mails, key);
    return true;
  } catch (error) {
    if (isSpent(error)) return false;
    throw error;
  }
}

const COUNTED_SECONDS = 3_600;

/** Sends a mail, if the address may get one more. Its transaction may be tried again, so the count is remembered by the request's id. */
export async function sendCounted(ctx: Ctx, mail: CountedMail, send: () => Promise<void>): Promise<void> {
  const counted = mail.askId && `${ctx.redisPrefix}:${ctx.subgraph}:mail-counted:${mail.askId}`;
  const isCounted = counted && (await ctx.redis.exists(counted).catch(() => 0)) > 0;
  if (!isCounted && !(await mayMail(ctx, mail))) return;
  if (counted && !isCounted) await ctx.redis.set(counted, '1', 'EX', COUNTED_SECONDS).catch(() => undefined);
  await send();
}

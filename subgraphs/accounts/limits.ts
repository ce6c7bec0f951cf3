import { setTimeout as delay } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { RateLimiterMemory, RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible';
import { isProblem, Problem, unavailable } from '#shared/base/errors.ts';
import { networkOf } from '#shared/base/network.ts';
import { createPlaces } from '#shared/base/quota.ts';
import type { Ctx } from './loaders.ts';
import { USER_AGENT_LENGTH } from './devices.ts';
import { hashSecret } from './secrets.ts';

/**
 * Wrong guesses an account bears in the window, whatever they were made at: password, code, token. Whoever spends them locks strangers out, not
 * the devices that signed in before: each of those has as many of its own.
 */
const GUESSES_PER_ACCOUNT = 10;
/** How many times its limit a network address may guess at accounts where nobody guessed wrong of late: thousands share one address. */
const FALLBACK_SHARE = 5;
const GUESS_WINDOW_SECONDS = 15 * 60;
/** Mails of one purpose to an address in an hour; fewer of them on behalf of one network address, so that nobody alone spends them all. */
const MAILS_PER_ADDRESS = 5;
const MAILS_PER_ASKER = 3;
const HOUR_SECONDS = 3_600;
/** Without Redis each process counts for itself, so it allows less. */
const INSURED_SHARE = 0.5;
/** Right guesses under way take places too: whoever finds none waits a little for one, if not too many do. */
const WAITS = 5;
const MOST_WAITING = 32;
const MOST_WAITING_EACH = 5;
const WAIT_MS = 100;

interface Limits {
  account: RateLimiterRedis;
  device: RateLimiterRedis;
  ip: RateLimiterRedis;
  spare: RateLimiterRedis;
  registrations: RateLimiterRedis;
  mails: RateLimiterRedis;
  mailsOfAsker: RateLimiterRedis;
}

const opened = new WeakMap<Redis, Limits>();

/** Once for each connection of the process: what the insurance counts must outlive a request. */
function limitsOf({ redis, redisPrefix, providers }: Ctx): Limits {
  const limiter = (name: string, points: number, duration: number) =>
    new RateLimiterRedis({
      storeClient: redis,
      keyPrefix: `${redisPrefix}:accounts:${name}`,
      points,
      duration,
      rejectIfRedisNotReady: true,
      insuranceLimiter: new RateLimiterMemory({ points: Math.ceil(points * INSURED_SHARE), duration }),
    });
  let limits = opened.get(redis);
  if (!limits) {
    limits = {
      account: limiter('guesses', GUESSES_PER_ACCOUNT, GUESS_WINDOW_SECONDS),
      device: limiter('guesses-device', GUESSES_PER_ACCOUNT, GUESS_WINDOW_SECONDS),
      ip: limiter('guesses-ip', providers.settings.failedAttemptsPerIp, GUESS_WINDOW_SECONDS),
      spare: limiter('guesses-ip-spare', providers.settings.failedAttemptsPerIp * FALLBACK_SHARE, GUESS_WINDOW_SECONDS),
      registrations: limiter('registrations-ip', providers.settings.registrationsPerIp, HOUR_SECONDS),
      mails: limiter('mails', MAILS_PER_ADDRESS, HOUR_SECONDS),
      mailsOfAsker: limiter('mails-asker', MAILS_PER_ASKER, HOUR_SECONDS),
    };
    opened.set(redis, limits);
  }
  return limits;
}

/** Whose guesses are counted together: an account, or an address that has none (it is locked just the same). */
export const guessedAt = (user: { _id: string } | null, email = ''): string => (user ? user._id : hashSecret(email));

/**
 * Evaluates one guess (null = wrong) if the account and the network address have one left; RATE_LIMITED otherwise, without looking at it.
 * Only wrong ones stay counted, so nobody is locked out by being right often, and a right one does not wipe out wrong ones.
 */
export async function guess<T>(ctx: Ctx, account: string | undefined, evaluate: () => Promise<T | null>): Promise<T | null> {
  const device = await knownDevice(ctx, account);
  const places = [await takeAtAddress(ctx, account, device)];
  const giveBack = async (): Promise<void> => {
    for (const place of places) if (place) await place.limiter.reward(place.key);
  };
  try {
    places.push(await takeAtAccount(ctx, account, device));
  } catch (error) {
    await giveBack();
    throw error;
  }
  try {
    const result = await evaluate();
    if (result !== null) await giveBack();
    return result;
  } catch (error) {
    // Right, but refused for another reason.
    if (isProblem(error)) await giveBack();
    throw error;
  }
}

interface Place {
  limiter: RateLimiterRedis;
  key: string;
}

/** One guess of the network address; beyond its limit a spare one, at an account where nobody guessed wrong; none from a known device. */
async function takeAtAddress(ctx: Ctx, account: string | undefined, device: string | undefined): Promise<Place | undefined> {
  const key = networkOf(ctx.identity.client?.ip);
  if (!key) return undefined;
  const { ip, spare, account: perAccount } = limitsOf(ctx);
  try {
    await take(ip, key, 0);
    return { limiter: ip, key };
  } catch (error) {
    if (!isProblem(error) || error.code !== 'RATE_LIMITED') throw error;
    if (device) return undefined;
    const failed = account ? await perAccount.get(account) : null;
    if (failed && failed.consumedPoints > 0) throw error;
    await take(spare, key, 0);
    return { limiter: spare, key };
  }
}

/** One guess of the account; when strangers have used them up, one of the device's own. */
async function takeAtAccount(ctx: Ctx, account: string | undefined, device: string | undefined): Promise<Place | undefined> {
  if (!account) return undefined;
  const { account: limiter, device: perDevice } = limitsOf(ctx);
  try {
    await take(limiter, account, device ? 0 : WAITS);
    return { limiter, key: account };
  } catch (error) {
    if (!device || !isProblem(error) || error.code !== 'RATE_LIMITED') throw error;
    await take(perDevice, device, WAITS);
    return { limiter: perDevice, key: device };
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
  if (network) await take(limitsOf(ctx).registrations, network, 0);
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
export async function mayMail(ctx: Ctx, mail: CountedMail): Promise<boolean> {
  try {
    for (const { limiter, key } of placesOf(ctx, mail)) await limiter.consume(key);
    return true;
  } catch (error) {
    if (error instanceof RateLimiterRes) return false;
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

function placesOf(ctx: Ctx, { to, purpose, asker }: CountedMail): Place[] {
  const { mails, mailsOfAsker } = limitsOf(ctx);
  const key = hashSecret(`${purpose} ${to}`);
  return [...(asker ? [{ limiter: mailsOfAsker, key: `${key} ${asker}` }] : []), { limiter: mails, key }];
}

/** Waits for a place cost one of the few requests that run at a time: strangers who ask for a locked account must not have them all. */
const waiting = createPlaces(MOST_WAITING_EACH);
let waitingInAll = 0;

async function take(limiter: RateLimiterRedis, key: string, waits: number): Promise<void> {
  let stop: (() => void) | undefined;
  try {
    for (let wait = 0; ; wait += 1) {
      const error = await consumed(limiter, key);
      if (!error) return;
      if (wait === 0 && waits > 0 && waitingInAll < MOST_WAITING) {
        const free = waiting.take(key);
        if (free) waitingInAll += 1;
        stop = free && (() => void (free(), (waitingInAll -= 1)));
      }
      if (wait === waits || !stop) throw tooMany(error.msBeforeNext);
      await delay(WAIT_MS * (1 + Math.random()));
    }
  } finally {
    stop?.();
  }
}

/** Undefined when there was a place; nothing is evaluated without one, so nothing is counted then. */
async function consumed(limiter: RateLimiterRedis, key: string): Promise<RateLimiterRes | undefined> {
  try {
    await limiter.consume(key);
    return undefined;
  } catch (error) {
    if (!(error instanceof RateLimiterRes)) throw unavailable('limit of guesses', error);
    await limiter.reward(key);
    return error;
  }
}

const tooMany = (ms: number): Problem =>
  new Problem('RATE_LIMITED', 'Too many attempts. Try again later.', {
    retryable: true,
    retryAfterSeconds: Math.max(1, Math.ceil(ms / 1_000)),
  });

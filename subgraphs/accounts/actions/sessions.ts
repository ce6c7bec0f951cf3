import { z } from 'zod';
import { notFound, Problem, unauthenticated } from '#shared/base/errors.ts';
import type { Ctx } from '../loaders.ts';
import { USER_AGENT_LENGTH } from '../devices.ts';
import type { Session, User } from '../model.ts';
import { hashSecret, newSecret } from '../secrets.ts';
import { MAX_ACCESS_TOKEN_MINUTES, settings } from '../settings.ts';

/** A user as its owner may see it, though the request itself came from nobody: it proved who it is just now. */
export type Proven = User & { isProven?: true };

interface Opened {
  user: User;
  session: Session;
  refreshToken: string;
}

type Because = 'LOGOUT' | 'REVOKED' | 'REUSED' | 'PASSWORD_CHANGED' | 'ROLES_CHANGED' | 'DEACTIVATED' | 'DELETED';

const HOUR_MS = 3_600_000;
const SHORT_SESSION_MS = 24 * HOUR_MS;
/** No access token lives longer, whatever the setting was when it was issued. */
const LONGEST_TOKEN_MS = MAX_ACCESS_TOKEN_MINUTES * 60_000;
const MAX_TOKENS = 200;

/** Begins a session on the device that asks, inside a transaction that has written the user. */
export async function openSession(ctx: Ctx, user: User, rememberMe: boolean): Promise<Opened> {
  const now = ctx.now();
  const refreshMs = (await ctx.settings.get(settings.refreshTokenHours)) * HOUR_MS;
  const lifetimeMs = rememberMe ? refreshMs : Math.min(refreshMs, SHORT_SESSION_MS);
  const { ip } = ctx.identity.client ?? {};
  const [session] = await ctx.models.Session.create([
    {
      userId: user._id,
      ip: ip ?? null,
      userAgent: programOf(ctx),
      lifetimeMs,
      startedAt: now,
      lastUsedAt: now,
      expiresAt: new Date(now.getTime() + lifetimeMs),
    },
  ]);
  const refreshToken = await issueRefreshToken(ctx, session!);
  return { user, session: session!.toObject(), refreshToken };
}

/** What a client gets that has just signed in or refreshed. */
export async function grant(ctx: Ctx, { user, session, refreshToken }: Opened) {
  const { _id: userId, roles, scopes } = user;
  const minutes = await ctx.settings.get(settings.accessTokenMinutes);
  const access = await ctx.providers.accessTokens.sign({ userId, roles, scopes, sessionId: session._id }, { now: ctx.now(), minutes });
  const proven: Proven = { ...user, isProven: true };
  return { ...access, refreshToken, refreshTokenExpiresAt: session.expiresAt, session: { ...session, isCurrent: true }, user: proven };
}

export const RefreshSession = z.object({ refreshToken: z.string().max(MAX_TOKENS) });

/**
 * Exchanges a refresh token for a new pair. Each is good once: one that comes a second time is in two hands, so the whole session ends. For a
 * short grace the newest used one is answered with the same successor again, since tabs of one browser refresh at the same time. There is
 * never a second line of tokens beside the first, so a thief who comes within the grace is found out at the next exchange.
 */
export async function refreshSession(ctx: Ctx, { refreshToken }: z.infer<typeof RefreshSession>) {
  const outcome = await endingSessions(ctx, async (inner) => {
    const opened = (await rotate(inner, refreshToken)) ?? (await repeat(inner, refreshToken));
    if (opened) return { ended: [], answer: opened };
    // Not thrown in here: that would undo the end of the session.
    return { ended: await endFamily(inner, refreshToken), answer: null };
  });
  if (!outcome) throw new Problem('INVALID_REFRESH_TOKEN', 'The session has ended. Sign in again.', { path: ['input', 'refreshToken'] });
  return grant(ctx, outcome);
}

async function rotate(ctx: Ctx, refreshToken: string): Promise<Opened | null> {
  const now = ctx.now();
  const { RefreshToken, Session: Sessions, User: Users } = ctx.models;
  const _id = hashSecret(refreshToken);
  const token = await RefreshToken.findOneAndUpdate({ _id, usedAt: null, expiresAt: { $gt: now } }, { usedAt: now }).lean();
  if (!token) return null;
  const current = await Sessions.findOne({ _id: token.sessionId, revokedAt: null }).lean();
  if (!current) return null;
  const session = await Sessions.findOneAndUpdate(
    { _id: current._id, revokedAt: null },
    { lastUsedAt: now, expiresAt: new Date(now.getTime() + current.lifetimeMs), ...deviceOf(ctx) },
    { returnDocument: 'after' },
  ).lean();
  const user = session && (await Users.findOne({ _id: session.userId, isActive: true }).lean());
  return user && { user, session, refreshToken: await issueRefreshToken(ctx, session, ctx.providers.successorOf(refreshToken)) };
}

/**
 * What `rotate` gave for this token a moment ago, as long as nobody has used it; for the program that got it alone. Its network address may
 * be another one: answers are lost when a phone changes its network.
 */
async function repeat(ctx: Ctx, refreshToken: string): Promise<Opened | null> {
  const now = ctx.now();
  const { RefreshToken, Session: Sessions, User: Users } = ctx.models;
  const graceBegan = new Date(now.getTime() - (await ctx.settings.get(settings.refreshGraceSeconds)) * 1_000);
  if (!(await RefreshToken.exists({ _id: hashSecret(refreshToken), usedAt: { $gt: graceBegan } }))) return null;
  const next = ctx.providers.successorOf(refreshToken);
  const successor = await RefreshToken.findOne({ _id: hashSecret(next), usedAt: null, expiresAt: { $gt: now } }).lean();
  const session = successor && (await Sessions.findOne({ _id: successor.sessionId, revokedAt: null, userAgent: programOf(ctx) }).lean());
  const user = session && (await Users.findOne({ _id: session.userId, isActive: true }).lean());
  return user && { user, session, refreshToken: next };
}

/** Ends the session whose used token came again. An unknown token belongs to none. */
async function endFamily(ctx: Ctx, refreshToken: string): Promise<string[]> {
  const token = await ctx.models.RefreshToken.findOne({ _id: hashSecret(refreshToken), usedAt: { $ne: null } }).lean();
  return token ? endSessions(ctx, { _id: token.sessionId }, 'REUSED') : [];
}

async function issueRefreshToken(ctx: Ctx, session: Pick<Session, '_id' | 'expiresAt'>, secret = newSecret()): Promise<string> {
  await ctx.models.RefreshToken.create([{ _id: hashSecret(secret), sessionId: session._id, expiresAt: session.expiresAt }]);
  return secret;
}

const programOf = ({ identity }: Ctx): string | null => identity.client?.userAgent?.slice(0, USER_AGENT_LENGTH) ?? null;

/** Where a device is now; what a request does not say stays as it was. */
function deviceOf({ identity }: Ctx) {
  const { ip, userAgent } = identity.client ?? {};
  return { ...(ip && { ip }), ...(userAgent && { userAgent: userAgent.slice(0, USER_AGENT_LENGTH) }) };
}

export const Logout = z.object({ refreshToken: z.string().max(MAX_TOKENS).nullish(), everywhere: z.boolean().nullish() });

/** Ends the session of the access token or of the refresh token. Doing it twice is the same as doing it once. */
export async function logout(ctx: Ctx, { refreshToken, everywhere }: z.infer<typeof Logout>) {
  await endingSessions(ctx, async (inner) => {
    const own = await sessionOf(inner, refreshToken);
    const filter = everywhere ? { userId: own.userId } : { _id: own.id, userId: own.userId };
    return { ended: await endSessions(inner, filter, 'LOGOUT'), answer: null };
  });
  return { loggedOut: true };
}

async function sessionOf(ctx: Ctx, refreshToken: string | null | undefined): Promise<{ id: string; userId: string }> {
  if (refreshToken) {
    const token = await ctx.models.RefreshToken.findById(hashSecret(refreshToken)).lean();
    const session = token && (await ctx.models.Session.findById(token.sessionId).lean());
    if (session) return { id: session._id, userId: session.userId };
  } else if (ctx.viewer?.sessionId) {
    return { id: ctx.viewer.sessionId, userId: ctx.viewer.id };
  }
  throw refreshToken
    ? new Problem('INVALID_REFRESH_TOKEN', 'There is no session with this token.', { path: ['input', 'refreshToken'] })
    : unauthenticated();
}

export const RevokeSession = z.object({ id: z.string() });

/** Signs another device of the viewer out. Doing it twice is the same as doing it once. */
export async function revokeSession(ctx: Ctx, { id }: z.infer<typeof RevokeSession>) {
  await endingSessions(ctx, async (inner) => {
    const own = { _id: id, userId: ctx.viewer!.id };
    if (!(await inner.models.Session.exists(own))) throw notFound('Session', id, ['input', 'id']);
    return { ended: await endSessions(inner, own, 'REVOKED'), answer: null };
  });
  return { revokedId: id };
}

export const RevokeAllSessions = z.object({ exceptCurrent: z.boolean().nullish() });

export async function revokeAllSessions(ctx: Ctx, { exceptCurrent }: z.infer<typeof RevokeAllSessions>) {
  const { id: userId, sessionId } = ctx.viewer!;
  const filter = exceptCurrent && sessionId ? { userId, _id: { $ne: sessionId } } : { userId };
  const count = await endingSessions(ctx, async (inner) => {
    const ended = await endSessions(inner, filter, 'REVOKED');
    return { ended, answer: ended.length };
  });
  return { revokedCount: count };
}

/** Marks sessions as ended and answers which; to be used inside `endingSessions`. */
export async function endSessions(ctx: Ctx, filter: Record<string, unknown>, because: Because): Promise<string[]> {
  const live = { ...filter, revokedAt: null };
  const found = await ctx.models.Session.find(live, { _id: 1 }).lean();
  if (found.length > 0) await ctx.models.Session.updateMany(live, { revokedAt: ctx.now(), revokedBecause: because });
  return found.map(({ _id }) => _id);
}

/** Runs `work` in a transaction; once that stands, the gateways are told at once which sessions ended. */
export async function endingSessions<T>(ctx: Ctx, work: (inner: Ctx) => Promise<{ ended: string[]; answer: T }>): Promise<T> {
  const { ended, answer } = await ctx.transaction(work);
  await announce(ctx, ended).catch((error: unknown) => ctx.log.warn({ err: error }, 'ended sessions could not be announced; the job will'));
  return answer;
}

/** Tells it again, so that neither a Redis that was away nor one that was wiped lets an ended session live on. */
export async function announceRevokedSessions(ctx: Ctx): Promise<void> {
  const since = new Date(ctx.now().getTime() - LONGEST_TOKEN_MS);
  const recent = await ctx.models.Session.find({ revokedAt: { $gt: since } }, { _id: 1 }).lean();
  await announce(
    ctx,
    recent.map(({ _id }) => _id),
  );
}

/** Kept as long as an access token can live. */
async function announce(ctx: Ctx, sessionIds: string[]): Promise<void> {
  if (sessionIds.length === 0) return;
  const pipeline = ctx.redis.pipeline();
  for (const id of sessionIds) pipeline.set(`${ctx.redisPrefix}:sessions:revoked:${id}`, '1', 'PX', LONGEST_TOKEN_MS);
  // exec itself does not fail where a command did.
  const failed = (await pipeline.exec())?.find(([error]) => error);
  if (failed) throw failed[0]!;
}

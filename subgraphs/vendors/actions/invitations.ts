import { createHash, randomBytes } from 'node:crypto';
import { z } from 'zod';
import { forbidden, notFound, Problem, unauthenticated } from '#shared/base/errors.ts';
import { email, idempotencyKey } from '#shared/base/input.ts';
import { findAccounts } from '../../accounts/contract.ts';
import { refuseInactive } from '../contract.ts';
import type { Ctx } from '../loaders.ts';
import type { Invitation, Vendor } from '../model/vendor.ts';
import { manages, VENDOR_ROLES } from '../roles.ts';
import { messages } from '../messages.ts';
import { settings } from '../settings.ts';
import { closed } from './close-invitation.ts';
import { takeIn } from './members.ts';
import { requireActive, requireVendor, roleIn, viewerId } from './rights.ts';

const TOKEN_BYTES = 32;
const DAY_MS = 24 * 60 * 60_000;
/** To one address in an hour, from all stores together: stores cost nothing to somebody who wants to fill a mailbox. */
const MAX_PER_HOUR_TO_ONE = 5;
const HOUR_MS = 60 * 60_000;

export const InviteVendorMember = z.object({
  vendorId: z.string(),
  email: email(),
  role: z.enum(VENDOR_ROLES),
  idempotencyKey: idempotencyKey().optional(),
});

/** Sends an invitation by e-mail with a secret token. A newer invitation to the same address replaces the older one. */
export async function inviteVendorMember(ctx: Ctx, { vendorId, email: to, role }: z.infer<typeof InviteVendorMember>) {
  const vendor = await requireVendor(ctx, { id: vendorId, field: 'vendorId', permission: 'MEMBERS' });
  const mine = await roleIn(ctx, vendorId);
  if (!mine || !manages(mine, role)) throw forbidden();
  refuseInactive(vendor.state, ['input', 'vendorId']);
  await ctx.models.Invitation.updateMany({ vendorId, email: to, status: 'PENDING' }, closed('REVOKED'));
  await refuseTooMany(ctx, vendorId);
  await refuseTooManyTo(ctx, to);
  const at = ctx.now();
  const token = randomBytes(TOKEN_BYTES).toString('base64url');
  const expiresAt = new Date(at.getTime() + (await ctx.settings.get(settings.invitationDays)) * DAY_MS);
  const draft = {
    vendorId,
    email: to,
    openKey: `${vendorId} ${to}`,
    role,
    tokenHash: hashOf(token),
    invitedBy: viewerId(ctx),
    expiresAt,
    createdAt: at,
  };
  const [invitation] = await ctx.models.Invitation.create([draft]);
  const params = { storeName: vendor.name, role, expiresAt: expiresAt.toISOString(), timeZone: vendor.timeZone };
  ctx.send(messages['vendor-invitation'], { to, params, token });
  return { invitation: invitation!.toObject<Invitation>() };
}

export const RevokeVendorInvitation = z.object({ id: z.string() });

/** Taking back twice is the same as once; an accepted invitation stays accepted. */
export async function revokeVendorInvitation(ctx: Ctx, { id }: z.infer<typeof RevokeVendorInvitation>) {
  const current = await ctx.models.Invitation.findById(id).lean<Invitation>();
  const mine = current && (await roleIn(ctx, current.vendorId));
  if (!current || !mine) throw notFound('VendorInvitation', id, ['input', 'id']);
  if (!manages(mine, current.role)) throw forbidden();
  await requireActive(ctx, current.vendorId, ['input', 'id']);
  const revoked = await ctx.models.Invitation.findOneAndUpdate({ _id: id, status: 'PENDING' }, closed('REVOKED'), {
    returnDocument: 'after',
  }).lean<Invitation>();
  return { invitation: revoked ?? current };
}

export const AcceptVendorInvitation = z.object({
  token: z.string().max(200, 'is no token of an invitation'),
  idempotencyKey: idempotencyKey().optional(),
});

/** Joins the store, once, for the account of the invited address. Runs its own transaction: the account is requested before. */
export async function acceptVendorInvitation(ctx: Ctx, { token }: z.infer<typeof AcceptVendorInvitation>) {
  const userId = viewerId(ctx);
  const invitation = await ctx.models.Invitation.findOne({ tokenHash: hashOf(token) }).lean<Invitation>();
  if (!invitation) throw refused('NOT_FOUND', 'There is no such invitation.');
  if (invitation.status !== 'PENDING') throw used();
  if (invitation.expiresAt <= ctx.now()) throw refused('INVITATION_EXPIRED', 'The invitation is too old: ask for a new one.');
  await requireAddress(ctx, userId, invitation.email);
  return ctx.transaction((inner) => join(inner, invitation, userId));
}

/** The invitation of a token; the token is the right to see it. */
export async function findLetter(ctx: Ctx, token: string): Promise<HeldLetter | null> {
  const found = await ctx.models.Invitation.findOne({ tokenHash: hashOf(token) }).lean<Invitation>();
  return found && { ...found, isHeld: true };
}

export interface HeldLetter extends Invitation {
  isHeld: true;
}

async function join(ctx: Ctx, { _id, vendorId, role }: Invitation, userId: string) {
  const taken = await ctx.models.Invitation.updateOne({ _id, status: 'PENDING', expiresAt: { $gt: ctx.now() } }, closed('ACCEPTED'));
  if (taken.matchedCount === 0) throw used();
  if (await ctx.models.Member.exists({ vendorId, userId })) throw refused('ALREADY_MEMBER', 'You are a member of this store already.');
  const vendor = await ctx.models.Vendor.findById(vendorId, { state: 1, memberCount: 1 }).lean<Vendor>();
  refuseInactive(vendor?.state ?? 'CLOSED', ['input', 'token']);
  const most = await ctx.settings.get(settings.members, { vendor: vendorId });
  if (vendor!.memberCount >= most) throw refused('MEMBER_LIMIT', `A store has at most ${most} members.`);
  return { member: await takeIn(ctx, { vendorId, userId, role }) };
}

/** The token proves access to the mailbox; only the account of that address may join with it. */
async function requireAddress(ctx: Ctx, userId: string, address: string): Promise<void> {
  const { accounts } = await ctx.call(findAccounts, { ids: [userId] });
  const account = accounts[0];
  if (!account?.isActive) throw unauthenticated();
  if (account.email.toLowerCase() !== address)
    throw refused('EMAIL_MISMATCH', 'This invitation went to another address than that of your account.');
  if (!account.emailVerified) throw refused('EMAIL_NOT_VERIFIED', 'Verify the address of your account first.');
}

/** Letters go to people who did not ask for them, so there is a limit a day as well. */
async function refuseTooMany(ctx: Ctx, vendorId: string): Promise<void> {
  const now = ctx.now();
  const open = await ctx.models.Invitation.countDocuments({ vendorId, status: 'PENDING', expiresAt: { $gt: now } });
  const today = await ctx.models.Invitation.countDocuments({ vendorId, createdAt: { $gt: new Date(now.getTime() - DAY_MS) } });
  const mostOpen = await ctx.settings.get(settings.openInvitations, { vendor: vendorId });
  const mostToday = await ctx.settings.get(settings.dailyInvitations, { vendor: vendorId });
  if (open >= mostOpen || today >= mostToday)
    throw new Problem('INVITATION_LIMIT', 'Too many invitations of this store are out.', { path: ['input', 'vendorId'] });
}

async function refuseTooManyTo(ctx: Ctx, email: string): Promise<void> {
  const since = new Date(ctx.now().getTime() - HOUR_MS);
  const sent = await ctx.models.Invitation.countDocuments({ email, createdAt: { $gt: since } });
  if (sent >= MAX_PER_HOUR_TO_ONE)
    throw new Problem('INVITATION_LIMIT', 'This address got enough invitations for now. Try again in an hour.', {
      path: ['input', 'email'],
      retryable: true,
    });
}

const hashOf = (token: string): string => createHash('sha256').update(token).digest('hex');
const refused = (code: string, message: string): Problem => new Problem(code, message, { path: ['input', 'token'] });
const used = (): Problem => refused('INVITATION_USED', 'The invitation was accepted or taken back already.');

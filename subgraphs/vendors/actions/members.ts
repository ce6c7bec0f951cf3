import { z } from 'zod';
import { forbidden, invalid, notFound, Problem } from '#shared/base/errors.ts';
import { findAccounts } from '../../accounts/contract.ts';
import { vendorMemberAdded, vendorMemberRemoved, vendorMemberRoleChanged } from '../contract.ts';
import type { Ctx } from '../loaders.ts';
import type { Member } from '../model/vendor.ts';
import { manages, VENDOR_ROLES, type VendorRole } from '../roles.ts';
import { closed } from './close-invitation.ts';
import { requireActive, requireVendor, roleIn, viewerId } from './rights.ts';

const role = z.enum(VENDOR_ROLES);

export const ChangeVendorMemberRole = z.object({ memberId: z.string(), role });

/** Gives a member another role. Both the old and the new one must be below the viewer's, so nobody raises himself. */
export async function changeVendorMemberRole(ctx: Ctx, { memberId, role: wanted }: z.infer<typeof ChangeVendorMemberRole>) {
  const { member, mine } = await requireMember(ctx, memberId);
  if (!manages(mine, member.role) || !manages(mine, wanted)) throw forbidden();
  await requireActive(ctx, member.vendorId, ['input', 'memberId']);
  return { member: await giveRole(ctx, member, wanted) };
}

export const RemoveVendorMember = z.object({ memberId: z.string() });

/** Takes a member out; all rights end with this. */
export async function removeVendorMember(ctx: Ctx, { memberId }: z.infer<typeof RemoveVendorMember>) {
  const { member, mine } = await requireMember(ctx, memberId);
  if (!manages(mine, member.role)) throw forbidden();
  await requireActive(ctx, member.vendorId, ['input', 'memberId']);
  await takeOut(ctx, member);
  return { removedId: memberId };
}

export const LeaveVendor = z.object({ vendorId: z.string() });

/** Ends the viewer's own membership, also in a store that is suspended; the last owner goes from a closed one only. */
export async function leaveVendor(ctx: Ctx, { vendorId }: z.infer<typeof LeaveVendor>) {
  const member = await ctx.models.Member.findOne({ vendorId, userId: viewerId(ctx) }).lean<Member>();
  if (!member) throw notFound('VendorMember', vendorId, ['input', 'vendorId']);
  const isClosed = await ctx.models.Vendor.exists({ _id: vendorId, state: 'CLOSED' });
  await takeOut(ctx, member, { allowLastOwner: isClosed !== null });
  return { removedId: member._id };
}

export const TransferVendorOwnership = z.object({ vendorId: z.string(), memberId: z.string() });

/** Makes another member owner and the viewer a manager, in one step. */
export async function transferVendorOwnership(ctx: Ctx, { vendorId, memberId }: z.infer<typeof TransferVendorOwnership>) {
  await requireVendor(ctx, { id: vendorId, field: 'vendorId' });
  const own = await ctx.models.Member.findOne({ vendorId, userId: viewerId(ctx), role: 'OWNER' }).lean<Member>();
  if (!own) throw forbidden();
  await requireActive(ctx, vendorId, ['input', 'vendorId']);
  if (own._id === memberId) throw invalid(['input', 'memberId'], 'This is you already.');
  const heir = await ctx.models.Member.findOne({ _id: memberId, vendorId }).lean<Member>();
  if (!heir) throw notFound('VendorMember', memberId, ['input', 'memberId']);
  const owner = await giveRole(ctx, heir, 'OWNER');
  return { owner, former: await giveRole(ctx, own, 'MANAGER') };
}

export const AppointVendorOwner = z.object({ vendorId: z.string(), userId: z.string() });

/** Makes an account owner by the operator's word. Runs its own transaction: the accounts are asked before. */
export async function appointVendorOwner(ctx: Ctx, { vendorId, userId }: z.infer<typeof AppointVendorOwner>) {
  await requireVendor(ctx, { id: vendorId, field: 'vendorId' });
  await requireActive(ctx, vendorId, ['input', 'vendorId']);
  const { accounts } = await ctx.call(findAccounts, { ids: [userId] });
  if (!accounts[0]?.isActive) throw notFound('User', userId, ['input', 'userId']);
  return ctx.transaction(async (inner) => {
    const member = await inner.models.Member.findOne({ vendorId, userId }).lean<Member>();
    return { member: member ? await giveRole(inner, member, 'OWNER') : await takeIn(inner, { vendorId, userId, role: 'OWNER' }) };
  });
}

/** A new member; the caller has seen to it that there is room. */
export async function takeIn(ctx: Ctx, place: { vendorId: string; userId: string; role: VendorRole }): Promise<Member> {
  const owners = place.role === 'OWNER' ? 1 : 0;
  await ctx.models.Vendor.updateOne({ _id: place.vendorId }, { $inc: { memberCount: 1, ownerCount: owners } });
  const [member] = await ctx.models.Member.create([{ ...place, joinedAt: ctx.now() }]);
  ctx.publish(vendorMemberAdded({ ...place }));
  return member!.toObject<Member>();
}

/** Removes a member and what he has sent out in the store's name. Refused for the last owner. */
export async function takeOut(ctx: Ctx, { _id, vendorId, userId, role: held }: Member, { allowLastOwner = false } = {}): Promise<void> {
  await countOwners(ctx, vendorId, { by: held === 'OWNER' ? -1 : 0, members: -1, allowLastOwner });
  await ctx.models.Member.deleteOne({ _id });
  await takeBackLetters(ctx, vendorId, userId);
  ctx.publish(vendorMemberRemoved({ vendorId, userId }));
}

async function giveRole(ctx: Ctx, member: Member, wanted: VendorRole): Promise<Member> {
  const { _id, vendorId, userId, role: held } = member;
  if (held === wanted) return member;
  await countOwners(ctx, vendorId, { by: Number(wanted === 'OWNER') - Number(held === 'OWNER') });
  await ctx.models.Member.updateOne({ _id }, { $set: { role: wanted } });
  if (!manages(wanted, held)) await takeBackLetters(ctx, vendorId, userId);
  ctx.publish(vendorMemberRoleChanged({ vendorId, userId, role: wanted }));
  return { ...member, role: wanted };
}

/** The filter is the lock: of two owners who leave at once, the second finds only one left. */
async function countOwners(
  ctx: Ctx,
  vendorId: string,
  { by, members = 0, allowLastOwner = false }: { by: number; members?: number; allowLastOwner?: boolean },
): Promise<void> {
  const enough = by < 0 && !allowLastOwner ? { ownerCount: { $gt: -by } } : {};
  const { matchedCount } = await ctx.models.Vendor.updateOne(
    { _id: vendorId, ...enough },
    { $inc: { ownerCount: by, memberCount: members } },
  );
  if (matchedCount === 0) throw new Problem('LAST_OWNER', 'A store needs an owner: transfer the ownership first.', { path: ['input'] });
}

/** A member without the right to invite has no open invitations. */
const takeBackLetters = (ctx: Ctx, vendorId: string, invitedBy: string) =>
  ctx.models.Invitation.updateMany({ vendorId, invitedBy, status: 'PENDING' }, closed('REVOKED'));

/** A member of a store the viewer belongs to; others learn nothing. */
async function requireMember(ctx: Ctx, memberId: string): Promise<{ member: Member; mine: VendorRole }> {
  const member = await ctx.models.Member.findById(memberId).lean<Member>();
  const mine = member && (await roleIn(ctx, member.vendorId));
  if (!member || !mine) throw notFound('VendorMember', memberId, ['input', 'memberId']);
  return { member, mine };
}

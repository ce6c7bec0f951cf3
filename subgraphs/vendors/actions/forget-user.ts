import type { Ctx } from '../loaders.ts';
import { isFinal } from '../machine.ts';
import type { Application } from '../model/application.ts';
import type { Member } from '../model/vendor.ts';
import { dropDocumentsOf } from './documents.ts';
import { takeOut } from './members.ts';
import { moveApplication } from './move-application.ts';
import { suspend } from './state.ts';

const OWNER_GONE = 'The account of its last owner was deleted.';

/** Memberships end with the account. A store that loses its last owner may not sell until the operator appoints another. */
export async function forgetUser(ctx: Ctx, { userId }: { userId: string }): Promise<void> {
  const memberships = await ctx.models.Member.find({ userId }).lean<Member[]>();
  for (const member of memberships) {
    await takeOut(ctx, member, { allowLastOwner: true });
    if (member.role === 'OWNER') await closeOwnerless(ctx, member.vendorId);
  }
  await forgetApplications(ctx, userId);
}

async function closeOwnerless(ctx: Ctx, id: string): Promise<void> {
  const isOwnerless = await ctx.models.Vendor.exists({ _id: id, ownerCount: 0 });
  if (isOwnerless) await suspend(ctx, { id, reason: OWNER_GONE, actorId: null });
}

/** What the person told the operator goes: contacts, address and documents. That there was an application stays. */
async function forgetApplications(ctx: Ctx, applicantId: string): Promise<void> {
  const applications = await ctx.models.Application.find({ applicantId }).lean<Application[]>();
  const personal = { contactEmail: null, contactPhone: null, address: null, taxNumber: null, businessName: null };
  for (const { _id, status } of applications) {
    if (isFinal(status)) await ctx.models.Application.updateOne({ _id }, { $set: personal });
    else
      await moveApplication(ctx, { id: _id, action: 'WITHDRAW', actorRole: 'SYSTEM', reason: 'The account was deleted.', set: personal });
  }
  await dropDocumentsOf(ctx, applications);
  await ctx.models.Vendor.updateMany({ applicationId: { $in: applications.map(({ _id }) => _id) } }, { $set: { ownerContact: null } });
}

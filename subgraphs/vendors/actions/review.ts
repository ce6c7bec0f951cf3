import { z } from 'zod';
import { newId } from '#shared/base/ids.ts';
import { slug } from '#shared/base/input.ts';
import { vendorApproved, vendorMemberAdded } from '../contract.ts';
import type { Ctx } from '../loaders.ts';
import type { Application } from '../model/application.ts';
import type { Vendor } from '../model/vendor.ts';
import { nameFields } from '../names.ts';
import { comment, currency, reason } from './inputs.ts';
import { moveApplication } from './move-application.ts';
import { freeSlug, refuseTaken } from './names-taken.ts';

export const StartVendorApplicationReview = z.object({ id: z.string() });

export const startVendorApplicationReview = async (ctx: Ctx, { id }: z.infer<typeof StartVendorApplicationReview>) => ({
  application: await moveApplication(ctx, { id, action: 'START_REVIEW', actorRole: 'ADMIN' }),
});

export const RequestVendorApplicationChanges = z.object({ id: z.string(), comment });

export const requestVendorApplicationChanges = async (
  ctx: Ctx,
  { id, comment: words }: z.infer<typeof RequestVendorApplicationChanges>,
) => ({
  application: await moveApplication(ctx, {
    id,
    action: 'REQUEST_CHANGES',
    actorRole: 'ADMIN',
    reason: words,
    set: { reviewComment: words },
  }),
});

export const RejectVendorApplication = z.object({ id: z.string(), reason: comment });

export const rejectVendorApplication = async (ctx: Ctx, { id, reason: words }: z.infer<typeof RejectVendorApplication>) => ({
  application: await moveApplication(ctx, { id, action: 'REJECT', actorRole: 'ADMIN', reason: words, set: { reviewComment: words } }),
});

export const ApproveVendorApplication = z.object({
  id: z.string(),
  currency: currency.optional(),
  slug: slug().optional(),
  comment: reason.nullish(),
});

/** Opens the store with the applicant as its owner. Two who approve at once open one. */
export async function approveVendorApplication(ctx: Ctx, { id, comment: words, ...given }: z.infer<typeof ApproveVendorApplication>) {
  const vendorId = newId('ven', ctx.now());
  const application = await moveApplication(ctx, { id, action: 'APPROVE', actorRole: 'ADMIN', reason: words, set: { vendorId } });
  const at = ctx.now();
  const opened = {
    ...storeOf(application),
    _id: vendorId,
    slug: given.slug ?? application.slug ?? (await freeSlug(ctx, application.storeName, vendorId)),
    currency: given.currency ?? application.currency!,
    timeline: [{ at, state: 'ACTIVE' as const, reason: words ?? null, actorId: ctx.viewer?.id ?? null }],
    createdAt: at,
  };
  const [vendor] = await refuseTaken(ctx.models.Vendor.create([opened]), { name: 'id', slug: 'slug' });
  const ownerId = application.applicantId;
  await ctx.models.Member.create([{ vendorId, userId: ownerId, role: 'OWNER', joinedAt: at }]);
  ctx.publish(
    vendorApproved({ vendorId, storeName: application.storeName, ownerId }),
    vendorMemberAdded({ vendorId, userId: ownerId, role: 'OWNER' }),
  );
  return { application, vendor: vendor!.toObject<Vendor>() };
}

const storeOf = ({ _id, storeName, description, address, timeZone, contactEmail, contactPhone }: Application) => ({
  ...nameFields(storeName),
  description: description ?? null,
  address: address ?? null,
  timeZone: timeZone!,
  // What the applicant told the operator is not what the store tells its buyers.
  ownerContact: { email: contactEmail ?? null, phone: contactPhone ?? null },
  applicationId: _id,
  ownerCount: 1,
  memberCount: 1,
});

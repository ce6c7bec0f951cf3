import { z } from 'zod';
import { Problem } from '#shared/base/errors.ts';
import { idempotencyKey, list, longText, slug, text } from '#shared/base/input.ts';
import { isDuplicateKey } from '#shared/store/mongo.ts';
import { updateVersioned } from '#shared/store/versioned-update.ts';
import type { Ctx } from '../loaders.ts';
import { sourcesOf } from '../machine.ts';
import type { Application } from '../model/application.ts';
import { checklistOf } from './checklist-of.ts';
import { address, contactEmail, contactPhone, currency, description, given, storeName, timeZone } from './inputs.ts';
import { moveApplication, requireApplication, wrongStatus } from './move-application.ts';
import { refuseTakenNames } from './names-taken.ts';
import { viewerId } from './rights.ts';

const details = {
  slug: slug().nullish(),
  description,
  businessName: text({ max: 200 }).nullish(),
  taxNumber: z
    .string()
    .regex(/^[A-Za-z0-9/-]{1,40}$/, 'must be at most 40 letters, digits, dashes and slashes')
    .nullish(),
  contactEmail,
  contactPhone,
  address,
  currency: currency.nullish(),
  timeZone: timeZone.nullish(),
  confirmedItems: list(slug(), { max: 100 }).optional(),
};

export const ApplyAsVendor = z.object({ ...details, storeName, idempotencyKey: idempotencyKey().optional() });

/** Begins a draft. One person has one application under way; a final one makes room for the next. */
export async function applyAsVendor(ctx: Ctx, { idempotencyKey: _key, ...fields }: z.infer<typeof ApplyAsVendor>) {
  const applicantId = viewerId(ctx);
  const at = ctx.now();
  await refuseTakenNames(ctx, fields);
  const draft = {
    ...given(fields),
    applicantId,
    openKey: applicantId,
    createdAt: at,
    timeline: [{ at, status: 'DRAFT' as const, actorRole: 'APPLICANT' as const, actorId: applicantId }],
  };
  try {
    const [application] = await ctx.models.Application.create([draft]);
    return { application: application!.toObject<Application>() };
  } catch (error) {
    if (isDuplicateKey(error))
      throw new Problem('APPLICATION_OPEN', 'You have an application under way: go on with that one, or withdraw it.', { path: ['input'] });
    throw error;
  }
}

export const UpdateVendorApplication = z.object({ ...details, id: z.string(), expectedVersion: z.int(), storeName: storeName.optional() });

/** Changes what is given while the applicant still writes, if nobody changed it since `expectedVersion`. */
export async function updateVendorApplication(ctx: Ctx, { id, expectedVersion, ...fields }: z.infer<typeof UpdateVendorApplication>) {
  await refuseTakenNames(ctx, fields);
  const application = await updateVersioned<Application>(ctx.models.Application, {
    id,
    expectedVersion,
    set: given(fields),
    where: { applicantId: viewerId(ctx), status: { $in: sourcesOf('UPDATE') } },
    noun: 'application',
    refusal: async () => {
      const current = await requireApplication(ctx, id, { actorRole: 'APPLICANT' });
      if (!sourcesOf('UPDATE').includes(current.status)) throw wrongStatus(current);
    },
  });
  return { application };
}

export const SubmitVendorApplication = z.object({ id: z.string() });

const NEEDED = ['contactEmail', 'contactPhone', 'address', 'currency', 'timeZone'] as const satisfies (keyof Application)[];

/** Hands the application in when nothing is missing. What the checklist demands today is what the reviewer will look for. */
export async function submitVendorApplication(ctx: Ctx, { id }: z.infer<typeof SubmitVendorApplication>) {
  const current = await requireApplication(ctx, id, { actorRole: 'APPLICANT' });
  if (!sourcesOf('SUBMIT').includes(current.status)) throw wrongStatus(current);
  const entries = await checklistOf(ctx, current);
  const missingFields = NEEDED.filter((field) => current[field] === null);
  const missingItems = entries.filter(({ isSatisfied }) => !isSatisfied).map(({ item }) => item.key);
  if (missingFields.length > 0 || missingItems.length > 0) {
    const parts = [missingFields.join(', '), missingItems.length > 0 && `checklist items ${missingItems.join(', ')}`].filter(Boolean);
    throw new Problem('APPLICATION_INCOMPLETE', `Still missing: ${parts.join('; ')}.`, {
      path: ['input', 'id'],
      typename: 'ApplicationIncompleteError',
      missingFields,
      missingItems,
    });
  }
  const set = { submittedAt: ctx.now(), reviewComment: null, demandedItems: entries.map(({ item }) => item._id) };
  return { application: await moveApplication(ctx, { id, action: 'SUBMIT', actorRole: 'APPLICANT', set }) };
}

export const WithdrawVendorApplication = z.object({ id: z.string(), reason: longText({ max: 1_000 }).nullish() });

export async function withdrawVendorApplication(ctx: Ctx, { id, reason }: z.infer<typeof WithdrawVendorApplication>) {
  return { application: await moveApplication(ctx, { id, action: 'WITHDRAW', actorRole: 'APPLICANT', reason: reason || null }) };
}

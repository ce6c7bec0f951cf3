import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { slug } from '#shared/base/input.ts';
import { updateVersioned } from '#shared/store/versioned-update.ts';
import { vendorUpdated } from '../contract.ts';
import type { Ctx } from '../loaders.ts';
import type { Vendor } from '../model/vendor.ts';
import { nameFields } from '../names.ts';
import { address, closures, contactEmail, contactPhone, description, given, openingHours, picture, storeName, timeZone } from './inputs.ts';
import { refuseTaken } from './names-taken.ts';
import { isAdmin, requireActive, requireVendor } from './rights.ts';

export const UpdateVendor = z.object({
  id: z.string(),
  expectedVersion: z.int(),
  name: storeName.optional(),
  slug: slug().optional(),
  description,
  logo: picture,
  banner: picture,
  contactEmail,
  contactPhone,
  address,
  timeZone: timeZone.optional(),
  openingHours: openingHours.optional(),
  closures: closures.optional(),
});

/** Changes what is given, if nobody changed the profile since `expectedVersion`. The currency stays what it is. */
export async function updateVendor(ctx: Ctx, { id, expectedVersion, ...fields }: z.infer<typeof UpdateVendor>) {
  const before = await requireVendor(ctx, { id, field: 'id', permission: 'STORE' });
  await requireActive(ctx, id, ['input', 'id']);
  const set = given(fields);
  const legal = isAdmin(ctx) ? { state: { $ne: 'CLOSED' as const } } : { state: 'ACTIVE' as const };
  const vendor = await refuseTaken(
    updateVersioned<Vendor>(ctx.models.Vendor, {
      id,
      expectedVersion,
      set: { ...set, ...(set.name && nameFields(set.name)) },
      where: legal,
      noun: 'store',
      // Suspended or closed between the look and the write.
      refusal: () => requireActive(ctx, id, ['input', 'id']),
    }),
    { name: 'name', slug: 'slug' },
  );
  const changes = (Object.keys(set) as (keyof typeof set & keyof Vendor)[]).filter(
    (field) => !isDeepStrictEqual(vendor[field], before[field]),
  );
  if (changes.length > 0) ctx.publish(vendorUpdated({ vendorId: id, changes }));
  return { vendor };
}

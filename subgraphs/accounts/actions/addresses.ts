import { z } from 'zod';
import { notFound, Problem, unauthenticated } from '#shared/base/errors.ts';
import { newId } from '#shared/base/ids.ts';
import { country, phone, text } from '#shared/base/input.ts';
import { userProfileUpdated } from '../contract.ts';
import type { Ctx } from '../loaders.ts';
import type { Address, User } from '../model.ts';
import { settings } from '../settings.ts';

const line = (max: number) => text({ min: 1, max });
const maybe = (max: number) =>
  text({ max })
    .nullish()
    .transform((value) => (value === '' ? null : value));

export const addressFields = z.object({
  label: maybe(50),
  recipient: line(100),
  phone: phone(),
  line1: line(200),
  line2: maybe(200),
  city: line(100),
  region: maybe(100),
  postalCode: maybe(20),
  country: country(),
  location: z.object({ longitude: z.number().min(-180).max(180), latitude: z.number().min(-90).max(90) }).nullish(),
});

/** An address as it is kept, with an id of its own. */
export const embedded = (fields: z.infer<typeof addressFields>, now: Date) => ({
  ...fields,
  _id: newId('adr', now),
  label: fields.label ?? null,
  line2: fields.line2 ?? null,
  region: fields.region ?? null,
  postalCode: fields.postalCode ?? null,
  location: fields.location ?? null,
});

export const CreateAddress = addressFields.extend({ isDefault: z.boolean().nullish() });

/** The first address is the default one, whatever is said. */
export async function createAddress(ctx: Ctx, { isDefault, ...fields }: z.infer<typeof CreateAddress>) {
  const user = await ownUser(ctx);
  const most = await ctx.settings.get(settings.addresses);
  if (user.addresses.length >= most) throw new Problem('TOO_MANY_ADDRESSES', `An account keeps at most ${most} addresses.`);
  const address = embedded(fields, ctx.now());
  const becomesDefault = isDefault || !user.defaultAddressId;
  return {
    address: await write(ctx, address._id, {
      $push: { addresses: address },
      ...(becomesDefault && { $set: { defaultAddressId: address._id } }),
    }),
  };
}

export const UpdateAddress = addressFields.partial().extend({ id: z.string() });

/** Changes what is given. Orders keep the address they were placed with. */
export async function updateAddress(ctx: Ctx, { id, ...fields }: z.infer<typeof UpdateAddress>) {
  const { addresses } = await ownAddress(ctx, id);
  const place = `addresses.${addresses.findIndex(({ _id }) => _id === id)}`;
  const changes = Object.entries(fields).filter(([, value]) => value !== undefined);
  // An empty change is none; the row is written all the same, which costs less than a second way to answer.
  return {
    address: await write(ctx, id, {
      $set: { [`${place}._id`]: id, ...Object.fromEntries(changes.map(([key, value]) => [`${place}.${key}`, value])) },
    }),
  };
}

export const DeleteAddress = z.object({ id: z.string() });

/** Deleting twice is the same as deleting once. When the default one goes, the oldest of the others takes its place. */
export async function deleteAddress(ctx: Ctx, { id }: z.infer<typeof DeleteAddress>) {
  const user = await ownUser(ctx);
  if (!user.addresses.some(({ _id }) => _id === id)) return { deletedId: id };
  const next = user.defaultAddressId === id ? (user.addresses.find(({ _id }) => _id !== id)?._id ?? null) : user.defaultAddressId;
  await write(ctx, id, { $pull: { addresses: { _id: id } }, $set: { defaultAddressId: next } });
  return { deletedId: id };
}

export const SetDefaultAddress = z.object({ id: z.string() });

export async function setDefaultAddress(ctx: Ctx, { id }: z.infer<typeof SetDefaultAddress>) {
  await ownAddress(ctx, id);
  return { address: await write(ctx, id, { $set: { defaultAddressId: id } }) };
}

/** One address to be copied; null when this user has none with this id, so that nobody learns whose it is. */
export async function snapshotAddress(ctx: Ctx, { userId, addressId }: { userId: string; addressId?: string | undefined }) {
  const user = await ctx.models.User.findById(userId).lean();
  const wanted = addressId ?? user?.defaultAddressId;
  const found = user?.addresses.find(({ _id }) => _id === wanted);
  if (!found) return { address: null };
  const { recipient, phone: number, line1, line2, city, region, postalCode, country, location } = found;
  return {
    address: {
      recipient,
      phone: number,
      line1,
      line2,
      city,
      region,
      postalCode,
      country,
      location: location as { longitude: number; latitude: number } | null,
    },
  };
}

/** An address with what only its owner's row knows. */
export type ShownAddress = Address & { isDefault: boolean };

export const shownAddresses = ({ addresses, defaultAddressId }: User): ShownAddress[] =>
  (addresses as unknown as Address[]).map((address) => ({ ...address, isDefault: address._id === defaultAddressId }));

async function ownUser(ctx: Ctx): Promise<User> {
  const user = await ctx.models.User.findOne({ _id: ctx.viewer!.id, isActive: true }).lean();
  if (!user) throw unauthenticated();
  return user;
}

async function ownAddress(ctx: Ctx, id: string): Promise<User> {
  const user = await ownUser(ctx);
  if (!user.addresses.some(({ _id }) => _id === id)) throw notFound('Address', id, ['input', 'id']);
  return user;
}

/** The row was read in the same transaction, so nobody has moved its addresses about meanwhile. */
async function write(ctx: Ctx, id: string, change: Record<string, unknown>): Promise<ShownAddress | undefined> {
  const user = await ctx.models.User.findOneAndUpdate({ _id: ctx.viewer!.id }, change, { returnDocument: 'after' }).lean();
  ctx.publish(userProfileUpdated({ userId: ctx.viewer!.id, changes: ['addresses'] }));
  return user ? shownAddresses(user).find(({ _id }) => _id === id) : undefined;
}

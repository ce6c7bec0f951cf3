import { z } from 'zod';
import { invalid, unauthenticated } from '#shared/base/errors.ts';
import { list, phone, text } from '#shared/base/input.ts';
import { textKey } from '#shared/base/text.ts';
import { userProfileUpdated } from '../contract.ts';
import type { Ctx } from '../loaders.ts';
import type { User } from '../model.ts';

const MAX_ENTRIES = 50;

/** A language tag of BCP 47, in its canonical spelling. */
export const locale = () =>
  z
    .string()
    .max(35, 'must be a language tag such as en-ZM')
    .transform((value, ctx) => {
      try {
        return Intl.getCanonicalLocales(value)[0]!;
      } catch {
        ctx.addIssue({ code: 'custom', message: 'must be a language tag such as en-ZM' });
        return z.NEVER;
      }
    });

const entry = z.object({
  key: z
    .string()
    .regex(/^[A-Za-z][\w.-]{0,63}$/, 'must begin with a letter and have at most 64 letters, digits, dots, dashes and underscores'),
  value: text({ max: 1_000 }).nullish(),
});

export const UpdateProfile = z.object({
  name: text({ min: 1, max: 100 }).optional(),
  phone: phone().nullish(),
  locale: locale().nullish(),
  profile: list(entry, { max: MAX_ENTRIES }).optional(),
});

/** Changes what is given of the viewer's own profile; entries without a value are removed. */
export async function updateProfile(ctx: Ctx, { profile, ...fields }: z.infer<typeof UpdateProfile>) {
  const current = await ctx.models.User.findOne({ _id: ctx.viewer!.id, isActive: true }).lean();
  if (!current) throw unauthenticated();
  const wanted: Partial<User> = { ...fields, ...(profile && { profile: mergeEntries(current.profile, profile) as never }) };
  const given = Object.entries(wanted).filter(([key, value]) => value !== undefined && isOther(current[key as keyof User], value));
  if (given.length === 0) return { user: current };
  const user = await ctx.models.User.findOneAndUpdate(
    { _id: current._id },
    { $set: { ...Object.fromEntries(given), ...(fields.name && { searchName: textKey(fields.name) }) }, $inc: { version: 1 } },
    { returnDocument: 'after' },
  ).lean();
  ctx.publish(userProfileUpdated({ userId: current._id, changes: given.map(([key]) => key) }));
  return { user };
}

type Entries = readonly { key?: string | null; value?: string | null | undefined }[];

function mergeEntries(current: Entries, given: Entries): Entries {
  const merged = new Map(current.map(({ key, value }) => [key, value]));
  for (const { key, value } of given) {
    if (value === null || value === undefined) merged.delete(key);
    else merged.set(key, value);
  }
  if (merged.size > MAX_ENTRIES) throw invalid(['input', 'profile'], `A profile has at most ${MAX_ENTRIES} entries.`);
  return [...merged].map(([key, value]) => ({ key: key!, value: value! }));
}

const isOther = (before: unknown, after: unknown): boolean => JSON.stringify(before) !== JSON.stringify(after);

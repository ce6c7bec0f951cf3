import { Problem } from '#shared/base/errors.ts';
import { firstFree, slugsOf } from '#shared/base/slugs.ts';
import { isDuplicateKey } from '#shared/store/mongo.ts';
import type { Ctx } from '../loaders.ts';
import { nameKeys } from '../names.ts';

interface Fields {
  /** The input's field that holds the name. */
  name: string;
  slug: string;
}

const MAX_SLUG_LENGTH = 60;

const nameTaken = (field: string): Problem =>
  new Problem('NAME_TAKEN', 'Another store has a name that looks the same.', { path: ['input', field] });
const slugTaken = (field: string): Problem => new Problem('SLUG_TAKEN', 'Another store has this slug already.', { path: ['input', field] });

/** Tells an applicant early what an approval could only refuse. The unique indexes decide in the end. */
export async function refuseTakenNames(
  ctx: Ctx,
  wanted: { storeName?: string | undefined; slug?: string | null | undefined },
): Promise<void> {
  if (wanted.storeName && (await ctx.models.Vendor.exists({ nameKeys: { $in: nameKeys(wanted.storeName) } }))) throw nameTaken('storeName');
  if (wanted.slug && (await ctx.models.Vendor.exists({ slug: wanted.slug }))) throw slugTaken('slug');
}

/** A write of a store, refused where it met a name or a slug of another. */
export async function refuseTaken<T>(write: PromiseLike<T>, fields: Fields): Promise<T> {
  try {
    return await write;
  } catch (error) {
    if (!isDuplicateKey(error)) throw error;
    throw String(error).includes('nameKeys') ? nameTaken(fields.name) : slugTaken(fields.slug);
  }
}

/** A slug made of the name that no store has yet. */
export async function freeSlug(ctx: Ctx, name: string, id: string): Promise<string> {
  const spare = `store-${id.slice(-8).toLowerCase()}`;
  const candidates = slugsOf(name, { spare, max: MAX_SLUG_LENGTH, id });
  const taken = await ctx.models.Vendor.find({ slug: { $in: candidates } }, { slug: 1 }).lean();
  return firstFree(candidates, (candidate) => taken.some(({ slug }) => slug === candidate));
}

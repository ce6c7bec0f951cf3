import { z } from 'zod';
import { notFound, Problem } from '#shared/base/errors.ts';
import { newId } from '#shared/base/ids.ts';
import { slug, text } from '#shared/base/input.ts';
import { pictureAddress } from '#shared/base/public-address.ts';
import { firstFree, slugsOf } from '#shared/base/slugs.ts';
import { isDuplicateKey } from '#shared/store/mongo.ts';
import { updateVersioned } from '#shared/store/versioned-update.ts';
import { categoryCreated, categoryDeleted, categoryMoved, categoryUpdated } from './contract.ts';
import { invalidateTree } from './cache.ts';
import type { Ctx } from './loaders.ts';
import type { Category } from './model.ts';

const name = text({ min: 1, max: 100 });
const description = text({ max: 1_000 }).nullish();
const image = pictureAddress().nullish();
const order = z.int().min(0).max(1_000_000).optional();

export const CreateCategory = z.object({ name, slug: slug().optional(), description, image, parentId: z.string().nullish(), order });

/** A new category under its parent, at the end of its siblings unless `order` says otherwise. */
export async function createCategory(ctx: Ctx, input: z.infer<typeof CreateCategory>) {
  const parent = input.parentId ? await requireCategory(ctx, input.parentId, 'parentId') : null;
  await touchTree(ctx);
  const parentId = parent?._id ?? null;
  const _id = newId('cat');
  const wanted = {
    ...input,
    _id,
    parentId,
    slug: input.slug ?? (await slugAmong(ctx, parentId, { name: input.name, _id })),
    order: input.order ?? (await endOf(ctx, parentId)),
    ancestorIds: parent ? [...parent.ancestorIds, parent._id] : [],
  };
  const [category] = await refuseTakenSlug(ctx.models.Category.create([wanted]), 'slug');
  ctx.publish(categoryCreated({ categoryId: category!._id, parentId }));
  return { category: category!.toObject() };
}

export const UpdateCategory = z.object({
  id: z.string(),
  expectedVersion: z.int(),
  name: name.optional(),
  slug: slug().optional(),
  description,
  image,
  order,
});

/** Changes what is given, if nobody changed the category since `expectedVersion`. */
export async function updateCategory(ctx: Ctx, { id, expectedVersion, ...fields }: z.infer<typeof UpdateCategory>) {
  const changes = Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
  invalidateTree(ctx);
  const category = await refuseTakenSlug(
    updateVersioned<Category>(ctx.models.Category, { id, expectedVersion, set: changes, noun: 'category' }),
    'slug',
  );
  ctx.publish(categoryUpdated({ categoryId: id, changes: Object.keys(changes) }));
  return { category };
}

export const MoveCategory = z.object({ id: z.string(), newParentId: z.string().nullish(), order });

/** Moves a category with everything below it; under the parent it has when none is given. A place below itself is refused. */
export async function moveCategory(ctx: Ctx, { id, newParentId, order: wanted }: z.infer<typeof MoveCategory>) {
  await touchTree(ctx);
  const category = await requireCategory(ctx, id, 'id');
  const wantedParentId = newParentId === undefined ? category.parentId : newParentId;
  const parent = wantedParentId ? await requireCategory(ctx, wantedParentId, 'newParentId') : null;
  if (parent && (parent._id === id || parent.ancestorIds.includes(id))) {
    throw new Problem('CATEGORY_CYCLE', 'A category cannot stand below itself.', { path: ['input', 'newParentId'] });
  }
  const parentId = parent?._id ?? null;
  const ancestorIds = parent ? [...parent.ancestorIds, parent._id] : [];
  const place = wanted ?? (newParentId === undefined ? category.order : await endOf(ctx, parentId));
  const moved = await refuseTakenSlug(
    ctx.models.Category.findOneAndUpdate(
      { _id: id },
      { $set: { parentId, ancestorIds, order: place }, $inc: { version: 1 } },
      { returnDocument: 'after' },
    ).lean(),
    'newParentId',
  );
  const below = await ctx.models.Category.find({ ancestorIds: id }, { ancestorIds: 1 }).lean();
  const depth = category.ancestorIds.length;
  if (below.length > 0) {
    await ctx.models.Category.bulkWrite(
      below.map(({ _id, ancestorIds: old }) => ({
        updateOne: { filter: { _id }, update: { $set: { ancestorIds: [...ancestorIds, ...old.slice(depth)] } } },
      })),
    );
  }
  ctx.publish(categoryMoved({ categoryId: id, parentId }));
  return { category: moved };
}

export const DeleteCategory = z.object({ id: z.string() });

/** Deleting twice is the same as deleting once. A category with children stays. */
export async function deleteCategory(ctx: Ctx, { id }: z.infer<typeof DeleteCategory>) {
  await touchTree(ctx);
  if (await ctx.models.Category.exists({ parentId: id })) {
    throw new Problem('CATEGORY_NOT_EMPTY', 'Move or delete the categories below it first.', { path: ['input', 'id'] });
  }
  const { deletedCount } = await ctx.models.Category.deleteOne({ _id: id });
  if (deletedCount > 0) ctx.publish(categoryDeleted({ categoryId: id }));
  return { deletedId: id };
}

/** The category of a path of slugs from the top down, or null. */
export async function findByPath(ctx: Ctx, path: string): Promise<Category | null> {
  let found = null as Category | null;
  for (const part of path.split('/').filter(Boolean).slice(0, MAX_LEVELS)) {
    const parentId: string | null = found ? found._id : null;
    found = await ctx.models.Category.findOne({ parentId, slug: part }).lean<Category>();
    if (!found) return null;
  }
  return found;
}

export async function findCopies(ctx: Ctx, { ids }: { ids: string[] }) {
  const found = await ctx.models.Category.find({ _id: { $in: ids } }).lean();
  return {
    categories: found.map(({ _id, name: called, slug: part, ancestorIds }) => ({ id: _id, name: called, slug: part, ancestorIds })),
  };
}

export async function listSubtree(ctx: Ctx, { id }: { id: string }) {
  const found = await ctx.models.Category.find({ $or: [{ _id: id }, { ancestorIds: id }] }, { _id: 1 }).lean();
  return { ids: found.map(({ _id }) => _id) };
}

const MAX_LEVELS = 50;

async function requireCategory(ctx: Ctx, id: string, field: string): Promise<Category> {
  const found = await ctx.models.Category.findById(id).lean();
  if (!found) throw notFound('Category', id, ['input', field]);
  return found;
}

async function endOf(ctx: Ctx, parentId: string | null): Promise<number> {
  const last = await ctx.models.Category.findOne({ parentId }, { order: 1 }).sort({ order: -1 }).lean();
  return last ? last.order + 1 : 0;
}

/** Before every change of the tree's shape. */
const touchTree = async (ctx: Ctx): Promise<void> => {
  invalidateTree(ctx);
  await ctx.models.Tree.updateOne({ _id: 'tree' }, { $inc: { revision: 1 } }, { upsert: true });
};

/** A slug made of the name that no sibling has. The tree was touched before, so nobody takes it meanwhile. */
async function slugAmong(ctx: Ctx, parentId: string | null, { name: called, _id }: Pick<Category, 'name' | '_id'>): Promise<string> {
  const candidates = slugsOf(called, { spare: 'category', id: _id });
  const taken = await ctx.models.Category.find({ parentId, slug: { $in: candidates } }, { slug: 1 }).lean();
  return firstFree(candidates, (candidate) => taken.some(({ slug: other }) => other === candidate));
}

/** `field` is what of the input brought the two together. */
async function refuseTakenSlug<T>(write: PromiseLike<T>, field: 'slug' | 'newParentId'): Promise<T> {
  try {
    return await write;
  } catch (error) {
    if (isDuplicateKey(error)) throw new Problem('SLUG_TAKEN', 'A sibling has this slug already.', { path: ['input', field] });
    throw error;
  }
}

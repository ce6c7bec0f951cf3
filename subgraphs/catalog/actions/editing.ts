import { forbidden, notFound, Problem, unauthenticated, type InputPath } from '#shared/base/errors.ts';
import { isDuplicateKey } from '#shared/store/mongo.ts';
import { productUpdated } from '../contract.ts';
import type { Ctx } from '../loaders.ts';
import type { Product, Variant } from '../model.ts';
import { keysOf, summaryOf } from './drafts.ts';
import { isPublic } from '../visibility.ts';

const ID_PATH: InputPath = ['input', 'id'];

/** The product, if the viewer may edit it. What the viewer may not even see is not found; what it may only see is forbidden. */
export async function productForEdit(ctx: Ctx, id: string, path: InputPath = ID_PATH): Promise<Product> {
  if (!ctx.viewer) throw unauthenticated();
  const product = await ctx.models.Product.findById(id).lean<Product>();
  return allowed(ctx, product, () => notFound('Product', id, path));
}

/** The product of a variant, under the same conditions. */
export async function variantForEdit(ctx: Ctx, id: string): Promise<{ product: Product; variant: Variant }> {
  if (!ctx.viewer) throw unauthenticated();
  const found = await ctx.models.Product.findOne({ 'variants._id': id }).lean<Product>();
  const product = await allowed(ctx, found, () => notFound('ProductVariant', id, ID_PATH));
  return { product, variant: product.variants.find(({ _id }) => _id === id)! };
}

async function allowed(ctx: Ctx, product: Product | null, missing: () => Problem): Promise<Product> {
  if (!product) throw missing();
  const { memberships } = ctx.loaders;
  if (await memberships.can(product.vendorId, 'PRODUCTS')) {
    if (product.deletedAt) throw missing();
    await memberships.require(product.vendorId, 'PRODUCTS');
    return product;
  }
  throw isPublic(product, ctx.now()) || (await memberships.has(product.vendorId)) ? forbidden() : missing();
}

/** Refuses when the caller saw another version than there is. Null and undefined stand for "whatever there is". */
export function checkVersion({ version }: { version: number }, expected: number | null | undefined, path: InputPath = ['input']): void {
  if (expected === null || expected === undefined || expected === version) return;
  const facts = { typename: 'StaleVersionError', currentVersion: version };
  throw new Problem('STALE_VERSION', 'Somebody changed this meanwhile.', { path: [...path, 'expectedVersion'], ...facts });
}

export type Changes = Partial<Product>;

/** Field by field, what is really different. */
export function differing<T extends object>(before: T, changes: Partial<T>): Partial<T> {
  const same = (a: unknown, b: unknown): boolean => JSON.stringify(a ?? null) === JSON.stringify(b ?? null);
  return Object.fromEntries(
    Object.entries(changes).filter(([name, value]) => value !== undefined && !same(value, before[name as keyof T])),
  ) as Partial<T>;
}

/**
 * Keeps changes of a product, computed from `before`, and tells the world. Changes of variants leave the product's own version alone.
 * Nothing is written when nothing is different.
 */
export async function saveProduct(ctx: Ctx, before: Product, wanted: Changes): Promise<Product> {
  const changes = differing(before, wanted);
  if (Object.keys(changes).length === 0) return before;
  const update = updateOf(before, changes, ctx.now());
  const saved = await refuseTaken(
    ctx.models.Product.findOneAndUpdate({ _id: before._id, version: before.version, deletedAt: null }, update, {
      returnDocument: 'after',
    }).lean<Product>(),
  );
  // Read in the same transaction, so only a caller that mixed up its documents can come here.
  if (!saved) throw new Error(`${before._id} is not at version ${before.version}`);
  ctx.publish(changed(before, changes));
  return saved;
}

/** The write behind `saveProduct`, for those who write many at once. */
export function updateOf(before: Product, changes: Changes, now: Date) {
  const after = { ...before, ...changes };
  const summary = changes.variants || changes.attributes ? summaryOf(after) : {};
  const keys = changes.variants || changes.slug ? keysOf(after) : {};
  const own = Object.keys(changes).some((name) => name !== 'variants');
  return { $set: { ...changes, ...summary, ...keys, updatedAt: now }, ...(own && { $inc: { version: 1 } }) };
}

/** Product.Updated, with the price named when the lowest one is different. */
export function changed(before: Product, changes: Changes) {
  const { lowestPrice } = summaryOf({ ...before, ...changes });
  const price = lowestPrice?.amount === before.lowestPrice?.amount ? [] : ['price'];
  const names = Object.keys(changes).filter((name) => name !== 'nameKey');
  return productUpdated({
    productId: before._id,
    vendorId: before.vendorId,
    changes: [...names, ...price],
    variantIds: [...new Set([...before.variants, ...(changes.variants ?? [])].map(({ _id }) => _id))],
  });
}

/** Somebody else took a slug or SKU between the look and the write. */
export async function refuseTaken<T>(
  write: PromiseLike<T>,
  { path = ['input'], slugPath = [...path, 'slug'] }: { path?: InputPath; slugPath?: InputPath } = {},
): Promise<T> {
  try {
    return await write;
  } catch (error) {
    if (!isDuplicateKey(error)) throw error;
    if (/skuKeys/.test(String((error as Error).message)))
      throw new Problem('SKU_TAKEN', 'Another variant of this vendor has this SKU.', { path });
    throw new Problem('SLUG_TAKEN', 'Another product of this vendor has this slug.', { path: slugPath });
  }
}

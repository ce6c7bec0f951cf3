import type { Envelope } from '#shared/kit/define-event.ts';
import { invalidateCacheJob, productUpdated } from '../contract.ts';
import type { Ctx } from '../loaders.ts';
import type { Product } from '../model.ts';
import { KNOWN_BY, namesOf, type KnownBy } from './known-by.ts';
import { CATEGORY_PAGES, PAGES } from './lists.ts';

/** What everyone was told about these products, and about which there are, is asked of the store again. */
async function invalidateProducts(ctx: Ctx, productIds: readonly string[]): Promise<void> {
  await ctx.cache.invalidate(productIds.map((id) => `product:${id}`));
  await forgetPages(ctx);
}

/**
 * After a mutation, for whoever reads next. A Redis that cannot be told now is told by our own event later; what was committed stays
 * committed.
 */
export async function invalidateChanged(ctx: Ctx, payload: Record<string, unknown>): Promise<void> {
  const { product, variant, deletedId, results } = payload as Changed;
  const ids = [product?._id, variant?.product._id, deletedId, ...(results ?? []).map(({ productId }) => productId)].filter(
    (id) => typeof id === 'string',
  );
  if (ids.length === 0) return;
  try {
    await invalidateProducts(ctx, ids);
  } catch (error) {
    ctx.log.warn({ err: error }, 'the cache could not be told of a change; it will be told by the event');
  }
}

interface Changed {
  product?: { _id: string } | null;
  variant?: { product: { _id: string } } | null;
  deletedId?: string | null;
  results?: { productId: string | null }[] | null;
}

async function forgetPages(ctx: Ctx): Promise<void> {
  await ctx.cache.invalidateGroup(PAGES);
  await invalidateCategoryPages(ctx);
}

export const invalidateCategoryPages = (ctx: Ctx): Promise<void> => ctx.cache.invalidateGroup(CATEGORY_PAGES);

/** Our own events come back to every process. A product made while its vendor was being suspended learns of it here. */
export async function invalidateProduct(ctx: Ctx, { productId, vendorId }: { productId: string; vendorId: string }): Promise<void> {
  const vendor = await ctx.models.VendorState.findById(vendorId).lean();
  if (vendor) {
    const { suspended } = vendor;
    await ctx.transaction(async (inner) => {
      const product = await inner.models.Product.findOneAndUpdate(
        { _id: productId, vendorSuspended: !suspended },
        { $set: { vendorSuspended: suspended } },
      ).lean<Product>();
      if (product) inner.enqueue(forget([product]));
    });
  }
  await invalidateProducts(ctx, [productId]);
}

/** Also of a store that was closed: what is not sold for now, and what is not sold any more, look the same. */
export const suspendVendor = (ctx: Ctx, { vendorId }: { vendorId: string }, envelope: Envelope) =>
  setSuspended(ctx, vendorId, { suspended: true, envelope });

export const reinstateVendor = (ctx: Ctx, { vendorId }: { vendorId: string }, envelope: Envelope) =>
  setSuspended(ctx, vendorId, { suspended: false, envelope });

/** The later word counts, in whatever order the two arrive. */
async function setSuspended(
  ctx: Ctx,
  vendorId: string,
  { suspended, envelope }: { suspended: boolean; envelope: Envelope },
): Promise<void> {
  const at = new Date(envelope.occurredAt);
  const known = await ctx.models.VendorState.findById(vendorId).lean();
  if (known && known.at > at) return;
  await ctx.models.VendorState.updateOne({ _id: vendorId }, { $set: { suspended, at } }, { upsert: true });
  const found = await ctx.models.Product.find({ vendorId, vendorSuspended: !suspended }, KNOWN_BY).lean<KnownBy[]>();
  await ctx.models.Product.updateMany({ vendorId, vendorSuspended: !suspended }, { $set: { vendorSuspended: suspended } });
  for (let at = 0; at < found.length; at += FORGOTTEN_AT_ONCE) ctx.enqueue(forget(found.slice(at, at + FORGOTTEN_AT_ONCE)));
}

const FORGOTTEN_AT_ONCE = 100;

const forget = (products: readonly Pick<Product, '_id' | 'variants'>[]) =>
  invalidateCacheJob({
    productIds: products.map(({ _id }) => _id),
    variantIds: products.flatMap(({ variants }) => variants.map(({ _id }) => _id)),
  });

/** Comes through the outbox, so that it happens after the commit: what is forgotten before may be remembered again as it was. */
export const runCacheInvalidation = (ctx: Ctx, { productIds }: { productIds: string[] }): Promise<void> =>
  invalidateProducts(ctx, productIds);

/** No product stands on a shelf that is gone. */
export async function dropCategory(ctx: Ctx, { categoryId }: { categoryId: string }): Promise<void> {
  const found = await ctx.models.Product.find({ categoryIds: categoryId }, KNOWN_BY).lean<KnownBy[]>();
  await ctx.models.Product.updateMany({ categoryIds: categoryId }, { $pull: { categoryIds: categoryId }, $inc: { version: 1 } });
  ctx.publish(...found.map((product) => productUpdated({ ...namesOf(product), changes: ['categoryIds'] })));
}

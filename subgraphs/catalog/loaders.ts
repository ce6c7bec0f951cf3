import DataLoader from 'dataloader';
import type { Context } from '#shared/kit/context.ts';
import { byId } from '#shared/store/loaders.ts';
import { findCategories } from '../categories/contract.ts';
import { createMemberships } from '../vendors/contract.ts';
import type { Attribute, Models, Product, ProductImport } from './model.ts';
import type { Providers } from './providers.ts';
import { settings } from './settings.ts';

const CATEGORIES_A_CALL = 250;
/** How long a variant's product is remembered: a variant never moves. */
const VARIANT_SECONDS = 3_600;

export const loaders = (models: Models, ctx: Context<Models, unknown, Providers>) => {
  const { Product, Attribute, ProductImport } = models;
  return {
    memberships: createMemberships(ctx),
    attribute: byId<Attribute>(Attribute),
    /** As it is stored now, with what only members may see. */
    product: byId<Product>(Product),
    /** As everyone may know it, if it is published: some minutes old at most, without private metadata. */
    sharedProduct: new DataLoader<string, Product | null>(async (ids) =>
      ctx.cache.cachedMany<Product>(ids, {
        key: (id) => `product:${id}`,
        tagsOf: (id) => [`Product:${id}`],
        ttlSeconds: await ctx.settings.get(settings.productCacheSeconds),
        load: (missing) => loadShared(models, missing),
      }),
    ),
    productIdOfVariant: new DataLoader<string, string | null>((ids) =>
      ctx.cache.cachedMany<string>(ids, {
        key: (id) => `variant:${id}`,
        ttlSeconds: VARIANT_SECONDS,
        load: (missing) => loadProductIds(models, missing),
      }),
    ),
    /** Whether a category still exists: an event that names categories makes what is kept of it stale. */
    categoryExists: new DataLoader<string, boolean | null>(
      async (ids) =>
        ctx.cache.cachedMany<boolean>(ids, {
          key: (id) => `category:${id}`,
          tagsOf: () => ['Category'],
          ttlSeconds: await ctx.settings.get(settings.categoryCacheSeconds),
          load: async (missing) => {
            const { categories } = await ctx.call(findCategories, { ids: missing });
            return missing.map((id) => categories.some((category) => category.id === id) || null);
          },
        }),
      { maxBatchSize: CATEGORIES_A_CALL },
    ),
    productImport: byId<ProductImport>(ProductImport),
  };
};

export type Ctx = Context<Models, ReturnType<typeof loaders>, Providers>;

async function loadShared({ Product }: Models, ids: readonly string[]): Promise<(Product | null)[]> {
  const found = await Product.find({ _id: { $in: [...ids] } }, { privateMetadata: 0 }).lean<Product[]>();
  const byKey = new Map(found.map((product) => [product._id, product]));
  return ids.map((id) => byKey.get(id) ?? null);
}

async function loadProductIds({ Product }: Models, variantIds: readonly string[]): Promise<(string | null)[]> {
  const found = await Product.find({ 'variants._id': { $in: [...variantIds] } }, { 'variants._id': 1 }).lean<
    Pick<Product, '_id' | 'variants'>[]
  >();
  const byVariant = new Map(found.flatMap(({ _id, variants }) => variants.map((variant) => [variant._id, _id] as const)));
  return variantIds.map((id) => byVariant.get(id) ?? null);
}

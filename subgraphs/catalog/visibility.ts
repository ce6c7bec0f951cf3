import { isProblem } from '#shared/base/errors.ts';
import type { Ctx } from './loaders.ts';
import type { Product, Variant } from './model.ts';
import { keyOf } from './keys.ts';

/** A variant together with its product: what may be seen of it depends on both. */
export type VariantOfProduct = Variant & { product: Product };

type Seen = Pick<Product, 'state' | 'publishAt' | 'unpublishAt' | 'deletedAt'>;

/** Released and within its dates; whether its vendor may sell is another question. */
export const isReleased = ({ state, publishAt, unpublishAt, deletedAt }: Seen, now: Date): boolean =>
  state === 'PUBLISHED' && !deletedAt && (!publishAt || publishAt <= now) && (!unpublishAt || unpublishAt > now);

export const isPublic = (product: Seen & Pick<Product, 'vendorSuspended'>, now: Date): boolean =>
  isReleased(product, now) && !product.vendorSuspended;

const A_DAY = 86_400;

/** For how long everyone sees it, as far as dates tell; 0 when only members of its vendor do. */
export function publicSeconds(product: Parameters<typeof isPublic>[0], now: Date): number {
  if (!isPublic(product, now)) return 0;
  return product.unpublishAt ? (product.unpublishAt.getTime() - now.getTime()) / 1_000 : A_DAY;
}

/** The same as a filter of the store. */
export const publicFilter = (now: Date): Record<string, unknown> => ({
  state: 'PUBLISHED',
  deletedAt: null,
  vendorSuspended: false,
  publishAt: { $lte: now },
  $or: [{ unpublishAt: null }, { unpublishAt: { $gt: now } }],
});

const isAdmin = ({ viewer }: Ctx): boolean => viewer?.roles.includes('admin') ?? false;

/** Members of the vendor, whatever their role, and admins see what is not public. */
export const seesAll = async (ctx: Ctx, vendorId: string): Promise<boolean> => isAdmin(ctx) || ctx.loaders.memberships.has(vendorId);

export const maySee = async (ctx: Ctx, product: Product): Promise<boolean> =>
  isPublic(product, ctx.now()) || seesAll(ctx, product.vendorId);

/** Who may edit products of the vendor, and admins. */
export const seesPrivate = async (ctx: Ctx, vendorId: string): Promise<boolean> =>
  isAdmin(ctx) || ctx.loaders.memberships.can(vendorId, 'PRODUCTS');

/** The product, if the viewer may see it. What is public comes from what is kept for everyone; the rest as it is stored now. */
export async function findProduct(ctx: Ctx, id: string): Promise<Product | null> {
  const shared = await ctx.loaders.sharedProduct.load(id);
  if (shared && isPublic(shared, ctx.now())) return shared;
  if (!shared || !(await seesAll(ctx, shared.vendorId))) return null;
  return ctx.loaders.product.load(id);
}

export async function findBySlug(ctx: Ctx, { vendorId, slug }: { vendorId: string; slug: string }): Promise<Product | null> {
  const found = await ctx.models.Product.findOne({ slugKey: keyOf(vendorId, slug) }).lean<Product>();
  return found && (await maySee(ctx, found)) ? found : null;
}

export async function findVariant(ctx: Ctx, id: string): Promise<VariantOfProduct | null> {
  const productId = await ctx.loaders.productIdOfVariant.load(id);
  const product = productId && (await findProduct(ctx, productId));
  return (product && variantsOf(product).find(({ _id }) => _id === id)) || null;
}

export const variantsOf = (product: Product): VariantOfProduct[] => product.variants.map((variant) => ({ ...variant, product }));

/** Without those that are gone, whose event has not arrived yet. While nobody can say which exist, all are named. */
export async function categoriesOf({ loaders }: Ctx, { categoryIds }: Product): Promise<{ id: string }[]> {
  const exist = await Promise.all(categoryIds.map((id) => loaders.categoryExists.load(id))).catch((error: unknown) => {
    if (isProblem(error) && error.retryable) return categoryIds.map(() => true);
    throw error;
  });
  return categoryIds.filter((_id, index) => exist[index]).map((id) => ({ id }));
}

export const nameOf = ({ axes }: Pick<Variant, 'axes'>): string => axes.map(({ text }) => text).join(', ');

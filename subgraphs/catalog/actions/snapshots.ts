import type { Ctx } from '../loaders.ts';
import type { Product, Variant } from '../model.ts';
import { isReleased, nameOf } from '../visibility.ts';

/** One query. Deleted products are known as well, so that orders can go on naming what was bought; they are not for sale. */
export async function findSnapshots(ctx: Ctx, { variantIds }: { variantIds: string[] }) {
  const fields = {
    vendorId: 1,
    name: 1,
    variants: 1,
    media: 1,
    categoryIds: 1,
    state: 1,
    publishAt: 1,
    unpublishAt: 1,
    deletedAt: 1,
    version: 1,
  };
  const products = await ctx.models.Product.find({ 'variants._id': { $in: variantIds } }, fields).lean<Product[]>();
  const wanted = new Set(variantIds);
  const variants = products.flatMap((product) =>
    product.variants.filter(({ _id }) => wanted.has(_id)).map((variant) => copyOf(ctx, product, variant)),
  );
  return { variants };
}

const copyOf = (ctx: Ctx, product: Product, variant: Variant) => ({
  variantId: variant._id,
  productId: product._id,
  vendorId: product.vendorId,
  sku: variant.sku,
  productName: product.name,
  variantName: nameOf(variant),
  price: { amount: variant.price.amount, currency: variant.price.currency },
  isForSale: isReleased(product, ctx.now()) && !variant.archivedAt,
  categoryIds: product.categoryIds,
  imageUrl: imageOf(ctx, product, variant),
  productVersion: product.version,
});

function imageOf({ providers }: Ctx, { media }: Product, { mediaId }: Variant): string | null {
  const image = media.find(({ _id }) => _id === mediaId) ?? media.find(({ contentType }) => contentType.startsWith('image/'));
  return image ? providers.uploads.publicUrl(image.key) : null;
}

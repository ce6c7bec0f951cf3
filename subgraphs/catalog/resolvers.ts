import type { z } from 'zod';
import { invalid } from '#shared/base/errors.ts';
import { formatMoney, type Money } from '#shared/base/money.ts';
import { mutation } from '#shared/kit/mutation.ts';
import { CreateAttribute, createAttribute, UpdateAttribute, updateAttribute } from './actions/attributes.ts';
import { BulkCreateProducts, bulkCreateProducts, BulkUpdateProducts, bulkUpdateProducts } from './actions/bulk.ts';
import {
  CancelProductExport,
  cancelProductExport,
  exportUrl,
  findExport,
  StartProductExport,
  startProductExport,
  type ProductExport,
} from './actions/export.ts';
import {
  CancelProductImport,
  cancelProductImport,
  findImport,
  MAX_ERRORS,
  StartProductImport,
  startProductImport,
} from './actions/import.ts';
import { invalidateChanged } from './actions/listening.ts';
import { listAttributes, listProducts, within, type ProductList } from './actions/lists.ts';
import { AddMedia, addMedia, RemoveMedia, removeMedia, ReorderMedia, reorderMedia, UpdateMedia, updateMedia } from './actions/media.ts';
import * as products from './actions/products.ts';
import { availableActions } from './actions/publication.ts';
import { subscriptions } from './actions/streams.ts';
import { CreateMediaUpload, createMediaUpload, CreateProductImportUpload, createProductImportUpload } from './actions/uploads.ts';
import { optionsOf, textOf, type CheckedValue } from './actions/values.ts';
import * as variants from './actions/variants.ts';
import {
  categoriesOf,
  findBySlug,
  findProduct,
  findVariant,
  isPublic,
  isReleased,
  nameOf,
  variantsOf,
  type VariantOfProduct,
} from './visibility.ts';
import type { Ctx } from './loaders.ts';
import type { Attribute, Media, Product, ProductImport } from './model.ts';

type Id = { id: string };

/** A mutation after whose commit nobody is told what was there before. */
const change = <S extends z.ZodType>(schema: S, action: (ctx: Ctx, input: z.infer<S>) => Promise<Record<string, unknown>>) =>
  mutation(schema, action, { after: invalidateChanged });

const formatMoneyOrNull = (amount: Money | null | undefined) => (amount ? formatMoney(amount) : null);

const MAX_IDS = 100;

function atMost<T>(list: T[], most: number, path: string): T[] {
  if (list.length > most) throw invalid([path], `At most ${most} belong here.`);
  return list;
}

const byKeys = (facts: Product['metadata'], keys: string[] | null | undefined): Product['metadata'] =>
  keys ? facts.filter(({ key }) => atMost(keys, 50, 'keys').includes(key)) : facts;

const definition = ({ attributeId }: CheckedValue, { loaders }: Ctx): Promise<Attribute> =>
  loaders.attribute.load(attributeId) as Promise<Attribute>;

export const resolvers = {
  Query: {
    product: (_root: unknown, { id }: Id, ctx: Ctx) => findProduct(ctx, id),
    productBySlug: (_root: unknown, place: { vendorId: string; slug: string }, ctx: Ctx) => findBySlug(ctx, place),
    products: (_root: unknown, list: ProductList, ctx: Ctx) => listProducts(ctx, list),
    variant: (_root: unknown, { id }: Id, ctx: Ctx) => findVariant(ctx, id),
    variants: (_root: unknown, { ids }: { ids: string[] }, ctx: Ctx) =>
      Promise.all(atMost(ids, MAX_IDS, 'ids').map((id) => findVariant(ctx, id))),
    productAttributes: (_root: unknown, list: Parameters<typeof listAttributes>[1], ctx: Ctx) => listAttributes(ctx, list),
    productImport: (_root: unknown, { id }: Id, ctx: Ctx) => findImport(ctx, id),
    productExport: (_root: unknown, { id }: Id, ctx: Ctx) => findExport(ctx, id),
  },
  Mutation: {
    createAttribute: mutation(CreateAttribute, createAttribute),
    updateAttribute: mutation(UpdateAttribute, updateAttribute),
    createProduct: change(products.CreateProduct, products.createProduct),
    updateProduct: change(products.UpdateProduct, products.updateProduct),
    publishProduct: change(products.PublishProduct, products.publishProduct),
    unpublishProduct: change(products.UnpublishProduct, products.unpublishProduct),
    archiveProduct: change(products.ArchiveProduct, products.archiveProduct),
    restoreProduct: change(products.RestoreProduct, products.restoreProduct),
    deleteProduct: change(products.DeleteProduct, products.deleteProduct),
    updateProductMetadata: change(products.UpdateProductMetadata, products.updateProductMetadata),
    createVariant: change(variants.CreateVariant, variants.createVariant),
    updateVariant: change(variants.UpdateVariant, variants.updateVariant),
    archiveVariant: change(variants.ArchiveVariant, variants.archiveVariant),
    restoreVariant: change(variants.RestoreVariant, variants.restoreVariant),
    createMediaUpload: mutation(CreateMediaUpload, createMediaUpload),
    addMedia: change(AddMedia, addMedia),
    updateMedia: change(UpdateMedia, updateMedia),
    removeMedia: change(RemoveMedia, removeMedia),
    reorderMedia: change(ReorderMedia, reorderMedia),
    bulkCreateProducts: change(BulkCreateProducts, bulkCreateProducts),
    bulkUpdateProducts: change(BulkUpdateProducts, bulkUpdateProducts),
    createProductImportUpload: mutation(CreateProductImportUpload, createProductImportUpload),
    startProductImport: mutation(StartProductImport, startProductImport),
    startProductExport: mutation(StartProductExport, startProductExport),
    cancelProductImport: mutation(CancelProductImport, cancelProductImport, { transaction: false }),
    cancelProductExport: mutation(CancelProductExport, cancelProductExport, { transaction: false }),
  },
  Subscription: subscriptions,
  Product: {
    __resolveReference: ({ id }: Id, ctx: Ctx) => findProduct(ctx, id),
    id: (product: Product) => product._id,
    vendor: ({ vendorId }: Product) => ({ id: vendorId }),
    categories: (product: Product, _args: unknown, ctx: Ctx) => categoriesOf(ctx, product),
    variantAxes: ({ axisIds }: Product, _args: unknown, { loaders }: Ctx) => loaders.attribute.loadMany(axisIds),
    variants: (product: Product, { includeArchived }: { includeArchived?: boolean | null }) =>
      variantsOf(product).filter(({ archivedAt }) => includeArchived || !archivedAt),
    price: ({ lowestPrice }: Product) => formatMoneyOrNull(lowestPrice),
    priceRange: ({ lowestPrice, highestPrice }: Product) =>
      lowestPrice && { lowest: formatMoneyOrNull(lowestPrice), highest: formatMoneyOrNull(highestPrice) },
    metadata: ({ metadata }: Product, { keys }: { keys?: string[] | null }) => byKeys(metadata, keys),
    privateMetadata: async ({ _id }: Product, { keys }: { keys?: string[] | null }, { loaders }: Ctx) =>
      byKeys((await loaders.product.load(_id))?.privateMetadata ?? [], keys),
    isPublished: (product: Product, _args: unknown, ctx: Ctx) => isPublic(product, ctx.now()),
    availableActions,
  },
  ProductVariant: {
    __resolveReference: ({ id }: Id, ctx: Ctx) => findVariant(ctx, id),
    id: (variant: VariantOfProduct) => variant._id,
    name: nameOf,
    axisValues: ({ axes }: VariantOfProduct) => axes,
    price: ({ price }: VariantOfProduct) => formatMoneyOrNull(price),
    compareAtPrice: ({ compareAtPrice }: VariantOfProduct) => formatMoneyOrNull(compareAtPrice),
    media: ({ product, mediaId }: VariantOfProduct) => product.media.find(({ _id }) => _id === mediaId) ?? null,
    isArchived: ({ archivedAt }: VariantOfProduct) => Boolean(archivedAt),
    isForSale: ({ product, archivedAt }: VariantOfProduct, _args: unknown, ctx: Ctx) => isReleased(product, ctx.now()) && !archivedAt,
  },
  ProductMedia: {
    id: (media: Media) => media._id,
    url: ({ key }: Media, _args: unknown, { providers }: Ctx) => providers.uploads.publicUrl(key),
  },
  ProductAttribute: {
    __resolveReference: ({ id }: Id, { loaders }: Ctx) => loaders.attribute.load(id),
    id: (attribute: Attribute) => attribute._id,
    vendor: ({ vendorId }: Attribute) => vendorId && { id: vendorId },
  },
  ProductAttributeValue: {
    attribute: (value: CheckedValue, _args: unknown, ctx: Ctx) => definition(value, ctx),
    text: async (value: CheckedValue, _args: unknown, ctx: Ctx) => textOf(await definition(value, ctx), value.value),
    options: async (value: CheckedValue, _args: unknown, ctx: Ctx) => optionsOf(await definition(value, ctx), value.value),
    number: ({ value }: CheckedValue) => (typeof value === 'number' ? value : null),
    boolean: ({ value }: CheckedValue) => (typeof value === 'boolean' ? value : null),
  },
  BulkProductResult: {
    product: ({ productId }: { productId: string | null }, _args: unknown, { loaders }: Ctx) =>
      productId && loaders.product.load(productId),
  },
  ProductImport: {
    __resolveReference: ({ id }: Id, ctx: Ctx) => findImport(ctx, id),
    id: (running: ProductImport) => running._id,
    vendor: ({ vendorId }: ProductImport) => ({ id: vendorId }),
    errors: ({ errors }: ProductImport, { first }: { first?: number | null }) =>
      errors.slice(0, Math.min(Math.max(first ?? 100, 0), MAX_ERRORS)),
  },
  ProductExport: {
    __resolveReference: ({ id }: Id, ctx: Ctx) => findExport(ctx, id),
    vendor: ({ vendorId }: ProductExport) => ({ id: vendorId }),
    fileExpiresAt: ({ result }: ProductExport) => result && new Date(result.expiresAt),
    url: (running: ProductExport, _args: unknown, ctx: Ctx) => exportUrl(ctx, running),
  },
  Vendor: {
    __resolveReference: (vendor: Id) => vendor,
    products: ({ id }: Id, list: ProductList, ctx: Ctx) => listProducts(ctx, within(list, 'vendorId', { eq: id })),
  },
  Category: {
    __resolveReference: (category: Id) => category,
    products: ({ id }: Id, list: ProductList, ctx: Ctx) => listProducts(ctx, within(list, 'categoryId', id)),
  },
};

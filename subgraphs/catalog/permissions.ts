import { allow, and, isSignedIn, objectRule } from '#shared/kit/permissions.ts';
import { maySee, seesPrivate, type VariantOfProduct } from './visibility.ts';
import type { Ctx } from './loaders.ts';
import type { Product } from './model.ts';

const seesProduct = objectRule<Product, unknown, Ctx>('seesProduct', (product, _args, ctx) => maySee(ctx, product));
const seesVariant = objectRule<VariantOfProduct, unknown, Ctx>('seesVariant', ({ product }, _args, ctx) => maySee(ctx, product));
/** Of products, imports and exports alike: what only those who may edit products see. */
const editsProducts = objectRule<{ vendorId: string }, unknown, Ctx>('editsProducts', ({ vendorId }, _args, ctx) =>
  seesPrivate(ctx, vendorId),
);

/** What a vendor's member may do is asked in the actions, where it is known whose products are meant. */
export const permissions = {
  Query: {
    product: allow,
    productBySlug: allow,
    products: allow,
    variant: allow,
    variants: allow,
    productAttributes: allow,
    productImport: isSignedIn,
    productExport: isSignedIn,
  },
  Mutation: {
    createProduct: isSignedIn,
    updateProduct: isSignedIn,
    publishProduct: isSignedIn,
    unpublishProduct: isSignedIn,
    archiveProduct: isSignedIn,
    restoreProduct: isSignedIn,
    deleteProduct: isSignedIn,
    updateProductMetadata: isSignedIn,
    createVariant: isSignedIn,
    updateVariant: isSignedIn,
    archiveVariant: isSignedIn,
    restoreVariant: isSignedIn,
    createAttribute: isSignedIn,
    updateAttribute: isSignedIn,
    createMediaUpload: isSignedIn,
    addMedia: isSignedIn,
    updateMedia: isSignedIn,
    removeMedia: isSignedIn,
    reorderMedia: isSignedIn,
    bulkCreateProducts: isSignedIn,
    bulkUpdateProducts: isSignedIn,
    createProductImportUpload: isSignedIn,
    startProductImport: isSignedIn,
    startProductExport: isSignedIn,
    cancelProductImport: isSignedIn,
    cancelProductExport: isSignedIn,
  },
  Subscription: { productImportChanged: isSignedIn, productExportChanged: isSignedIn },
  Product: { '*': seesProduct, privateMetadata: and(seesProduct, editsProducts) },
  ProductVariant: { '*': seesVariant },
  ProductAttribute: { '*': allow },
  ProductImport: { '*': editsProducts },
  ProductExport: { '*': editsProducts },
  Vendor: { '*': allow },
  Category: { '*': allow },
};

import { z } from 'zod';
import { invalid, notFound, Problem } from '#shared/base/errors.ts';
import { idempotencyKey } from '#shared/base/input.ts';
import type { Ctx } from '../loaders.ts';
import type { Product, Variant } from '../model.ts';
import { checkAxisValues, checkPrice, checkVariant, draftVariant, takeSku } from './drafts.ts';
import { checkVersion, differing, productForEdit, saveProduct, variantForEdit } from './editing.ts';
import { findFacts, type Facts } from './facts.ts';
import { MAX_VARIANTS, NewVariant, VariantChange, Which } from './inputs.ts';
import { refuseNothingToSell } from './publication.ts';

export const CreateVariant = NewVariant.extend({ productId: z.string(), idempotencyKey: idempotencyKey().optional() });

export async function createVariant(ctx: Ctx, input: z.infer<typeof CreateVariant>) {
  const product = await productForEdit(ctx, input.productId, ['input', 'productId']);
  if (product.variants.length >= MAX_VARIANTS) {
    throw new Problem('TOO_MANY_VARIANTS', `A product has at most ${MAX_VARIANTS} variants.`, { path: ['input', 'productId'] });
  }
  const facts = await findFacts(ctx, product.vendorId, { attributeIds: product.axisIds, skus: [input.sku] });
  const variant = draftVariant(facts, product, input, { path: ['input'], now: ctx.now() });
  return answerOf(await saveProduct(ctx, product, { variants: [...product.variants, variant] }), variant._id);
}

export const UpdateVariant = VariantChange;

/** Changes what is given, if nobody changed the variant since `expectedVersion`. */
export async function updateVariant(ctx: Ctx, input: z.infer<typeof UpdateVariant>) {
  const { product, variant } = await variantForEdit(ctx, input.id);
  const facts = await findFacts(ctx, product.vendorId, { attributeIds: product.axisIds, skus: input.sku === undefined ? [] : [input.sku] });
  const changedVariant = changedBy(facts, product, { variant, input, path: ['input'], now: ctx.now() });
  return answerOf(await saveProduct(ctx, product, { variants: replaced(product, changedVariant) }), variant._id);
}

interface VariantEdit {
  variant: Variant;
  input: VariantChange;
  path: (string | number)[];
  now: Date;
}

/** The variant as the input wants it; the same object when nothing is different. */
export function changedBy(facts: Facts, product: Product, { variant, input, path, now }: VariantEdit): Variant {
  checkVersion(variant, input.expectedVersion, path);
  const { mediaId, weightGrams, barcode } = input;
  if (mediaId && !product.media.some(({ _id }) => _id === mediaId)) throw notFound('ProductMedia', mediaId, [...path, 'mediaId']);
  const changes = differing<Variant>(variant, {
    sku: input.sku,
    axes: input.axisValues && checkAxisValues(facts, product, input.axisValues, [...path, 'axisValues']),
    price: input.price && checkPrice(facts, input.price, [...path, 'price']),
    compareAtPrice: input.compareAtPrice ? checkPrice(facts, input.compareAtPrice, [...path, 'compareAtPrice']) : input.compareAtPrice,
    weightGrams,
    barcode,
    mediaId,
  });
  if (Object.keys(changes).length === 0) return variant;
  const changedVariant = { ...variant, ...changes, version: variant.version + 1, updatedAt: now };
  checkVariant(product, changedVariant, path);
  takeSku(facts, changedVariant, [...path, 'sku']);
  return changedVariant;
}

export const ArchiveVariant = Which;

/** Archiving twice is the same as archiving once. */
export const archiveVariant = (ctx: Ctx, which: Which) => setArchived(ctx, which, ctx.now());

export const RestoreVariant = Which;

export const restoreVariant = (ctx: Ctx, which: Which) => setArchived(ctx, which, null);

async function setArchived(ctx: Ctx, { id, expectedVersion }: Which, archivedAt: Date | null) {
  const { product, variant } = await variantForEdit(ctx, id);
  checkVersion(variant, expectedVersion);
  if (Boolean(variant.archivedAt) === Boolean(archivedAt)) return answerOf(product, id);
  const moved = { ...variant, archivedAt, version: variant.version + 1, updatedAt: ctx.now() };
  checkVariant(product, moved, ['input']);
  const variants = replaced(product, moved);
  if (product.state === 'PUBLISHED') refuseNothingToSell({ variants }, ['input', 'id']);
  return answerOf(await saveProduct(ctx, product, { variants }), id);
}

export const replaced = ({ variants }: Pick<Product, 'variants'>, variant: Variant): Variant[] =>
  variants.map((each) => (each._id === variant._id ? variant : each));

function answerOf(product: Product, id: string) {
  const variant = product.variants.find(({ _id }) => _id === id);
  if (!variant) throw invalid(['input', 'id'], 'The variant is not there any more.');
  return { variant: { ...variant, product } };
}

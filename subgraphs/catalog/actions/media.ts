import { z } from 'zod';
import { invalid, notFound, Problem } from '#shared/base/errors.ts';
import { newId } from '#shared/base/ids.ts';
import { idempotencyKey, list, text } from '#shared/base/input.ts';
import type { Ctx } from '../loaders.ts';
import type { Media, Product } from '../model.ts';
import { checkVersion, productForEdit, saveProduct } from './editing.ts';
import { takeUpload } from './uploads.ts';

export const MAX_MEDIA = 20;
const PRODUCT_PATH = ['input', 'productId'];

/** What a picture shows, for those who do not see it. */
export const alt = text({ max: 300 });

export const AddMedia = z.object({
  productId: z.string(),
  uploadId: z.string(),
  alt: alt.nullish(),
  position: z.int().min(0, 'must not be negative').nullish(),
  idempotencyKey: idempotencyKey().optional(),
});

export async function addMedia(ctx: Ctx, input: z.infer<typeof AddMedia>) {
  const product = await productForEdit(ctx, input.productId, PRODUCT_PATH);
  if (product.media.length >= MAX_MEDIA)
    throw new Problem('TOO_MANY_MEDIA', `A product has at most ${MAX_MEDIA} media.`, { path: PRODUCT_PATH });
  const { key, contentType } = await takeUpload(ctx, {
    id: input.uploadId,
    vendorId: product.vendorId,
    purpose: 'MEDIA',
    usedBy: product._id,
  });
  const added: Media = { _id: newId('med'), key, contentType, alt: input.alt ?? '' };
  const at = input.position ?? product.media.length;
  return { product: await saveProduct(ctx, product, { media: product.media.toSpliced(at, 0, added) }) };
}

export const UpdateMedia = z.object({ productId: z.string(), mediaId: z.string(), alt });

export async function updateMedia(ctx: Ctx, { productId, mediaId, alt: words }: z.infer<typeof UpdateMedia>) {
  const product = await productForEdit(ctx, productId, PRODUCT_PATH);
  if (!product.media.some(({ _id }) => _id === mediaId)) throw notFound('ProductMedia', mediaId, ['input', 'mediaId']);
  return {
    product: await saveProduct(ctx, product, {
      media: product.media.map((each) => (each._id === mediaId ? { ...each, alt: words } : each)),
    }),
  };
}

export const RemoveMedia = z.object({ productId: z.string(), mediaId: z.string() });

/** Removing twice is the same as removing once. The file stays: orders may show it. */
export async function removeMedia(ctx: Ctx, { productId, mediaId }: z.infer<typeof RemoveMedia>) {
  const product = await productForEdit(ctx, productId, PRODUCT_PATH);
  const media = product.media.filter(({ _id }) => _id !== mediaId);
  return { product: await saveProduct(ctx, product, { media, variants: withoutMedia(product, mediaId, ctx.now()) }) };
}

const withoutMedia = ({ variants }: Product, mediaId: string, now: Date): Product['variants'] =>
  variants.map((variant) =>
    variant.mediaId === mediaId ? { ...variant, mediaId: null, version: variant.version + 1, updatedAt: now } : variant,
  );

export const ReorderMedia = z.object({ productId: z.string(), expectedVersion: z.int(), mediaIds: list(z.string()) });

export async function reorderMedia(ctx: Ctx, { productId, expectedVersion, mediaIds }: z.infer<typeof ReorderMedia>) {
  const product = await productForEdit(ctx, productId, PRODUCT_PATH);
  checkVersion(product, expectedVersion);
  const media = mediaIds.flatMap((id) => product.media.find(({ _id }) => _id === id) ?? []);
  if (mediaIds.length !== product.media.length || new Set(media).size !== product.media.length) {
    throw invalid(['input', 'mediaIds'], 'Each of the media of the product is named once.');
  }
  return { product: await saveProduct(ctx, product, { media }) };
}

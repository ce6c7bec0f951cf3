import { z } from 'zod';
import { code, list, longText, slug, text } from '#shared/base/input.ts';
import { PositiveMoneyInput } from '#shared/base/money.ts';
import { codeText } from '#shared/base/text.ts';
import { AttributeValueInput } from './values.ts';

export const MAX_VARIANTS = 250;
const MAX_NEW_VARIANTS = 100;
const MAX_GRAMS = 10_000_000;

const ids = (max: number) => list(z.string(), { max });
/** Tags are kept in the spelling they are found by. */
export const tagOf = (value: string): string => codeText(value.normalize('NFKC').toLowerCase());
const tag = code({ max: 50 }).transform(tagOf);

export const metadataKey = z.string().regex(/^[\w.:-]{1,64}$/, 'must be 1 to 64 letters, digits, dots, dashes, underscores and colons');
export const metadataList = list(z.object({ key: metadataKey, value: text({ max: 1_000 }) }), { max: 50 });

const variantFields = {
  sku: code({ max: 64 }),
  axisValues: list(AttributeValueInput, { max: 3 }),
  price: PositiveMoneyInput,
  compareAtPrice: PositiveMoneyInput.nullish(),
  weightGrams: z.int('must be a whole number').min(0, 'must not be negative').max(MAX_GRAMS, `must be at most ${MAX_GRAMS}`).nullish(),
  barcode: z
    .string()
    .regex(/^[\dA-Za-z-]{1,64}$/, 'must be 1 to 64 letters, digits and dashes')
    .nullish(),
};

export const NewVariant = z.object({ ...variantFields, axisValues: variantFields.axisValues.nullish() });
export type NewVariant = z.infer<typeof NewVariant>;

export const VariantChange = z.object({
  id: z.string(),
  expectedVersion: z.int(),
  sku: variantFields.sku.optional(),
  axisValues: variantFields.axisValues.optional(),
  price: PositiveMoneyInput.optional(),
  compareAtPrice: variantFields.compareAtPrice,
  weightGrams: variantFields.weightGrams,
  barcode: variantFields.barcode,
  mediaId: z.string().nullish(),
});
export type VariantChange = z.infer<typeof VariantChange>;

const productFields = {
  name: text({ min: 1, max: 200 }),
  slug: slug(),
  description: longText({ max: 10_000 }).nullish(),
  categoryIds: ids(10),
  tags: list(tag, { max: 30 }),
  attributes: list(AttributeValueInput, { max: 50 }),
  variantAxes: ids(3),
};

/** From when to when everyone sees a product: from now on, where no date says otherwise. */
export const Publication = z.object({ publishAt: z.date().nullish(), unpublishAt: z.date().nullish() });
export type Publication = z.infer<typeof Publication>;

export const NewProduct = z.object({
  name: productFields.name,
  slug: productFields.slug.nullish(),
  description: productFields.description,
  categoryIds: productFields.categoryIds.nullish(),
  tags: productFields.tags.nullish(),
  attributes: productFields.attributes.nullish(),
  variantAxes: productFields.variantAxes.nullish(),
  variants: list(NewVariant, { max: MAX_NEW_VARIANTS }).nullish(),
  metadata: metadataList.nullish(),
  privateMetadata: metadataList.nullish(),
  publication: Publication.nullish(),
});
export type NewProduct = z.infer<typeof NewProduct>;

/** A field that cannot be empty takes no null: `left out` is how it stays as it is. */
export const ProductChange = z.object({
  id: z.string(),
  expectedVersion: z.int(),
  name: productFields.name.optional(),
  slug: productFields.slug.optional(),
  description: productFields.description,
  categoryIds: productFields.categoryIds.optional(),
  tags: productFields.tags.optional(),
  attributes: productFields.attributes.optional(),
  variantAxes: productFields.variantAxes.optional(),
});
export type ProductChange = z.infer<typeof ProductChange>;

/** Which product or variant, and optionally at which version. */
export const Which = z.object({ id: z.string(), expectedVersion: z.int().nullish() });
export type Which = z.infer<typeof Which>;

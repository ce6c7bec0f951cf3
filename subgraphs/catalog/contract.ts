import { z } from 'zod';
import { defineCommand } from '#shared/kit/define-command.ts';
import { defineEvent } from '#shared/kit/define-event.ts';
import { defineJob } from '#shared/kit/define-job.ts';

const timestamp = z.iso.datetime();
const productId = z.string();
/** Whole minor units of the currency. */
const amount = z.object({ amount: z.number().int(), currency: z.string() });
/** All of the product, since what is seen of each depends on it. */
const variantIds = z.array(z.string()).default([]);

const tagsOf = (productIds: readonly string[], ids: readonly string[]): string[] => [
  ...productIds.map((id) => `Product:${id}`),
  ...ids.map((id) => `ProductVariant:${id}`),
];
const tags = (event: { productId: string; variantIds: string[] }): string[] => tagsOf([event.productId], event.variantIds);
const key = (event: { productId: string }): string => event.productId;

/** `category` is the first of its categories, `price` the lowest of its variants. */
export const productCreated = defineEvent(
  'Product.Created',
  z.object({ productId, vendorId: z.string(), category: z.string().nullable(), price: amount.nullable(), timestamp }),
  { key },
);

/** `changes` names the fields that are different now; `variants` when any of them is. */
export const productUpdated = defineEvent(
  'Product.Updated',
  z.object({ productId, vendorId: z.string(), changes: z.array(z.string()), variantIds, timestamp }),
  { key, tags },
);

export const productDeleted = defineEvent(
  'Product.Deleted',
  z.object({ productId, vendorId: z.string(), variantIds: z.array(z.string()), timestamp }),
  { key, tags },
);

const VariantCopy = z.object({
  variantId: z.string(),
  productId,
  vendorId: z.string(),
  sku: z.string(),
  productName: z.string(),
  /** The values of the variant's axes, such as "500 g, red"; empty for a product with one variant. */
  variantName: z.string(),
  price: amount,
  /** Published now, and neither product nor variant archived. Whether the vendor may sell is the vendor's to say. */
  isForSale: z.boolean(),
  categoryIds: z.array(z.string()),
  imageUrl: z.string().nullable(),
  productVersion: z.number().int(),
});

/** The variants that exist among these ids, in any order. At most 250. */
export const findVariants = defineCommand('catalog', 'findVariants', {
  input: z.object({ variantIds: z.array(z.string()).max(250) }),
  output: z.object({ variants: z.array(VariantCopy) }),
});

/* Work of this subgraph alone, on queues of its own. */

const HOUR_MS = 3_600_000;

/** Reads a CSV file, one import of a vendor at a time. The id of the run is that of the import. */
export const importJob = defineJob('catalog-imports', {
  payload: z.object({ importId: z.string(), vendorId: z.string() }),
  exclusive: ({ vendorId }) => vendorId,
  timeoutMs: 2 * HOUR_MS,
  concurrency: { perProcess: 4 },
});

/** Writes products into a CSV file. Its run is the export. */
export const exportJob = defineJob('catalog-exports', {
  payload: z.object({ vendorId: z.string(), startedBy: z.string(), states: z.array(z.string()) }),
  result: z.object({ key: z.string(), expiresAt: z.iso.datetime() }),
  timeoutMs: HOUR_MS,
  keepDays: 90,
  concurrency: { perProcess: 4 },
});

/** Removes the file of an export that is due to go. */
export const removeExportJob = defineJob('remove-export', { payload: z.object({ key: z.string() }) });

/** What is cached of these products is stale. */
export const invalidateCacheJob = defineJob('catalog-cache', {
  payload: z.object({ productIds: z.array(productId), variantIds }),
  tags: (said) => tagsOf(said.productIds, said.variantIds),
});

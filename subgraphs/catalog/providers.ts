import { z } from 'zod';
import { createUploads, uploadSettings, type Uploads } from '#shared/uploads/uploads.ts';

const seconds = (fallback: number) => z.coerce.number().int().min(1).max(86_400).default(fallback);

/** Cache times of public results, and the storage of files. */
export const environment = uploadSettings.and(
  z.object({
    CACHE_PRODUCT_SECONDS: seconds(300),
    CACHE_PRODUCT_PAGE_SECONDS: seconds(120),
    CACHE_PRODUCT_CATEGORY_SECONDS: seconds(300),
    CACHE_PRODUCT_SEARCH_SECONDS: seconds(60),
  }),
);

export interface Providers {
  uploads: Uploads;
  cacheSeconds: { product: number; page: number; category: number; search: number };
}

export const providers = (given: z.output<typeof environment>): Providers => ({
  uploads: createUploads(given),
  cacheSeconds: {
    product: given.CACHE_PRODUCT_SECONDS,
    page: given.CACHE_PRODUCT_PAGE_SECONDS,
    category: given.CACHE_PRODUCT_CATEGORY_SECONDS,
    search: given.CACHE_PRODUCT_SEARCH_SECONDS,
  },
});

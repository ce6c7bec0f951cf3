import { z } from 'zod';
import { defineSettings, setting } from '#shared/kit/define-settings.ts';

const seconds = z.int().min(1).max(86_400);
const files = z.int().min(1).max(1_000_000);

export const settings = defineSettings('catalog', {
  productCacheSeconds: setting(seconds, {
    default: 300,
    variable: 'CACHE_PRODUCT_SECONDS',
    description: 'Seconds for which a product is cached.',
  }),
  pageCacheSeconds: setting(seconds, {
    default: 120,
    variable: 'CACHE_PRODUCT_PAGE_SECONDS',
    description: 'Seconds for which a page of products is cached; dates of publication take effect after it at the latest.',
  }),
  categoryCacheSeconds: setting(seconds, {
    default: 300,
    variable: 'CACHE_PRODUCT_CATEGORY_SECONDS',
    description: 'Seconds for which the products of a category are cached.',
  }),
  searchCacheSeconds: setting(seconds, {
    default: 60,
    variable: 'CACHE_PRODUCT_SEARCH_SECONDS',
    description: 'Seconds for which a narrowed list of products is cached.',
  }),
  unusedUploads: setting(files, { default: 200, per: 'vendor', description: 'Files that a vendor may have handed in and not used.' }),
  unusedUploadMegabytes: setting(files, { default: 1_000, per: 'vendor', description: 'Megabytes of such files.' }),
  dailyUploads: setting(files, { default: 2_000, per: 'vendor', description: 'Files that a vendor may hand in a day.' }),
  dailyUploadMegabytes: setting(files, { default: 5_000, per: 'vendor', description: 'Megabytes of the files of a day.' }),
});

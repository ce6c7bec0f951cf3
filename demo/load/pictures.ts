import type { Host } from '#shared/runtime/host.ts';
import { newId } from '#shared/base/ids.ts';
import type { Ctx as CatalogCtx } from '../../subgraphs/catalog/loaders.ts';
import type { Ctx as CategoriesCtx } from '../../subgraphs/categories/loaders.ts';
import type { Ctx as VendorsCtx } from '../../subgraphs/vendors/loaders.ts';
import { marketplace } from '../data/marketplace.ts';
import { drawPicture } from '../data/pictures.ts';
import { inParallel } from './door.ts';

const WIDTH = 16;
const ISSUER = { issuer: 'demo', viewer: null };

/**
 * A picture for every store and category, and for every product that of its category. Written past the actions: to hand in 310 files one by
 * one would make the first start a minute longer. Stores and categories keep whole addresses, so a start on another port writes those again.
 */
export async function loadPictures(host: Host): Promise<void> {
  const catalog = host.runtimes.get('catalog')!.context(ISSUER) as CatalogCtx;
  const { uploads } = catalog.providers;
  const store = async (kind: string, slug: string, hueOf: string): Promise<string> => {
    const file = { folder: `demo/${kind}`, visibility: 'PUBLIC' as const, contentType: 'image/png' };
    return (await uploads.store(file, slug, drawPicture(`${kind} ${slug}`, hueOf))).key;
  };
  const ofCategories = new Map(
    await inParallel(marketplace.categories, WIDTH, async ({ slug }) => [slug, await store('categories', slug, slug)] as const),
  );
  const rows = await catalog.models.Product.find({}, { slug: 1, name: 1 }).lean();
  const ids = new Map(rows.map(({ _id, slug, name }) => [`${slug} ${name}`, _id]));
  const shown = marketplace.products.map(({ slug, name, category }) => {
    const media = [{ _id: newId('med'), key: ofCategories.get(category)!, contentType: 'image/png', alt: name }];
    return { updateOne: { filter: { _id: ids.get(`${slug} ${name}`), media: { $size: 0 } }, update: { $set: { media } } } };
  });
  await catalog.models.Product.bulkWrite(shown, { ordered: false });
  const vendors = host.runtimes.get('vendors')!.context(ISSUER) as VendorsCtx;
  const stores = await inParallel(marketplace.vendors, WIDTH, async ({ slug, trade }) => {
    const [logo, banner] = await Promise.all(['logos', 'banners'].map((kind) => store(kind, slug, trade)));
    const addresses = { logo: uploads.publicUrl(logo!), banner: uploads.publicUrl(banner!) };
    return { updateOne: { filter: { slug }, update: { $set: addresses } } };
  });
  await vendors.models.Vendor.bulkWrite(stores, { ordered: false });
  const categories = host.runtimes.get('categories')!.context(ISSUER) as CategoriesCtx;
  const tree = [...ofCategories].map(([slug, key]) => ({
    updateOne: { filter: { slug }, update: { $set: { image: uploads.publicUrl(key) } } },
  }));
  await categories.models.Category.bulkWrite(tree, { ordered: false });
}

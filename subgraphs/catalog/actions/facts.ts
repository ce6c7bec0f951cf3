import { findCategories } from '../../categories/contract.ts';
import { findVendors } from '../../vendors/contract.ts';
import { notFound } from '#shared/base/errors.ts';
import type { Ctx } from '../loaders.ts';
import type { Attribute, Product } from '../model.ts';
import { keyOf } from '../keys.ts';

/** What must be known of the world before products of a vendor can be made or changed. */
export interface Facts {
  vendorId: string;
  currency: string;
  vendorSuspended: boolean;
  attributes: ReadonlyMap<string, Attribute>;
  categories: ReadonlySet<string>;
  /** Which product has a slug, and which variant a SKU. Grows while several are made at once. */
  slugs: Map<string, string>;
  skus: Map<string, string>;
}

export interface Wanted {
  attributeIds?: readonly string[];
  categoryIds?: readonly string[];
  slugs?: readonly string[];
  skus?: readonly string[];
}

const CATEGORIES_A_CALL = 250;

/** Asks the other subgraphs first: a transaction begins with its first read, and then nobody should wait for an answer from elsewhere. */
export async function findFacts(ctx: Ctx, vendorId: string, wanted: Wanted): Promise<Facts> {
  const { vendors } = await ctx.call(findVendors, { ids: [vendorId] });
  const vendor = vendors[0];
  if (!vendor) throw notFound('Vendor', vendorId, ['input', 'vendorId']);
  const categories = await findKnownCategories(ctx, unique(wanted.categoryIds));
  const attributes = await findAttributes(ctx, unique(wanted.attributeIds));
  const { slugs, skus } = await findTaken(ctx, vendorId, wanted);
  return { vendorId, currency: vendor.currency, vendorSuspended: vendor.state !== 'ACTIVE', attributes, categories, slugs, skus };
}

const unique = (ids: readonly string[] = []): string[] => [...new Set(ids)];

async function findKnownCategories(ctx: Ctx, ids: string[]): Promise<Set<string>> {
  const known = new Set<string>();
  for (let at = 0; at < ids.length; at += CATEGORIES_A_CALL) {
    const { categories } = await ctx.call(findCategories, { ids: ids.slice(at, at + CATEGORIES_A_CALL) });
    for (const { id } of categories) known.add(id);
  }
  return known;
}

async function findAttributes(ctx: Ctx, ids: string[]): Promise<Map<string, Attribute>> {
  const found = ids.length > 0 ? await ctx.models.Attribute.find({ _id: { $in: ids } }).lean<Attribute[]>() : [];
  return new Map(found.map((attribute) => [attribute._id, attribute]));
}

async function findTaken(ctx: Ctx, vendorId: string, wanted: Wanted): Promise<Pick<Facts, 'slugs' | 'skus'>> {
  const slugs = new Map<string, string>();
  const skus = new Map<string, string>();
  const slugKeys = unique(wanted.slugs).map((slug) => keyOf(vendorId, slug));
  if (slugKeys.length > 0) {
    const found = await ctx.models.Product.find({ slugKey: { $in: slugKeys } }, { slug: 1 }).lean();
    for (const { _id, slug } of found) slugs.set(slug, _id);
  }
  const skuKeys = unique(wanted.skus).map((sku) => keyOf(vendorId, sku));
  if (skuKeys.length > 0) {
    const fields = { 'variants._id': 1, 'variants.sku': 1 };
    const found = await ctx.models.Product.find({ skuKeys: { $in: skuKeys } }, fields).lean<Pick<Product, 'variants'>[]>();
    for (const { variants } of found) for (const { _id, sku } of variants) skus.set(sku, _id);
  }
  return { slugs, skus };
}

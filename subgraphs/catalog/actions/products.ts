import { z } from 'zod';
import { invalid, Problem } from '#shared/base/errors.ts';
import { idempotencyKey, list } from '#shared/base/input.ts';
import { textKey } from '#shared/base/text.ts';
import { productCreated, productDeleted } from '../contract.ts';
import type { Ctx } from '../loaders.ts';
import { stateAfter, statesBefore, type ProductAction } from '../machine.ts';
import type { Product } from '../model.ts';
import { attempts, checkAttributes, checkAxes, checkCategories, distinct, draftProduct, type Attempt } from './drafts.ts';
import { changed, checkVersion, productForEdit, refuseTaken, saveProduct, type Changes } from './editing.ts';
import { findFacts, type Facts, type Wanted } from './facts.ts';
import { metadataKey, metadataList, NewProduct, ProductChange, Publication, Which } from './inputs.ts';
import { slugsFor, takeSlug } from './names.ts';
import { availableActions, publicationDates } from './publication.ts';

export const CreateProduct = NewProduct.extend({ vendorId: z.string(), idempotencyKey: idempotencyKey().optional() });

/** A product with all its variants, or nothing; a draft, unless its publication is given as well. */
export async function createProduct(ctx: Ctx, input: z.infer<typeof CreateProduct>) {
  await ctx.loaders.memberships.require(input.vendorId, 'PRODUCTS');
  const facts = await findFacts(ctx, input.vendorId, wantedByNew(input));
  const { attempt, problems } = attempts();
  const product = draftProduct(facts, input, { path: ['input'], now: ctx.now(), attempt });
  if (problems[0]) throw problems[0];
  await refuseTaken(addDrafted(ctx, [product]), { slugPath: ['input', input.slug ? 'slug' : 'name'] });
  return { product };
}

/** What must be looked up before this product can be drafted. */
export const wantedByNew = (input: NewProduct): Required<Wanted> => ({
  attributeIds: [...(input.variantAxes ?? []), ...(input.attributes ?? []).map(({ attributeId }) => attributeId)],
  categoryIds: input.categoryIds ?? [],
  slugs: input.slug ? [input.slug] : slugsFor(input),
  skus: (input.variants ?? []).map(({ sku }) => sku),
});

/** Keeps products as they were drafted, which is complete and checked: mongoose need not build and check each of them again. */
export async function addDrafted(ctx: Ctx, products: Product[]): Promise<void> {
  if (products.length === 0) return;
  await ctx.models.Product.insertMany(products, { lean: true });
  ctx.publish(...products.map(announced));
}

const announced = ({ _id, vendorId, categoryIds, lowestPrice }: Product) =>
  productCreated({
    productId: _id,
    vendorId,
    category: categoryIds[0] ?? null,
    price: lowestPrice ?? null,
  });

export const UpdateProduct = ProductChange;

/** Changes what is given, if nobody changed the product since `expectedVersion`. */
export async function updateProduct(ctx: Ctx, input: z.infer<typeof UpdateProduct>) {
  const product = await productForEdit(ctx, input.id);
  checkVersion(product, input.expectedVersion);
  const facts = await findFacts(ctx, product.vendorId, wantedByChange(input));
  const { attempt, problems } = attempts();
  const changes = changesOf(facts, product, input, { path: ['input'], attempt });
  if (problems[0]) throw problems[0];
  return { product: await saveProduct(ctx, product, changes) };
}

export const wantedByChange = (input: ProductChange): Required<Wanted> => ({
  attributeIds: [...(input.variantAxes ?? []), ...(input.attributes ?? []).map(({ attributeId }) => attributeId)],
  categoryIds: input.categoryIds ?? [],
  slugs: input.slug ? [input.slug] : [],
  skus: [],
});

/** What the input makes different, without whatever `attempt` noted as wrong. */
export function changesOf(
  facts: Facts,
  product: Product,
  input: ProductChange,
  { path, attempt }: { path: (string | number)[]; attempt: Attempt },
): Changes {
  const { name, slug, description, categoryIds, tags, attributes, variantAxes } = input;
  const axisIds = variantAxes && attempt(() => checkNewAxes(facts, product, variantAxes, { path: [...path, 'variantAxes'], attempt }));
  return {
    ...(name !== undefined && { name, nameKey: textKey(name) }),
    slug: slug === undefined ? undefined : attempt(() => takeSlug(facts, product, slug, [...path, 'slug'])),
    ...(description !== undefined && { description: description || null }),
    categoryIds: categoryIds && checkCategories(facts, categoryIds, [...path, 'categoryIds'], attempt),
    tags: tags && [...new Set(tags)],
    attributes:
      attributes && checkAttributes(facts, attributes, { path: [...path, 'attributes'], axisIds: axisIds ?? product.axisIds, attempt }),
    axisIds,
  };
}

function checkNewAxes(
  facts: Facts,
  product: Product,
  wanted: readonly string[],
  { path, attempt }: { path: (string | number)[]; attempt: Attempt },
): string[] {
  const axisIds = checkAxes(facts, wanted, path, attempt);
  if (product.variants.length > 0 && axisIds.join() !== product.axisIds.join()) {
    throw new Problem('AXES_IN_USE', 'The product has variants that are parted by its present axes.', { path });
  }
  return axisIds;
}

export const PublishProduct = Which.extend(Publication.shape);

/** Released from `publishAt`, or now, until `unpublishAt`; the clock does the rest. A product that is seen already keeps its day. */
export async function publishProduct(ctx: Ctx, { publishAt, unpublishAt, ...which }: z.infer<typeof PublishProduct>) {
  const product = await productForEdit(ctx, which.id);
  const now = ctx.now();
  const seenSince = product.state === 'PUBLISHED' && product.publishAt && product.publishAt <= now ? product.publishAt : now;
  const places = { product: ['input', 'id'], until: ['input', 'unpublishAt'] };
  const dates = publicationDates(product, { from: publishAt ?? seenSince, until: unpublishAt }, places);
  return move(ctx, product, { ...which, action: 'PUBLISH', dates });
}

export const UnpublishProduct = Which;

export const unpublishProduct = async (ctx: Ctx, which: Which) =>
  move(ctx, await productForEdit(ctx, which.id), { ...which, action: 'UNPUBLISH', dates: { publishAt: null, unpublishAt: null } });

export const ArchiveProduct = Which;

export const archiveProduct = async (ctx: Ctx, which: Which) =>
  move(ctx, await productForEdit(ctx, which.id), { ...which, action: 'ARCHIVE', dates: {} });

export const RestoreProduct = Which;

export const restoreProduct = async (ctx: Ctx, which: Which) =>
  move(ctx, await productForEdit(ctx, which.id), { ...which, action: 'RESTORE', dates: { publishAt: null, unpublishAt: null } });

interface Move extends Which {
  action: ProductAction;
  dates: Pick<Changes, 'publishAt' | 'unpublishAt'>;
}

/** The legal states stand in the filter, so that two callers cannot both move a product. */
async function move(ctx: Ctx, product: Product, { expectedVersion, action, dates }: Move) {
  checkVersion(product, expectedVersion);
  const changes = { state: stateAfter(product.state, action), ...dates };
  const moved = await ctx.models.Product.findOneAndUpdate(
    { _id: product._id, version: product.version, state: { $in: statesBefore(action) } },
    { $set: { ...changes, updatedAt: ctx.now() }, $inc: { version: 1 } },
    { returnDocument: 'after' },
  ).lean<Product>();
  if (!moved) {
    const message = `This cannot be done with a product that is ${product.state.toLowerCase()}.`;
    const facts = { state: product.state, availableActions: availableActions(product) };
    throw new Problem('PRODUCT_STATE', message, { path: ['input', 'id'], typename: 'ProductStateError', ...facts });
  }
  ctx.publish(changed(product, changes));
  return { product: moved };
}

export const DeleteProduct = Which;

/** Deleting twice is the same as deleting once. The row stays, so that orders and findVariants go on knowing it. */
export async function deleteProduct(ctx: Ctx, { id, expectedVersion }: Which) {
  const gone = await ctx.models.Product.findById(id, { vendorId: 1, deletedAt: 1 }).lean();
  if (gone?.deletedAt && (await ctx.loaders.memberships.can(gone.vendorId, 'PRODUCTS'))) return { deletedId: id };
  const product = await productForEdit(ctx, id);
  checkVersion(product, expectedVersion);
  const now = ctx.now();
  const deletion = {
    $set: { state: 'ARCHIVED', deletedAt: now, updatedAt: now, slugKey: id, skuKeys: [id] },
    $inc: { version: 1 },
  } as const;
  const { modifiedCount } = await ctx.models.Product.updateOne({ _id: id, version: product.version, deletedAt: null }, deletion);
  if (modifiedCount > 0) {
    const variantIds = product.variants.map(({ _id }) => _id);
    ctx.publish(productDeleted({ productId: id, vendorId: product.vendorId, variantIds }));
  }
  return { deletedId: id };
}

const keys = list(metadataKey, { max: 50 }).nullish();

export const UpdateProductMetadata = Which.extend({
  set: metadataList.nullish(),
  remove: keys,
  setPrivate: metadataList.nullish(),
  removePrivate: keys,
});

/** Facts are merged by key, so that two programs that keep different ones do not undo each other. */
export async function updateProductMetadata(ctx: Ctx, input: z.infer<typeof UpdateProductMetadata>) {
  const product = await productForEdit(ctx, input.id);
  checkVersion(product, input.expectedVersion);
  const metadata = merged(product.metadata, input.set ?? [], input.remove ?? [], 'set');
  const privateMetadata = merged(product.privateMetadata, input.setPrivate ?? [], input.removePrivate ?? [], 'setPrivate');
  return { product: await saveProduct(ctx, product, { metadata, privateMetadata }) };
}

const MAX_FACTS = 50;

function merged(before: Product['metadata'], set: Product['metadata'], remove: readonly string[], field: string): Product['metadata'] {
  distinct(set, ['input', field]);
  const facts = new Map(before.map((entry) => [entry.key, entry]));
  for (const key of remove) facts.delete(key);
  for (const entry of set) facts.set(entry.key, entry);
  if (facts.size > MAX_FACTS) throw invalid(['input', field], `A product keeps at most ${MAX_FACTS} facts of a kind.`);
  return [...facts.values()];
}

import { keyOf } from '../keys.ts';
import { isProblem, notFound, Problem, type InputPath } from '#shared/base/errors.ts';
import { newId } from '#shared/base/ids.ts';
import { compare, type Money } from '#shared/base/money.ts';
import { textKey } from '#shared/base/text.ts';
import { stateAfter } from '../machine.ts';
import type { Product, Value, Variant } from '../model.ts';
import type { Facts } from './facts.ts';
import type { NewProduct, NewVariant, Publication } from './inputs.ts';
import { takeSlug } from './names.ts';
import { publicationDates } from './publication.ts';
import { axisKey, checkValue, requireAttribute, textOf, type AttributeValueInput, type CheckedValue } from './values.ts';

/** Runs a check; what it refuses is noted, and undefined is given instead. */
export type Attempt = <T>(check: () => T) => T | undefined;

/** All that is wrong with one entry, not only the first. `path` is where the entry stands in the input. */
export function attempts(): { attempt: Attempt; problems: Problem[] } {
  const problems: Problem[] = [];
  const attempt: Attempt = (check) => {
    try {
      return check();
    } catch (error) {
      if (!isProblem(error)) throw error;
      problems.push(error);
      return undefined;
    }
  };
  return { attempt, problems };
}

const isGiven = <T>(value: T | undefined): value is T => value !== undefined;

/** The product as it would be kept, without whatever `attempt` noted as wrong; the caller decides what that means. */
export function draftProduct(
  facts: Facts,
  input: NewProduct,
  { path, now, attempt }: { path: InputPath; now: Date; attempt: Attempt },
): Product {
  const { vendorId, vendorSuspended } = facts;
  const axisIds = checkAxes(facts, input.variantAxes ?? [], [...path, 'variantAxes'], attempt);
  const product: Product = {
    _id: newId('prd'),
    vendorId,
    vendorSuspended,
    name: input.name,
    nameKey: textKey(input.name),
    slug: '',
    slugKey: '',
    skuKeys: [],
    description: input.description || null,
    categoryIds: checkCategories(facts, input.categoryIds ?? [], [...path, 'categoryIds'], attempt),
    tags: [...new Set(input.tags)],
    attributes: checkAttributes(facts, input.attributes ?? [], { path: [...path, 'attributes'], axisIds, attempt }),
    axisIds,
    variants: [],
    media: [],
    metadata: attempt(() => distinct(input.metadata ?? [], [...path, 'metadata'])) ?? [],
    privateMetadata: attempt(() => distinct(input.privateMetadata ?? [], [...path, 'privateMetadata'])) ?? [],
    facets: [],
    lowestPrice: null,
    highestPrice: null,
    state: 'DRAFT',
    publishAt: null,
    unpublishAt: null,
    version: 1,
    deletedAt: null,
    createdAt: now,
    updatedAt: now,
  } as Product;
  product.slug = attempt(() => takeSlug(facts, product, input.slug ?? null, [...path, 'slug'])) ?? '';
  for (const [index, entry] of (input.variants ?? []).entries()) {
    const variant = attempt(() => draftVariant(facts, product, entry, { path: [...path, 'variants', index], now }));
    if (variant) product.variants.push(variant);
  }
  if (input.publication) publish(product, input.publication, { path: [...path, 'publication'], now, attempt });
  return Object.assign(product, summaryOf(product), keysOf(product));
}

function publish(
  product: Product,
  { publishAt, unpublishAt }: Publication,
  { path, now, attempt }: { path: InputPath; now: Date; attempt: Attempt },
): void {
  const places = { product: path, until: [...path, 'unpublishAt'] };
  const dates = attempt(() => publicationDates(product, { from: publishAt ?? now, until: unpublishAt }, places));
  if (dates) Object.assign(product, dates, { state: stateAfter(product.state, 'PUBLISH') });
}

/** A variant of this product, as it would be kept; its SKU is taken from now on. */
export function draftVariant(
  facts: Facts,
  product: Product,
  input: NewVariant,
  { path, now, archived = false }: { path: InputPath; now: Date; archived?: boolean },
): Variant {
  const variant = {
    _id: newId('var'),
    sku: input.sku,
    axes: checkAxisValues(facts, product, input.axisValues ?? [], [...path, 'axisValues']),
    price: checkPrice(facts, input.price, [...path, 'price']),
    compareAtPrice: input.compareAtPrice ? checkPrice(facts, input.compareAtPrice, [...path, 'compareAtPrice']) : null,
    weightGrams: input.weightGrams ?? null,
    barcode: input.barcode ?? null,
    mediaId: null,
    archivedAt: archived ? now : null,
    version: 1,
    createdAt: now,
    updatedAt: now,
  } as Variant;
  checkVariant(product, variant, path);
  takeSku(facts, variant, [...path, 'sku']);
  return variant;
}

/** What holds between a variant and its siblings, and between its prices. */
export function checkVariant(product: Pick<Product, 'variants'>, variant: Variant, path: InputPath): void {
  if (variant.compareAtPrice && compare(variant.compareAtPrice, variant.price) <= 0) {
    throw new Problem('INVALID', 'The price to compare with must be higher than the price.', { path: [...path, 'compareAtPrice'] });
  }
  if (variant.archivedAt) return;
  const key = axisKey(variant.axes);
  const twin = product.variants.find((other) => other._id !== variant._id && !other.archivedAt && axisKey(other.axes) === key);
  if (twin) throw new Problem('VARIANT_TAKEN', `The variant ${twin.sku} has the same values.`, { path: [...path, 'axisValues'] });
}

export function takeSku(facts: Facts, { _id, sku }: Pick<Variant, '_id' | 'sku'>, path: InputPath): void {
  const holder = facts.skus.get(sku);
  if (holder !== undefined && holder !== _id) throw new Problem('SKU_TAKEN', 'Another variant of this vendor has this SKU.', { path });
  facts.skus.set(sku, _id);
}

export function checkPrice({ currency }: Facts, price: Money, path: InputPath): Money {
  if (price.currency !== currency)
    throw new Problem('CURRENCY_MISMATCH', `Prices of this vendor are in ${currency}.`, { path: [...path, 'currency'] });
  return price;
}

export function checkAxes(facts: Facts, ids: readonly string[], path: InputPath, attempt: Attempt): string[] {
  const checked = [...new Set(ids)].map((id, index) =>
    attempt(() => {
      const attribute = requireAttribute(facts.attributes, id, facts.vendorId, [...path, index]);
      if (!attribute.variantAxis) throw new Problem('INVALID', `${attribute.name} does not part variants.`, { path: [...path, index] });
      return id;
    }),
  );
  return checked.filter(isGiven);
}

export const checkCategories = ({ categories }: Facts, ids: readonly string[], path: InputPath, attempt: Attempt): string[] =>
  [...new Set(ids)]
    .map((id, index) =>
      attempt(() => {
        if (!categories.has(id)) throw notFound('Category', id, [...path, index]);
        return id;
      }),
    )
    .filter(isGiven);

interface AttributeCheck {
  path: InputPath;
  axisIds: readonly string[];
  attempt: Attempt;
}

export function checkAttributes(
  facts: Facts,
  inputs: readonly AttributeValueInput[],
  { path, axisIds, attempt }: AttributeCheck,
): CheckedValue[] {
  const seen = new Set<string>();
  const checked = inputs.map((input, index) =>
    attempt(() => {
      const place = [...path, index];
      const attribute = requireAttribute(facts.attributes, input.attributeId, facts.vendorId, [...place, 'attributeId']);
      if (seen.has(attribute._id)) throw new Problem('INVALID', `${attribute.name} is given twice.`, { path: [...place, 'attributeId'] });
      if (axisIds.includes(attribute._id))
        throw new Problem('INVALID', `${attribute.name} parts the variants and is given with them.`, { path: [...place, 'attributeId'] });
      seen.add(attribute._id);
      return checkValue(attribute, input, place);
    }),
  );
  return checked.filter(isGiven);
}

/** One value for each axis of the product, in the order of the axes. */
export function checkAxisValues(
  facts: Facts,
  { axisIds }: Pick<Product, 'axisIds'>,
  inputs: readonly AttributeValueInput[],
  path: InputPath,
): Variant['axes'] {
  const stray = inputs.findIndex(
    ({ attributeId }, index) => !axisIds.includes(attributeId) || inputs.findIndex((other) => other.attributeId === attributeId) !== index,
  );
  if (stray >= 0)
    throw new Problem('INVALID', 'This is no axis of the product, or is given twice.', { path: [...path, stray, 'attributeId'] });
  return axisIds.map((id) => {
    const attribute = requireAttribute(facts.attributes, id, facts.vendorId, path);
    const index = inputs.findIndex(({ attributeId }) => attributeId === id);
    if (index < 0) throw new Problem('INVALID', `The variant needs a value for ${attribute.name}.`, { path });
    const { value } = checkValue(attribute, inputs[index]!, [...path, index]);
    return { attributeId: id, value, text: textOf(attribute, value) };
  });
}

export function distinct<T extends { key: string }>(entries: readonly T[], path: InputPath): T[] {
  const twice = entries.findIndex(({ key }, index) => entries.findIndex((other) => other.key === key) !== index);
  if (twice >= 0) throw new Problem('INVALID', 'This key is given twice.', { path: [...path, twice, 'key'] });
  return [...entries];
}

type Summary = Pick<Product, 'facets' | 'lowestPrice' | 'highestPrice'>;

/** What lists look at, computed from the product and its living variants. */
export function summaryOf({ attributes, variants }: Pick<Product, 'attributes' | 'variants'>): Summary {
  const living = variants.filter(({ archivedAt }) => !archivedAt);
  const prices = living.map(({ price }) => price).sort(compare);
  const facets = new Map<string, { attributeId: string; value: Value }>();
  for (const { attributeId, value } of [...attributes, ...living.flatMap(({ axes }) => axes)]) {
    for (const single of [value].flat()) facets.set(JSON.stringify([attributeId, single]), { attributeId, value: single });
  }
  return {
    facets: [...facets.values()] as Product['facets'],
    lowestPrice: prices[0] ?? null,
    highestPrice: prices.at(-1) ?? null,
  };
}

/** What no other product of the marketplace has. */
export const keysOf = ({ _id, vendorId, slug, variants }: Pick<Product, '_id' | 'vendorId' | 'slug' | 'variants'>) => ({
  slugKey: keyOf(vendorId, slug),
  skuKeys: [_id, ...variants.map(({ sku }) => keyOf(vendorId, sku))],
});

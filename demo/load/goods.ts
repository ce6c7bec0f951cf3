import type { Viewer } from '#shared/base/identity.ts';
import { attributes } from '../data/attributes.ts';
import { categories } from '../data/categories.ts';
import { marketplace } from '../data/marketplace.ts';
import type { Attribute, Product } from '../data/types.ts';
import { inParallel, type Answer, type Door } from './door.ts';
import type { Store } from './stores.ts';

const WIDTH = 4;
const MAX_BULK = 250;

/** The tree, parents before children; answers ids by slug. */
export async function loadCategories(door: Door, admin: Viewer): Promise<Map<string, string>> {
  const ids = new Map<string, string>();
  for (const { slug, name, parent, order, description } of categories) {
    const input = { slug, name, order, description, parentId: parent && ids.get(parent) };
    ids.set(slug, (await door.run('categories', admin, 'createCategory', input, 'category { id }')).category.id);
  }
  return ids;
}

/** What products are told apart by, for all vendors; answers ids by code. */
export async function loadAttributes(door: Door, admin: Viewer): Promise<Map<string, string>> {
  const ids = new Map<string, string>();
  for (const { code, name, kind, unit, filterable, variantAxis } of attributes) {
    const options = variantAxis ? { type: 'SELECT', options: optionsOf(code) } : { type: kind };
    const input = {
      code: code.replaceAll(/[A-Z]/g, (capital) => `-${capital.toLowerCase()}`),
      name,
      unit,
      filterable,
      variantAxis,
      ...options,
    };
    ids.set(code, (await door.run('catalog', admin, 'createAttribute', input, 'attribute { id }')).attribute.id);
  }
  return ids;
}

/** Every value that some product has on this axis. */
const optionsOf = (code: string) => {
  const values = marketplace.products.flatMap(({ variants, facts }) => [
    ...variants.flatMap(({ axes }) => axes[code] ?? []),
    ...(facts[code] === undefined ? [] : [String(facts[code])]),
  ]);
  return [...new Set(values)].map((label) => ({ value: slugOf(label), label }));
};

/** Each store puts its goods on the shelves for everyone to see, with their stock. */
export async function loadProducts(
  door: Door,
  stores: Map<string, Store>,
  categoryIds: Map<string, string>,
  attributeIds: Map<string, string>,
): Promise<void> {
  const byStore = [...Map.groupBy(marketplace.products, ({ vendor }) => vendor)];
  await inParallel(byStore, WIDTH, async ([slug, products]) => {
    const store = stores.get(slug)!;
    const inputs = products.map((product) => inputOf(product, categoryIds, attributeIds));
    const selection = 'results { product { id variants { id sku } } userErrors { code message path } }';
    const { results } = await door.run('catalog', store.owner, 'bulkCreateProducts', { vendorId: store.id, products: inputs }, selection);
    const made = results.map(({ product }: Answer) => product);
    await loadStock(door, store, products, made);
  });
}

async function loadStock(door: Door, store: Store, products: Product[], made: Answer[]): Promise<void> {
  const variantIds = new Map<string, string>(made.flatMap(({ variants }) => variants.map(({ id, sku }: Answer) => [sku, id])));
  const lines = products.flatMap(({ variants }) =>
    variants.flatMap(({ sku, stock }) =>
      stock.map(({ warehouse, onHand }) => ({ variantId: variantIds.get(sku), warehouseId: store.warehouses.get(warehouse), onHand })),
    ),
  );
  for (let at = 0; at < lines.length; at += MAX_BULK) {
    await door.run(
      'inventory',
      store.owner,
      'bulkSetStock',
      { lines: lines.slice(at, at + MAX_BULK), reason: 'First count' },
      'results { userErrors { code } }',
    );
  }
}

function inputOf(product: Product, categoryIds: Map<string, string>, attributeIds: Map<string, string>) {
  const { name, slug, description, tags, currency, facts, axes, variants } = product;
  return {
    name,
    slug,
    description,
    tags,
    categoryIds: [categoryIds.get(product.category)],
    attributes: Object.entries(facts).map(([code, value]) => ({ attributeId: attributeIds.get(code), ...valueOf(code, value) })),
    variantAxes: axes.map((code) => attributeIds.get(code)),
    variants: variants.map(({ sku, price, axes: values }) => ({
      sku,
      price: { amount: price, currency },
      axisValues: Object.entries(values).map(([code, value]) => ({ attributeId: attributeIds.get(code), options: [slugOf(value)] })),
    })),
    publication: {},
  };
}

const FIELDS: Record<Attribute['kind'], string> = { TEXT: 'text', NUMBER: 'number', BOOLEAN: 'boolean' };

/** A fact that is an axis elsewhere is chosen from the axis' options. */
function valueOf(code: string, value: unknown): Record<string, unknown> {
  const attribute = attributes.find((each) => each.code === code)!;
  return attribute.variantAxis ? { options: [slugOf(String(value))] } : { [FIELDS[attribute.kind]]: value };
}

const slugOf = (label: string): string =>
  label
    .normalize('NFKD')
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-+|-+$/g, '');

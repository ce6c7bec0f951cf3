import type { Listing, Product, StockLevel, Variant, Vendor } from './types.ts';

/** What a variant usually has in stock where its price list says nothing. */
type Shelf = [least: number, most: number];

interface Choice {
  axes: Record<string, string>;
  price: string | undefined;
}

/** One variant for each combination of axis values. The same lists give the same SKUs, prices and stock everywhere. */
export function expand(vendor: Vendor, listings: Listing[], shelf: Shelf): Product[] {
  return listings.map((listing) => {
    const [first, ...more] = choices(listing).map((choice) => toVariant(vendor, listing, choice, listing.shelf ?? shelf));
    if (!first) throw new Error(`${listing.name}: an axis without values leaves nothing to sell`);
    return {
      slug: slugOf(listing.name),
      vendor: vendor.slug,
      category: listing.category,
      name: listing.name,
      description: listing.description,
      tags: listing.tags,
      currency: vendor.currency,
      facts: listing.facts ?? {},
      axes: Object.keys(listing.axes ?? {}),
      variants: [first, ...more],
    };
  });
}

function choices({ axes = {}, price }: Listing): Choice[] {
  return Object.entries(axes).reduce<Choice[]>(
    (found, [code, values]) => {
      const options = Array.isArray(values) ? values.map((value) => [value] as const) : Object.entries(values);
      return found.flatMap((choice) =>
        options.map(([value, own]) => ({
          axes: { ...choice.axes, [code]: value },
          price: own ?? choice.price,
        })),
      );
    },
    [{ axes: {}, price }],
  );
}

function toVariant(vendor: Vendor, listing: Listing, { axes, price }: Choice, shelf: Shelf): Variant {
  if (price === undefined) throw new Error(`${listing.name}: no price`);
  const values = Object.values(axes);
  const sku = [vendor.code, ...skuWords(listing.name), ...values.map(skuValue)].join('-');
  return {
    sku,
    name: values.join(' / ') || 'Standard',
    axes,
    price,
    stock: stockOf(vendor, sku, shelf),
  };
}

/** About one variant in twenty-five is sold out and one in fourteen nearly so; a hash of the SKU decides. */
function stockOf({ warehouses: [shop, store] }: Vendor, sku: string, [least, most]: Shelf): StockLevel[] {
  const hash = fnv1a(sku);
  const luck = hash % 100;
  const draw = hash >>> 8;
  const total = luck < 4 ? 0 : luck < 11 ? 1 + (draw % 4) : least + (draw % (most - least + 1));
  if (!store) return [{ warehouse: shop.slug, onHand: total }];
  const inShop = total < 6 ? total : Math.ceil(total * (0.3 + (draw % 3) / 10));
  return [
    { warehouse: shop.slug, onHand: inShop },
    { warehouse: store.slug, onHand: total - inShop },
  ];
}

const plain = (text: string) => text.normalize('NFD').replaceAll(/\p{M}/gu, '');

const slugOf = (name: string) =>
  plain(name)
    .toLowerCase()
    .replaceAll("'", '')
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-|-$/g, '');

const FILLERS = new Set(['A', 'AND', 'FOR', 'IN', 'OF', 'ON', 'THE', 'TO', 'WITH']);

/** Four letters of the first three words that say something: ROLL-MEAL-MEAL. */
function skuWords(name: string): string[] {
  const words =
    plain(name)
      .toUpperCase()
      .match(/[A-Z0-9]+/g) ?? [];
  return words
    .filter((word) => !FILLERS.has(word))
    .slice(0, 3)
    .map((word) => word.slice(0, 4));
}

/** `2.5 kg` becomes 2P5KG, so that it stays apart from 25KG. */
const skuValue = (value: string) =>
  plain(value)
    .toUpperCase()
    .replaceAll('.', 'P')
    .replaceAll(/[^A-Z0-9]/g, '');

/** FNV-1a over UTF-16 code units. */
function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193) >>> 0;
  }
  return hash;
}

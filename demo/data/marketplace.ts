import { attributes } from './attributes.ts';
import { categories } from './categories.ts';
import { expand } from './expand.ts';
import { beauty } from './products/beauty.ts';
import { chitenge } from './products/chitenge.ts';
import { crafts } from './products/crafts.ts';
import { farm } from './products/farm.ts';
import { fishAndMeat } from './products/fish-and-meat.ts';
import { fresh } from './products/fresh.ts';
import { groceries } from './products/groceries.ts';
import { hardware } from './products/hardware.ts';
import { household } from './products/household.ts';
import { japanese } from './products/japanese.ts';
import { phones } from './products/phones.ts';
import { school } from './products/school.ts';
import { solar } from './products/solar.ts';
import { stationery } from './products/stationery.ts';
import type { Listing, Product, Vendor } from './types.ts';
import { users } from './users.ts';
import { vendors } from './vendors.ts';

interface PriceList {
  listings: Listing[];
  /** Usual stock of a variant: a hardware yard keeps more nails than a carver keeps hippos. */
  shelf: [least: number, most: number];
}

/** By vendor slug. */
const priceLists: Record<string, PriceList> = {
  'tiyende-grocers': { listings: groceries, shelf: [20, 120] },
  'dimba-fresh': { listings: fresh, shelf: [15, 90] },
  'nsomba-and-nyama': { listings: fishAndMeat, shelf: [8, 45] },
  'bwalya-chitenge-house': { listings: chitenge, shelf: [6, 30] },
  'sukulu-outfitters': { listings: [...school, ...stationery], shelf: [10, 60] },
  'lamya-connect': { listings: phones, shelf: [8, 40] },
  'kuwala-solar': { listings: solar, shelf: [6, 35] },
  'malata-hardware': { listings: hardware, shelf: [20, 150] },
  'mbaula-and-mphika': { listings: household, shelf: [8, 50] },
  'minda-agro-supplies': { listings: farm, shelf: [12, 80] },
  'chisomo-beauty-and-baby': { listings: beauty, shelf: [10, 48] },
  'luso-crafts': { listings: crafts, shelf: [5, 14] },
  'yanaka-dogu': { listings: japanese, shelf: [6, 24] },
};

/** The whole demo marketplace as plain data, the same on every machine and every day. */
export const marketplace = {
  categories,
  attributes,
  vendors,
  users,
  products: vendors.flatMap(productsOf),
};

function productsOf(vendor: Vendor): Product[] {
  const list = priceLists[vendor.slug];
  if (!list) throw new Error(`${vendor.slug} has no price list`);
  return expand(vendor, list.listings, list.shelf);
}

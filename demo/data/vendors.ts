import { lusakaShops } from './lusaka-shops.ts';
import type { LusakaShop } from './lusaka-shops.ts';
import { closures, week } from './opening-hours.ts';
import type { Vendor, Warehouse } from './types.ts';

const yanaka: Vendor = {
  slug: 'yanaka-dogu',
  code: 'YAN',
  name: 'Yanaka Dōgu',
  trade: 'Japanese kitchen tools, tea and paper',
  about: 'A family tool shop in old Tokyo that sends knives, iron and paper abroad, wrapped by hand.',
  currency: 'JPY',
  timeZone: 'Asia/Tokyo',
  phone: '+81338210213',
  email: 'yanaka-dogu@soko.example',
  address: {
    line1: '3-11 Yanaka',
    area: 'Taito-ku',
    city: 'Tokyo',
    country: 'JP',
    postalCode: '110-0001',
    landmark: 'Yanaka Ginza shopping street, below the Yuyake Dandan steps',
  },
  location: { lat: 35.7278, lng: 139.7649 },
  // Closed on Mondays, as most of the street is.
  hours: { ...week({ weekdays: '10:30-18:30', sat: '10:30-19:00', sun: '10:30-18:00' }), mon: [] },
  closures: closures(['japaneseNewYear', 'obon']),
  members: [{ user: 'vendor13', role: 'OWNER' }],
  warehouses: [{ slug: 'yanaka-dogu-shop', name: 'Yanaka shop', location: { lat: 35.7278, lng: 139.7649 } }],
};

export const vendors: Vendor[] = [...lusakaShops.map(toVendor), yanaka];

function toVendor(entry: LusakaShop): Vendor {
  const { slug, code, name, trade, about, phone, tpin, line1, area, landmark } = entry;
  const [lat, lng] = entry.at;
  const [owner, ...staff] = entry.team;
  return {
    slug,
    code,
    name,
    trade,
    about,
    currency: 'ZMW',
    timeZone: 'Africa/Lusaka',
    phone,
    email: `${slug}@soko.example`,
    tpin,
    address: { line1, area, city: 'Lusaka', country: 'ZM', landmark },
    location: { lat, lng },
    hours: week(entry.hours),
    closures: closures(entry.closed),
    members: [{ user: owner, role: 'OWNER' }, ...staff.map((user) => ({ user, role: 'STAFF' as const }))],
    warehouses: [{ slug: `${slug}-shop`, name: entry.shop, location: { lat, lng } }, ...storeOf(entry)],
  };
}

function storeOf({ slug, store }: LusakaShop): Warehouse[] {
  if (!store) return [];
  const [name, lat, lng] = store;
  return [{ slug: `${slug}-store`, name, location: { lat, lng } }];
}

import type { AttributeCode } from './attributes.ts';
import type { CategorySlug } from './categories.ts';

export type Currency = 'ZMW' | 'JPY';

/** Degrees, WGS 84. */
export interface Point {
  lat: number;
  lng: number;
}

interface Address {
  line1: string;
  area: string;
  city: string;
  country: 'ZM' | 'JP';
  postalCode?: string;
  /** How a rider finds it: many Lusaka plots have no number on the gate. */
  landmark?: string;
}

type Weekday = 'mon' | 'tue' | 'wed' | 'thu' | 'fri' | 'sat' | 'sun';

/** Local wall-clock spans, `['08:00', '17:30']`; several a day where a shop closes for lunch, none on a closed day. */
export type OpeningHours = Record<Weekday, [opens: string, closes: string][]>;

/** Both days included, `YYYY-MM-DD` in the vendor's time zone. */
export interface Closure {
  from: string;
  to: string;
  reason: string;
}

export interface Warehouse {
  slug: string;
  name: string;
  location: Point;
}

/** `user` is a key of the users. */
interface Member {
  user: string;
  role: 'OWNER' | 'STAFF';
}

export interface Vendor {
  slug: string;
  /** First part of every SKU of this vendor. */
  code: string;
  name: string;
  trade: string;
  about: string;
  currency: Currency;
  timeZone: 'Africa/Lusaka' | 'Asia/Tokyo';
  phone: string;
  email: string;
  /** Zambian taxpayer number, ten digits; absent abroad. */
  tpin?: string;
  address: Address;
  location: Point;
  hours: OpeningHours;
  closures: Closure[];
  members: Member[];
  /** The shop first, then the store room, where there is one. */
  warehouses: [Warehouse, ...Warehouse[]];
}

/** `parent` is a slug, null at the top; `order` counts from 0 among siblings. */
export interface Category {
  slug: string;
  name: string;
  parent: string | null;
  order: number;
  description: string;
}

export type Role = 'admin' | 'vendor' | 'customer' | 'agent';

export interface UserAddress extends Address {
  label: string;
  location: Point;
  isDefault: boolean;
}

export interface User {
  /** The handle the demo prints: `buyer1`, `vendor13`. */
  key: string;
  role: Role;
  name: string;
  email: string;
  password: string;
  phone: string;
  addresses: UserAddress[];
}

type AttributeValue = string | number | boolean;

export interface Attribute {
  code: string;
  name: string;
  kind: 'TEXT' | 'NUMBER' | 'BOOLEAN';
  unit?: string;
  filterable: boolean;
  variantAxis: boolean;
}

export interface StockLevel {
  /** A slug of the vendor's warehouses. */
  warehouse: string;
  onHand: number;
}

export interface Variant {
  sku: string;
  name: string;
  /** One value per axis of the product, empty when it is sold in one form only. */
  axes: Record<string, string>;
  /** Decimal text with exactly the digits of the currency. */
  price: string;
  stock: StockLevel[];
}

export interface Product {
  slug: string;
  vendor: string;
  category: string;
  name: string;
  description: string;
  tags: string[];
  currency: Currency;
  /** What holds for every variant; the keys are attribute codes. */
  facts: Record<string, AttributeValue>;
  /** Attribute codes, in the order a buyer chooses them. */
  axes: string[];
  variants: [Variant, ...Variant[]];
}

/** What a trade's price list writes down; `expand` makes the product of it. */
export interface Listing {
  name: string;
  category: CategorySlug;
  description: string;
  tags: string[];
  facts?: Partial<Record<AttributeCode, AttributeValue>>;
  /** The price of every variant, unless one of the axes carries prices. */
  price?: string;
  /** Plain values, or value to price on the one axis that decides the price. */
  axes?: Partial<Record<AttributeCode, string[] | Record<string, string>>>;
  /** Usual stock of a variant, where it differs from the rest of the shop. */
  shelf?: [least: number, most: number];
}

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { parsePhoneNumberFromString } from 'libphonenumber-js/max';
import { marketplace } from './marketplace.ts';
import type { Currency, Point } from './types.ts';

const { attributes, categories, products, users, vendors } = marketplace;
const variants = products.flatMap((product) => product.variants);
const onHand = variants.map(({ stock }) => stock.reduce((sum, level) => sum + level.onHand, 0));

const SLUG = /^[a-z0-9]+(-[a-z0-9]+)*$/;
const PRICE: Record<Currency, RegExp> = { ZMW: /^[1-9]\d*\.\d{2}$/, JPY: /^[1-9]\d*$/ };
const BOUNDS = {
  ZM: { south: -15.6, north: -15.25, west: 28.15, east: 28.5 },
  JP: { south: 35.5, north: 35.85, west: 139.5, east: 139.95 },
};

function repeated(values: string[]): string[] {
  return values.filter((value, index) => values.indexOf(value) !== index);
}

function isWithin({ lat, lng }: Point, { south, north, west, east }: (typeof BOUNDS)['ZM']): boolean {
  return lat > south && lat < north && lng > west && lng < east;
}

describe('how much there is', () => {
  test('holds twelve Lusaka vendors and one in Tokyo', () => {
    expect(vendors.filter(({ currency }) => currency === 'ZMW')).toHaveLength(12);
    expect(vendors.filter(({ currency }) => currency === 'JPY')).toHaveLength(1);
  });

  test('holds forty categories on three levels', () => {
    const parentOf = new Map(categories.map(({ slug, parent }) => [slug, parent]));
    const depth = (slug: string | null): number => (slug === null ? 0 : 1 + depth(parentOf.get(slug) ?? null));
    expect(categories).toHaveLength(40);
    expect(new Set(categories.map(({ slug }) => depth(slug)))).toEqual(new Set([1, 2, 3]));
  });

  test('holds at least three hundred products, and no vendor with a bare shelf', () => {
    expect(products.length).toBeGreaterThanOrEqual(300);
    for (const { slug } of vendors) {
      expect(products.filter(({ vendor }) => vendor === slug).length).toBeGreaterThanOrEqual(18);
    }
  });

  test('has users for every role', () => {
    const numbered = (word: string, count: number) => Array.from({ length: count }, (_, index) => `${word}${index + 1}`);
    expect(users.map(({ key }) => key)).toEqual([
      'admin',
      ...numbered('vendor', 13),
      ...numbered('staff', 2),
      ...numbered('buyer', 6),
      ...numbered('agent', 3),
    ]);
  });

  test('has sold-out and nearly sold-out variants among many in stock', () => {
    const share = (matches: (quantity: number) => boolean) => onHand.filter(matches).length / onHand.length;
    expect(share((quantity) => quantity === 0)).toBeGreaterThan(0.01);
    expect(share((quantity) => quantity === 0)).toBeLessThan(0.08);
    expect(share((quantity) => quantity > 0 && quantity < 5)).toBeGreaterThan(0.04);
    expect(share((quantity) => quantity >= 5)).toBeGreaterThan(0.75);
  });
});

describe('what must be unique', () => {
  test.each([
    ['category slugs', categories.map(({ slug }) => slug)],
    ['attribute codes', attributes.map(({ code }) => code)],
    ['vendor slugs', vendors.map(({ slug }) => slug)],
    ['vendor codes', vendors.map(({ code }) => code)],
    ['warehouse slugs', vendors.flatMap(({ warehouses }) => warehouses.map(({ slug }) => slug))],
    ['taxpayer numbers', vendors.flatMap(({ tpin }) => tpin ?? [])],
    ['product slugs', products.map(({ slug }) => slug)],
    ['product descriptions', products.map(({ description }) => description)],
    ['SKUs', variants.map(({ sku }) => sku)],
    ['e-mail addresses', [...users, ...vendors].map(({ email }) => email)],
    ['telephone numbers', [...users, ...vendors].map(({ phone }) => phone)],
  ])('repeats none of the %s', (_what, values) => {
    expect(values.length).toBeGreaterThan(10);
    expect(repeated(values)).toEqual([]);
  });
});

describe('references', () => {
  test('lists every category after its parent, in order among its siblings', () => {
    const children = new Map<string | null, number>([[null, 0]]);
    for (const { slug, parent, order } of categories) {
      expect(children.get(parent)).toBe(order);
      children.set(parent, order + 1);
      children.set(slug, 0);
    }
  });

  test('names only users as members, with one owner a vendor and nobody in two shops', () => {
    const byKey = new Map(users.map((user) => [user.key, user]));
    const members = vendors.flatMap((vendor) => vendor.members);
    expect(members.map(({ user }) => byKey.get(user)?.role)).toEqual(members.map(() => 'vendor'));
    expect(repeated(members.map(({ user }) => user))).toEqual([]);
    expect(members).toHaveLength(15);
    for (const { members: team } of vendors) {
      expect(team.filter(({ role }) => role === 'OWNER')).toHaveLength(1);
    }
  });

  test('puts every product with a known vendor, in a known category, at the currency of the vendor', () => {
    const currencies = new Map(vendors.map(({ slug, currency }) => [slug, currency]));
    const slugs = new Set(categories.map(({ slug }) => slug));
    for (const { vendor, category, currency } of products) {
      expect(currencies.get(vendor)).toBe(currency);
      expect(slugs).toContain(category);
    }
  });

  test('leaves no leaf category without a product', () => {
    const parents = new Set(categories.map(({ parent }) => parent));
    const sold = new Set(products.map(({ category }) => category));
    expect(categories.filter(({ slug }) => !parents.has(slug) && !sold.has(slug))).toEqual([]);
  });

  test('uses defined attributes as they are defined, and defines none in vain', () => {
    const byCode = new Map(attributes.map((attribute) => [attribute.code, attribute]));
    const used = new Set(products.flatMap(({ axes, facts }) => [...axes, ...Object.keys(facts)]));
    for (const { axes, facts } of products) {
      expect(axes.filter((code) => !byCode.get(code)?.variantAxis)).toEqual([]);
      for (const [code, value] of Object.entries(facts)) {
        expect(byCode.get(code)).toMatchObject({
          kind: (typeof value).replace('string', 'text').toUpperCase(),
          variantAxis: false,
        });
      }
    }
    expect([...byCode.keys()].filter((code) => !used.has(code))).toEqual([]);
  });

  test('gives each variant its own value on every axis of its product', () => {
    for (const { axes, variants: own } of products) {
      for (const variant of own) expect(Object.keys(variant.axes)).toEqual(axes);
      expect(repeated(own.map((variant) => JSON.stringify(variant.axes)))).toEqual([]);
    }
  });

  test('keeps stock in the warehouses of the vendor, as whole numbers that are not negative', () => {
    const houses = new Map(vendors.map(({ slug, warehouses }) => [slug, warehouses.map((house) => house.slug)]));
    for (const { vendor, variants: own } of products) {
      for (const { stock } of own) {
        expect(stock.map(({ warehouse }) => warehouse)).toEqual(houses.get(vendor));
        expect(stock.every((level) => Number.isInteger(level.onHand) && level.onHand >= 0)).toBe(true);
      }
    }
  });
});

describe('single values', () => {
  test('writes prices with exactly the digits of the currency', () => {
    const wrong = products.flatMap(({ currency, variants: own }) => own.filter(({ price }) => !PRICE[currency].test(price)));
    expect(wrong).toEqual([]);
  });

  test('writes slugs and SKUs that are safe in a URL', () => {
    const slugs = [...categories, ...vendors, ...products].map(({ slug }) => slug);
    expect(slugs.filter((slug) => !SLUG.test(slug))).toEqual([]);
    expect(variants.filter(({ sku }) => !/^[A-Z]{3}(-[A-Z0-9]+)+$/.test(sku) || sku.length > 48)).toEqual([]);
  });

  test('describes every product in one to three sentences and tags it', () => {
    for (const { description, tags } of products) {
      expect(description).toMatch(/^[A-Z].{35,180}\.$/);
      expect(tags.length).toBeGreaterThan(0);
      expect(repeated(tags)).toEqual([]);
    }
  });

  test('puts Lusaka addresses in greater Lusaka and the Tokyo shop in Tokyo', () => {
    const places = [
      ...vendors.flatMap((vendor) =>
        [vendor, ...vendor.warehouses].map(({ location }) => ({
          location,
          country: vendor.address.country,
        })),
      ),
      ...users.flatMap(({ addresses }) => addresses),
    ];
    expect(places.filter(({ location, country }) => !isWithin(location, BOUNDS[country]))).toEqual([]);
  });

  test('has telephone numbers that exist in the numbering plan of their country', () => {
    for (const { phone } of [...users, ...vendors]) {
      const parsed = parsePhoneNumberFromString(phone);
      expect({ phone, valid: parsed?.isValid(), e164: parsed?.number }).toEqual({
        phone,
        valid: true,
        e164: phone,
      });
      expect(parsed?.country).toBe(phone.startsWith('+81') ? 'JP' : 'ZM');
    }
  });

  test('gives every buyer a default address, one only', () => {
    for (const { role, addresses } of users) {
      expect(addresses.filter(({ isDefault }) => isDefault)).toHaveLength(role === 'customer' ? 1 : 0);
    }
  });
});

describe('opening hours', () => {
  test('open before they close, in spans that do not overlap', () => {
    for (const { hours } of vendors) {
      expect(Object.keys(hours)).toEqual(['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun']);
      for (const spans of Object.values(hours)) {
        const times = spans.flat();
        expect(times.every((time) => /^([01]\d|2[0-3]):[0-5]\d$/.test(time))).toBe(true);
        expect(times).toEqual([...new Set(times)].toSorted());
      }
    }
  });

  test('close on dates of the calendar, in order and with a reason', () => {
    for (const { closures } of vendors) {
      expect(closures.length).toBeGreaterThan(0);
      for (const { from, to, reason } of closures) {
        expect([from, to].map((date) => new Date(`${date}T00:00:00Z`).toISOString().slice(0, 10))).toEqual([from, to]);
        expect(from <= to).toBe(true);
        expect(reason).not.toBe('');
      }
      expect(closures.map(({ from }) => from)).toEqual(closures.map(({ from }) => from).toSorted());
    }
  });
});

test('is the same in another process, another time zone and another locale', () => {
  const digest = (text: string) => createHash('sha256').update(text).digest('hex');
  const script = `import(${JSON.stringify(new URL('marketplace.ts', import.meta.url).href)})
    .then(({ marketplace }) => process.stdout.write(JSON.stringify(marketplace)))`;
  const elsewhere = execFileSync(process.execPath, ['--input-type=module', '--eval', script], {
    encoding: 'utf8',
    env: { ...process.env, NODE_OPTIONS: '', TZ: 'Asia/Tokyo', LC_ALL: 'tr_TR.UTF-8' },
    maxBuffer: 16 * 1024 * 1024,
  });
  expect(digest(elsewhere)).toBe(digest(JSON.stringify(marketplace)));
});

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { unavailable } from '#shared/base/errors.ts';
import type { PublishedMessage } from '#shared/kit/define-event.ts';
import { answering, open, viewer, type Answered, type Data, type TestApp } from '#shared/testing/open.ts';
import { openFileServer } from '#shared/testing/file-server.ts';
import { findCategories, findSubtree } from '../categories/contract.ts';
import { findMemberships, findVendors, type VendorPermission } from '../vendors/contract.ts';
import { subgraph } from './subgraph.ts';

/*
 * The world around the catalog, for its tests. Ann edits the products of ven_a (kwacha), Ben those of ven_b (yen). Carl works for ven_a, but
 * not on its products. Dora is a customer.
 */

export const ann = viewer('usr_ann');
export const ben = viewer('usr_ben');
export const carl = viewer('usr_carl');
export const dora = viewer('usr_dora');
export const admin = viewer('usr_admin', ['admin']);

const MEMBERS: Record<string, { vendorId: string; permissions: VendorPermission[] }> = {
  usr_ann: { vendorId: 'ven_a', permissions: ['PRODUCTS'] },
  usr_ben: { vendorId: 'ven_b', permissions: ['PRODUCTS', 'MONEY'] },
  usr_carl: { vendorId: 'ven_a', permissions: ['ORDERS'] },
};

const VENDORS = [
  { id: 'ven_a', name: 'Ann', slug: 'ann', currency: 'ZMW' },
  { id: 'ven_b', name: 'Ben', slug: 'ben', currency: 'JPY' },
];

const CATEGORIES = ['cat_food', 'cat_grain', 'cat_maize', 'cat_shoes'];
const BELOW: Record<string, string[]> = { cat_food: ['cat_food', 'cat_grain', 'cat_maize'], cat_grain: ['cat_grain', 'cat_maize'] };

export interface Market extends AsyncDisposable {
  app: TestApp;
  /** Vendors that are suspended as far as `vendors` answers. */
  suspended: Set<string>;
  /** Users who are members of no vendor any more. */
  left: Set<string>;
  /** Categories that `categories` does not know any more; `*` when it does not answer. */
  gone: Set<string>;
  /** Runs a mutation and gives its payload; throws when there is none. */
  change(name: string, input: Record<string, unknown>, selection: string, as?: typeof ann | null): Promise<Data>;
  close(): Promise<void>;
}

export async function openMarket(environment: Record<string, string> = {}): Promise<Market> {
  const directory = await mkdtemp(join(tmpdir(), 'catalog-'));
  const files = await openFileServer({ UPLOADS_DIR: directory });
  const suspended = new Set<string>();
  const stateOf = (vendorId: string) => (suspended.has(vendorId) ? ('SUSPENDED' as const) : ('ACTIVE' as const));
  const gone = new Set<string>();
  const left = new Set<string>();
  const app = await open(subgraph, {
    viewer: ann,
    environment: { UPLOADS_DIR: directory, UPLOADS_URL: files.settings.UPLOADS_URL, ...environment },
    answers: [
      answering(findMemberships, ({ userId }) => ({
        memberships: [(!left.has(userId) && MEMBERS[userId]) || []]
          .flat()
          .map((place) => ({ role: 'OWNER', ...place, state: stateOf(place.vendorId) })),
      })),
      answering(findVendors, ({ ids }) => ({
        vendors: VENDORS.filter(({ id }) => ids.includes(id)).map((vendor) => ({
          ...vendor,
          state: stateOf(vendor.id),
        })),
      })),
      answering(findCategories, ({ ids }) => {
        if (gone.has('*')) throw unavailable('categories');
        const found = CATEGORIES.filter((id) => ids.includes(id) && !gone.has(id));
        return { categories: found.map((id) => ({ id, name: id, slug: id.slice(4), ancestorIds: [] })) };
      }),
      answering(findSubtree, ({ id }) => ({ ids: BELOW[id] ?? CATEGORIES.filter((each) => each === id) })),
    ],
  });
  const market: Market = {
    app,
    suspended,
    gone,
    left,
    async change(name, input, selection, as = ann) {
      const type = `${name[0]!.toUpperCase()}${name.slice(1)}Input`;
      const asked = await app.ask(
        `mutation ($input: ${type}!) { ${name}(input: $input) { ${selection} userErrors { ${ERROR} } } }`,
        { input },
        { as },
      );
      if (!asked.data?.[name]) throw new Error(JSON.stringify(asked.errors));
      return asked.data[name];
    },
    async close() {
      await app.close();
      await files.close();
      await rm(directory, { recursive: true, force: true });
    },
    [Symbol.asyncDispose]: () => market.close(),
  };
  return market;
}

const ERROR =
  '__typename code message path ... on StaleVersionError { currentVersion } ... on ProductStateError { state availableActions }';

export const zmw = (amount: string): { amount: string; currency: string } => ({ amount, currency: 'ZMW' });

let counter = 0;

/** A product of ven_a with one variant, as an input; each with a name and a SKU of its own. */
export function aProduct(more: Record<string, unknown> = {}): Record<string, unknown> {
  counter += 1;
  return { vendorId: 'ven_a', name: `Thing ${counter}`, variants: [{ sku: `SKU-${counter}`, price: zmw('10.00') }], ...more };
}

export const PRODUCT = 'product { id name slug version state variants { id sku name version price { amount currency } } }';

/** Made, and seen by everyone. */
export async function published(market: Market, more: Record<string, unknown> = {}, as = ann): Promise<Data> {
  const made = await market.change('createProduct', aProduct(more), PRODUCT, as);
  if (!made.product) throw new Error(JSON.stringify(made.userErrors));
  const { product, userErrors } = await market.change('publishProduct', { id: made.product.id }, PRODUCT, as);
  if (!product) throw new Error(JSON.stringify(userErrors));
  return product;
}

export const codesOf = (payload: Data): string[] => payload.userErrors.map(({ code }: { code: string }) => code);

export const topCodes = ({ errors }: Answered): unknown[] => (errors ?? []).map(({ extensions }) => extensions['code']);

/** Delivers an event of another subgraph, as its queue would, and waits for its effects. */
export async function hear<T>(
  app: TestApp,
  { definition, data }: PublishedMessage<T>,
  { id, at }: { id: string; at: Date },
): Promise<void> {
  const consumer = app.runtime().consumers.find(({ queue }) => queue === 'catalog')!;
  const envelope = { id, type: definition.type, version: definition.version, occurredAt: at.toISOString(), correlationId: 'test', data };
  await consumer.deliver({ envelope, from: 'elsewhere' }, 1);
  await app.settled();
}

export const ATTRIBUTE = 'attribute { id code name type unit filterable variantAxis version vendor { id } options { value label swatch } }';

/** A size and a colour that part variants, and one attribute of each other kind; their ids by code. */
export async function someAttributes(market: Market): Promise<Record<string, string>> {
  const ids: Record<string, string> = {};
  const definitions: [Record<string, unknown>, typeof ann][] = [
    [
      {
        code: 'size',
        name: 'Size',
        type: 'SELECT',
        variantAxis: true,
        filterable: true,
        options: ['s', 'm', 'l'].map((value) => ({ value, label: value.toUpperCase() })),
      },
      admin,
    ],
    [
      {
        vendorId: 'ven_a',
        code: 'colour',
        name: 'Colour',
        type: 'COLOUR',
        variantAxis: true,
        filterable: true,
        options: [
          { value: 'red', label: 'Red', swatch: '#FF0000' },
          { value: 'blue', label: 'Blue', swatch: '#0000ff' },
        ],
      },
      ann,
    ],
    [{ vendorId: 'ven_a', code: 'weight', name: 'Net weight', type: 'NUMBER', unit: 'g', filterable: true }, ann],
    [{ vendorId: 'ven_a', code: 'maker', name: 'Maker', type: 'TEXT' }, ann],
    [{ vendorId: 'ven_a', code: 'organic', name: 'Organic', type: 'BOOLEAN', filterable: true }, ann],
    [
      {
        vendorId: 'ven_a',
        code: 'uses',
        name: 'Uses',
        type: 'MULTISELECT',
        filterable: true,
        options: ['soup', 'stew', 'porridge'].map((value) => ({ value, label: `For ${value}` })),
      },
      ann,
    ],
    [{ vendorId: 'ven_b', code: 'secret', name: 'Of Ben', type: 'TEXT' }, ben],
  ];
  for (const [input, as] of definitions)
    ids[String(input['code'])] = (await market.change('createAttribute', input, ATTRIBUTE, as)).attribute.id;
  return ids;
}

import { openGatewayForTest, testKeys, type TestGateway } from '../../gateway/testing/open-gateway.ts';
import type { Host } from '#shared/runtime/host.ts';
import type { Viewer } from '#shared/base/identity.ts';
import { open, viewer, type OpenOptions, type TestApp } from '#shared/testing/open.ts';
import { seedAccount } from '../../subgraphs/accounts/actions/register.ts';
import type { Ctx as AccountsCtx } from '../../subgraphs/accounts/loaders.ts';
import { createDoor, type Door } from './test-door.ts';
import { loadSubgraphs } from './test-subgraphs.ts';

/* A small market with everything real: six subgraphs, store, Redis; two vendors of Lusaka, one of Tokyo, six things to buy. */

export interface Store {
  id: string;
  owner: Viewer;
  email: string;
}

export interface Market {
  admin: Viewer;
  grocer: Store;
  tailor: Store;
  tokyo: Store;
  categoryId: string;
  /** Variant ids. */
  goods: Record<Good, string>;
  /** Product ids, by the same names. */
  products: Record<Good, string>;
}

export interface OpenMarket extends Market, AsyncDisposable {
  app: TestApp;
  door: Door;
  gateway: TestGateway;
  /** A confirmed account with an address, for tests that are about accounts. */
  account(name: string, roles?: Role[]): Promise<Account>;
  /** Something new of the grocer's with so many pieces; answers the variant. */
  scarce(pieces: number): Promise<string>;
  /** Signs in through the gateway; answers the access token. */
  signIn(email: string): Promise<string>;
  close(): Promise<void>;
}

type Role = 'customer' | 'vendor' | 'agent' | 'admin';

export interface Account {
  as: Viewer;
  email: string;
  phone: string;
}

export const PASSWORD = 'correct horse battery staple';
export const PIECES = 1_000_000;

const GOODS = {
  meal: { of: 'grocer', name: 'Mealie Meal 25 kg', amount: '185.50', currency: 'ZMW' },
  oil: { of: 'grocer', name: 'Sunflower Oil 2 l', amount: '99.99', currency: 'ZMW' },
  dress: { of: 'tailor', name: 'Chitenge Dress', amount: '450.00', currency: 'ZMW' },
  shirt: { of: 'tailor', name: 'Linen Shirt', amount: '320.00', currency: 'ZMW' },
  /** Not one piece of it is left. */
  pot: { of: 'tailor', name: 'Clay Pot', amount: '75.00', currency: 'ZMW', pieces: 0 },
  tea: { of: 'tokyo', name: 'Sencha 100 g', amount: '1200', currency: 'JPY' },
} as const;

type Good = keyof typeof GOODS;
const GOOD_NAMES = Object.keys(GOODS) as Good[];

const STORES = {
  grocer: {
    storeName: 'Kabwata Grocers',
    currency: 'ZMW',
    timeZone: 'Africa/Lusaka',
    country: 'ZM',
    city: 'Lusaka',
    contactPhone: '+260971234501',
  },
  tailor: {
    storeName: 'Mwansa Tailoring',
    currency: 'ZMW',
    timeZone: 'Africa/Lusaka',
    country: 'ZM',
    city: 'Lusaka',
    contactPhone: '+260971234502',
  },
  tokyo: { storeName: 'Kanda Tea', currency: 'JPY', timeZone: 'Asia/Tokyo', country: 'JP', city: 'Tokyo', contactPhone: '+81312345678' },
} as const;

type StoreName = keyof typeof STORES;
const STORE_NAMES = Object.keys(STORES) as StoreName[];

const emailOf = (name: string): string => `${name}@people.soko.example`;

/** An application that is handed in, looked at and approved. */
async function openStore(door: Door, admin: Viewer, owner: Viewer, name: StoreName): Promise<Store> {
  const { storeName, currency, timeZone, country, city, contactPhone } = STORES[name];
  const address = { line1: 'Plot 7, Cairo Road', city, country };
  const papers = { storeName, currency, timeZone, address, contactPhone, contactEmail: `${name}@owners.soko.example` };
  const { application } = await door.done('vendors', owner, 'applyAsVendor', papers, 'application { id }');
  const step = (as: Viewer, mutation: string, selection: string) => door.done('vendors', as, mutation, { id: application.id }, selection);
  await step(owner, 'submitVendorApplication', 'application { id }');
  await step(admin, 'startVendorApplicationReview', 'application { id }');
  const { vendor } = await step(admin, 'approveVendorApplication', 'vendor { id }');
  return { id: vendor.id, owner, email: emailOf(name) };
}

interface Shelved {
  name: string;
  amount: string;
  currency: string;
  pieces: number;
}

/** A new product of one variant, published and in stock. */
async function stockUp(
  door: Door,
  { id: vendorId, owner }: Store,
  { name, amount, currency, pieces }: Shelved,
  categoryIds: string[] = [],
) {
  const variants = [{ sku: name.toUpperCase().replaceAll(' ', '-'), price: { amount, currency } }];
  const selection = 'product { id variants { id } }';
  const { product } = await door.done('catalog', owner, 'createProduct', { vendorId, name, categoryIds, variants }, selection);
  await door.done('catalog', owner, 'publishProduct', { id: product.id }, 'product { id }');
  const variantId: string = product.variants[0].id;
  await door.done('inventory', owner, 'setStock', { variantId, onHand: pieces, expectedVersion: 0 }, 'stockItem { id }');
  return { productId: product.id as string, variantId };
}

/** Builds the market by the mutations that vendors and admins use. */
export async function fillMarket(host: Pick<Host, 'runtimes'>, owners: Record<StoreName, Viewer>): Promise<Market> {
  const door = createDoor(host);
  const admin = viewer('usr_admin', ['admin']);
  const opened = await Promise.all(STORE_NAMES.map(async (name) => [name, await openStore(door, admin, owners[name], name)] as const));
  const stores = Object.fromEntries(opened) as Record<StoreName, Store>;
  const { category } = await door.done('categories', admin, 'createCategory', { name: 'Everyday' }, 'category { id }');
  const entries = await Promise.all(
    GOOD_NAMES.map((name) => stockUp(door, stores[GOODS[name].of], { pieces: PIECES, ...GOODS[name] }, [category.id])),
  );
  const byName = (field: 'productId' | 'variantId') =>
    Object.fromEntries(GOOD_NAMES.map((name, index) => [name, entries[index]![field]])) as Record<Good, string>;
  return { admin, ...stores, categoryId: category.id, goods: byName('variantId'), products: byName('productId') };
}

/** All subgraphs in this process on databases of their own, with the market in them and the gateway in front. */
export async function openMarket(options: OpenOptions = {}): Promise<OpenMarket> {
  const pem = testKeys.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
  const app = await open(await loadSubgraphs(), {
    ...options,
    environment: { ACCESS_TOKEN_PRIVATE_KEY: pem, FAILED_LOGIN_MIN_MS: '0', ...options.environment },
  });
  try {
    let accounts = 0;
    const account = async (name: string, roles: Role[] = ['customer']): Promise<Account> => {
      const phone = `+26097600${String((accounts += 1)).padStart(4, '0')}`;
      const address = { recipient: `${name} of the address`, phone, line1: `Secret street of ${name}`, city: 'Lusaka', country: 'ZM' };
      const person = { email: emailOf(name), password: PASSWORD, name: `${name} Phiri`, phone, roles, addresses: [address] };
      const { user } = await seedAccount(app.context('accounts') as AccountsCtx, person);
      return { as: viewer(user._id, [...user.roles]), email: person.email, phone };
    };
    const people = await Promise.all(STORE_NAMES.map((name) => account(name)));
    const owners = Object.fromEntries(STORE_NAMES.map((name, index) => [name, people[index]!.as])) as Record<StoreName, Viewer>;
    const market = await fillMarket(app.host, owners);
    const gateway = await openGatewayForTest({ subgraphs: [...app.host.runtimes.values()] });
    const door = createDoor(app.host);
    let kinds = 0;
    const scarce = async (pieces: number): Promise<string> => {
      const shelved = { name: `Rarity ${(kinds += 1)}`, amount: '10.00', currency: 'ZMW', pieces };
      return (await stockUp(door, market.grocer, shelved)).variantId;
    };
    const close = async (): Promise<void> => {
      await gateway.close();
      await app.close();
    };
    const signIn = async (email: string): Promise<string> => {
      const login = 'mutation ($input: LoginInput!) { login(input: $input) { accessToken userErrors { code } } }';
      const { data } = await gateway.ask(login, { input: { email, password: PASSWORD } });
      return data.login.accessToken as string;
    };
    return { ...market, app, door, gateway, account, scarce, signIn, close, [Symbol.asyncDispose]: close };
  } catch (error) {
    await app.close();
    throw error;
  }
}

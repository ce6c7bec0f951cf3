import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Viewer } from '#shared/base/identity.ts';
import { newKey, type Data } from './market/test-door.ts';
import { openMarket, type Account, type OpenMarket } from './market/test-market.ts';
import { INTROSPECTION, readSchema, waysFrom, type Door } from './market/test-walk.ts';

/* Two who must not see each other's things: nobody sees the victim's, whichever way through the joined graph is taken. */

const DEPTH = 6;
const WIDTH = 4;
const SHIPPED_TO = {
  recipient: 'Mutinta of the parcel',
  phone: '+260966123123',
  line1: 'Hidden street of the parcel',
  city: 'Ndola',
  country: 'ZM',
};

let market: OpenMarket;
let victim: Account;
let stranger: Account;
let order: Data;
let doors: { everybody: Door[]; private: Door[] };
let ways: (list: Door[]) => string[];

beforeAll(async () => {
  market = await openMarket();
  [victim, stranger] = await Promise.all([market.account('mutinta'), market.account('stranger')]);
  const { door, goods, grocer, products, categoryId } = market;
  ({ order } = await door.buy(victim.as, { [goods.meal]: 2 }, { address: SHIPPED_TO }));
  await door.fill(victim.as, { [goods.oil]: 1 });
  await door.buy(stranger.as, { [goods.shirt]: 1 });
  const [part] = order.vendorOrders;
  doors = {
    everybody: [
      { field: 'products', args: '(first: 3)' },
      { field: 'product', args: `(id: "${products.meal}")` },
      { field: 'vendors', args: '(first: 3)' },
      { field: 'vendor', args: `(id: "${grocer.id}")` },
      { field: 'category', args: `(id: "${categoryId}")` },
      { field: 'categoryTree', args: '' },
    ],
    private: [
      { field: 'order', args: `(id: "${order.id}")` },
      { field: 'orders', args: `(first: 3, buyerId: "${victim.as.id}")` },
      { field: 'vendorOrder', args: `(id: "${part.id}")` },
      { field: 'vendorOrders', args: `(first: 3, vendorId: "${grocer.id}")` },
      { field: 'user', args: `(id: "${victim.as.id}")` },
      { field: 'users', args: '(first: 3)' },
      { field: 'vendorMembers', args: `(first: 3, vendorId: "${grocer.id}")` },
      { field: 'stockItems', args: `(first: 3, where: { vendorId: { eq: "${grocer.id}" } })` },
      { field: 'stockMovements', args: `(first: 3, where: { vendorId: { eq: "${grocer.id}" } })` },
      { field: 'warehouses', args: `(vendorId: "${grocer.id}")` },
      { field: 'reservation', args: `(reference: "${order.id}")` },
      { field: 'me', args: '' },
      { field: 'cart', args: '' },
      { field: 'sessions', args: '(first: 3)' },
    ],
  };
  const schema = readSchema((await market.gateway.ask(INTROSPECTION)).data);
  ways = (list) => waysFrom(schema, list, DEPTH);
}, 60_000);
afterAll(() => market?.close());

/** Everything that somebody gets to see, as text. */
async function seenBy(who: Viewer | null, list: Door[]): Promise<string> {
  const token = who ? await market.gateway.tokenFor(who) : undefined;
  const queries = ways(list);
  const answers: string[] = [];
  const walker = async (): Promise<void> => {
    for (let query = queries.pop(); query; query = queries.pop()) {
      const { status, data, errors } = await market.gateway.ask(query, {}, { token });
      const broken = errors?.filter(({ extensions }) => !['FORBIDDEN', 'UNAUTHENTICATED', 'NOT_FOUND'].includes(extensions.code));
      if (broken?.length || status >= 500) throw new Error(`${query}: ${JSON.stringify(broken)}`);
      answers.push(JSON.stringify(data));
    }
  };
  await Promise.all(Array.from({ length: WIDTH }, walker));
  console.info(`${answers.length} operations as ${who?.id ?? 'nobody'}`);
  return answers.join('\n');
}

const secrets = (): Record<string, string> => ({
  email: victim.email,
  phone: victim.phone,
  street: 'Secret street of mutinta',
  parcelStreet: SHIPPED_TO.line1,
  parcelPhone: SHIPPED_TO.phone,
  recipient: SHIPPED_TO.recipient,
  order: order.id,
});
const foundIn = (text: string): string[] => Object.entries(secrets()).flatMap(([name, secret]) => (text.includes(secret) ? [name] : []));

describe('walking the graph as deep as it goes', () => {
  test('the victim finds everything of its own, and the vendor what must be delivered', async () => {
    const own = await seenBy(victim.as, doors.private);
    const vendors = await seenBy(market.grocer.owner, doors.private);

    expect(foundIn(own)).toEqual(Object.keys(secrets()));
    expect(foundIn(vendors)).toEqual(['parcelStreet', 'parcelPhone', 'recipient', 'order']);
  }, 120_000);

  test.each(['nobody', 'another buyer', 'another vendor'])(
    '%s finds nothing of the victim',
    async (name) => {
      const who = name === 'nobody' ? null : name === 'another buyer' ? stranger.as : market.tailor.owner;

      const text = await seenBy(who, [...doors.everybody, ...doors.private]);

      expect(foundIn(text)).toEqual([]);
      expect(text).not.toContain('grocer@owners.soko.example');
      expect(text).not.toContain(market.grocer.email);
      expect(text).toContain('Mealie Meal');
    },
    120_000,
  );
});

describe('changing what belongs to others', () => {
  /** Each mutation that takes an id, with ids of the victim or of its vendor. */
  const attempts = async (): Promise<Record<string, object>> => {
    const { goods, products, grocer, categoryId } = market;
    const row = await market.app
      .runtime('accounts')
      .db.collection<{ _id: string; addresses: { _id: string }[] }>('users')
      .findOne({ _id: victim.as.id });
    const cart = await market.app.runtime('orders').db.collection('carts').findOne({ userId: victim.as.id });
    const [addressId, lineId] = [row!.addresses[0]!._id, cart!['lines'][0]._id];
    const part = order.vendorOrders[0].id;
    return {
      cancelOrder: { orderId: order.id },
      cancelVendorOrder: { vendorOrderId: part, reason: 'mine now' },
      updateVendorOrderStatus: { vendorOrderId: part, status: 'PROCESSING' },
      updateCartLine: { lineId, quantity: 9 },
      updateAddress: { id: addressId, city: 'Kitwe' },
      deleteAddress: { id: addressId },
      setDefaultAddress: { id: addressId },
      setUserRoles: { id: victim.as.id, expectedVersion: 1, roles: ['ADMIN'] },
      deactivateUser: { id: victim.as.id, reason: 'gone' },
      updateVendor: { id: grocer.id, expectedVersion: 1, name: 'Taken over' },
      suspendVendor: { id: grocer.id, reason: 'mine now' },
      inviteVendorMember: { vendorId: grocer.id, email: stranger.email, role: 'OWNER' },
      appointVendorOwner: { vendorId: grocer.id, userId: stranger.as.id },
      createProduct: { vendorId: grocer.id, name: 'Smuggled' },
      updateProduct: { id: products.meal, expectedVersion: 2, name: 'Taken over' },
      archiveProduct: { id: products.meal },
      deleteProduct: { id: products.meal },
      updateVariant: { id: goods.meal, expectedVersion: 1, price: { amount: '0.01', currency: 'ZMW' } },
      setStock: { variantId: goods.meal, onHand: 0, expectedVersion: 1 },
      adjustStock: { variantId: goods.meal, delta: -1, reason: 'mine now', idempotencyKey: newKey() },
      createWarehouse: { vendorId: grocer.id, name: 'Smuggled' },
      updateCategory: { id: categoryId, expectedVersion: 1, name: 'Taken over' },
      deleteCategory: { id: categoryId },
    };
  };

  /** The rows that are somebody's; what the kit keeps for itself is left out. */
  const rowsOf = async (): Promise<string> => {
    const own = {
      accounts: ['users'],
      vendors: ['vendors', 'members', 'invitations'],
      categories: ['categories'],
      catalog: ['products', 'variants'],
      inventory: ['stockitems', 'stockmovements', 'warehouses'],
      orders: ['orders', 'vendororders', 'carts'],
    };
    const all = Object.entries(own).flatMap(([name, list]) =>
      list.map((each) => market.app.runtime(name).db.collection(each).find().sort({ _id: 1 }).toArray()),
    );
    return JSON.stringify(await Promise.all(all));
  };

  test.each(['nobody', 'another buyer', 'another vendor'])(
    '%s is refused each time, and nothing changes',
    async (name) => {
      const who = name === 'nobody' ? null : name === 'another buyer' ? stranger.as : market.tailor.owner;
      const token = who ? await market.gateway.tokenFor(who) : undefined;
      const before = await rowsOf();

      const codes: Record<string, string> = {};
      for (const [mutation, input] of Object.entries(await attempts())) {
        const type = `${mutation[0]!.toUpperCase()}${mutation.slice(1)}Input!`;
        const { data, errors } = await market.gateway.ask(
          `mutation ($input: ${type}) { ${mutation}(input: $input) { userErrors { code } } }`,
          { input },
          { token },
        );
        codes[mutation] = errors?.[0]?.extensions.code ?? data[mutation].userErrors[0]?.code ?? 'done';
      }

      const understood = new Set(['FORBIDDEN', 'UNAUTHENTICATED', 'NOT_FOUND']);
      // To delete what one does not have is no mistake, and says nothing of others.
      if (who) expect(codes['deleteAddress']).toBe('done');
      delete codes['deleteAddress'];
      expect(Object.entries(codes).filter(([, code]) => !understood.has(code))).toEqual([]);
      expect(await rowsOf()).toBe(before);
    },
    60_000,
  );
});

import { Problem, unavailable } from '#shared/base/errors.ts';
import type { PublishedMessage } from '#shared/kit/define-event.ts';
import type { Viewer } from '#shared/base/identity.ts';
import { newId } from '#shared/base/ids.ts';
import { answering, open, viewer, type Data, type TestApp } from '#shared/testing/open.ts';
import { findAddress } from '../accounts/contract.ts';
import { findVariants } from '../catalog/contract.ts';
import { commitReservation, findStock, releaseReservation, reserveStock, restockReservation } from '../inventory/contract.ts';
import { readSettings } from '#shared/kit/settings-commands.ts';
import { EMPTY_PAGE } from '#shared/settings/page.ts';
import { findMemberships, findVendors } from '../vendors/contract.ts';
import { subgraph } from './subgraph.ts';

/* What the other subgraphs say in the tests of this one. The whole of them together is tested in `schema/`. */

export const buyer = viewer('usr_buyer');
export const stranger = viewer('usr_stranger');
export const admin = viewer('usr_admin', ['admin']);
export const grocer = viewer('usr_grocer', ['vendor']);
export const tailor = viewer('usr_tailor', ['vendor']);
/** Works for the tailor, but changes nothing. */
export const clerk = viewer('usr_clerk', ['vendor']);

const MEMBERS: [userId: string, Member][] = [
  ['usr_grocer', { vendorId: 'vnd_grocer', permissions: ['ORDERS'] }],
  ['usr_tailor', { vendorId: 'vnd_tailor', permissions: ['ORDERS'] }],
  ['usr_clerk', { vendorId: 'vnd_tailor', permissions: [] }],
];

interface Member {
  vendorId: string;
  permissions: 'ORDERS'[];
}

const ADDRESS = {
  recipient: 'Mutale Banda',
  phone: '+260971234567',
  line1: 'Plot 12, Great East Road',
  line2: null,
  city: 'Lusaka',
  region: null,
  postalCode: null,
  country: 'ZM',
  location: null,
};

interface Good {
  vendorId: string;
  amount: number;
  currency: string;
  isForSale: boolean;
  stock: number;
}

const good = (vendorId: string, amount: number, rest: Partial<Good> = {}): Good => ({
  vendorId,
  amount,
  currency: 'ZMW',
  isForSale: true,
  stock: 100,
  ...rest,
});

/** The market around the orders: goods, stores, holds, and what shall go wrong. */
export function createMarket() {
  const market = {
    goods: new Map<string, Good>([
      ['var_meal', good('vnd_grocer', 18_550)],
      ['var_oil', good('vnd_grocer', 9_999)],
      ['var_dress', good('vnd_tailor', 45_000)],
      ['var_tea', good('vnd_tokyo', 1_200, { currency: 'JPY' })],
    ]),
    suspended: new Set<string>(),
    members: new Map(MEMBERS),
    holds: new Map<string, { lines: { variantId: string; quantity: number }[]; state: 'HELD' | 'COMMITTED' | 'RELEASED' }>(),
    /** Commands that fail with a retryable error, this many times. */
    outages: new Map<string, number>(),
    /** Reservations run out before they are committed. */
    holdsRunOut: false,
    /** Commands that are answered only then. */
    gates: new Map<string, Promise<void>>(),
  };
  return market;
}

export type Market = ReturnType<typeof createMarket>;

function failIfAsked(market: Market, command: string): void {
  const left = market.outages.get(command) ?? 0;
  if (left === 0) return;
  market.outages.set(command, left - 1);
  throw unavailable('stand-in');
}

const give = (market: Market, lines: { variantId: string; quantity: number }[], sign: 1 | -1): void => {
  for (const { variantId, quantity } of lines) market.goods.get(variantId)!.stock += sign * quantity;
};

function answers(market: Market) {
  const stateOf = (id: string) => (market.suspended.has(id) ? ('SUSPENDED' as const) : ('ACTIVE' as const));
  return [
    answering(findVariants, ({ variantIds }) => {
      failIfAsked(market, 'findVariants');
      const variants = variantIds.flatMap((variantId) => {
        const found = market.goods.get(variantId);
        const { vendorId, amount, currency, isForSale } = found ?? good('', 0);
        const names = { sku: variantId.toUpperCase(), productName: `The ${variantId.slice(4)}`, variantName: '' };
        return found
          ? {
              ...names,
              variantId,
              productId: `prd_${variantId.slice(4)}`,
              vendorId,
              price: { amount, currency },
              isForSale,
              categoryIds: [],
              imageUrl: `https://pictures.example/${variantId.slice(4)}.jpg`,
              productVersion: 1,
            }
          : [];
      });
      return { variants };
    }),
    answering(findVendors, ({ ids }) => ({
      vendors: ids.map((id) => ({
        id,
        name: id,
        slug: id,
        state: stateOf(id),
        currency: 'ZMW',
      })),
    })),
    answering(findStock, ({ variantIds }) => {
      failIfAsked(market, 'findStock');
      return { stock: variantIds.map((variantId) => ({ variantId, available: market.goods.get(variantId)?.stock ?? 0 })) };
    }),
    answering(findMemberships, ({ userId }) => {
      const member = market.members.get(userId);
      return { memberships: member ? [{ ...member, role: 'MEMBER', state: stateOf(member.vendorId) }] : [] };
    }),
    answering(findAddress, ({ userId, addressId }) => ({
      address: userId === buyer.id && (!addressId || addressId === 'adr_home') ? ADDRESS : null,
    })),
    answering(reserveStock, ({ reference, lines }) => {
      failIfAsked(market, 'reserveStock');
      for (const { variantId, quantity } of lines) {
        const { stock } = market.goods.get(variantId)!;
        if (stock < quantity) {
          throw new Problem('INSUFFICIENT_STOCK', `There are only ${stock} left.`, {
            typename: 'InsufficientStockError',
            variantId,
            available: stock,
          });
        }
      }
      if (!market.holds.has(reference)) {
        give(market, lines, -1);
        market.holds.set(reference, { lines, state: 'HELD' });
      }
      return { reservationId: `rsv_${reference}`, expiresAt: new Date().toISOString() };
    }),
    answering(commitReservation, async ({ reference }) => {
      await market.gates.get('commitReservation');
      failIfAsked(market, 'commitReservation');
      if (market.holdsRunOut) throw new Problem('RESERVATION_ENDED', 'The hold has expired.');
      market.holds.get(reference)!.state = 'COMMITTED';
      return { committed: true as const };
    }),
    answering(releaseReservation, ({ reference }) => {
      const hold = market.holds.get(reference);
      if (hold && hold.state !== 'RELEASED') give(market, hold.lines, 1);
      market.holds.set(reference, { lines: [], state: 'RELEASED' });
      return { released: true as const };
    }),
    answering(restockReservation, ({ lines }) => {
      give(market, lines, 1);
      return { restocked: true as const };
    }),
  ];
}

export const openOrders = (
  market: Market,
  environment: Record<string, string> = {},
  values: Record<string, number> = {},
): Promise<TestApp> => open(subgraph, { viewer: buyer, answers: [...answers(market), settingsAnswer(values)], environment });

/** What config would say: global values of settings, by id. */
const settingsAnswer = (values: Record<string, number>) =>
  answering(readSettings, ({ scopes }) => ({
    pages: scopes.map((scope) => ({ scope, page: { ...EMPTY_PAGE, settings: mapValues(values) } })),
  }));

const mapValues = (values: Record<string, number>) => Object.fromEntries(Object.entries(values).map(([id, value]) => [id, String(value)]));

const CART =
  'cart { id version totalQuantity lines { id quantity productName imageUrl variant { id } unitPrice { amount currency } total { amount } } groups { vendor { id } subtotal { amount } } problems { code lineId available previousPrice { amount } } subtotal { amount currency } user { id } }';
const ERRORS =
  'userErrors { __typename code message path ... on InsufficientStockError { variantId available } ... on LineNotForSaleError { lineId variantId } ... on PriceChangedError { total { amount } } }';
export const ORDER =
  'id status availableActions subtotal { amount } total { amount currency } originalTotal { amount } timeline { previousStatus newStatus actor reason } shippingAddress { recipient city } vendorOrders { id status nextStatuses vendor { id } subtotal { amount } lines { quantity productName unitPrice { amount } variant { id } } timeline { newStatus actor reason } } placedAt buyer { id }';

const INPUTS: Record<string, [type: string, selection: string]> = {
  addToCart: ['AddToCartInput', `guestToken ${CART}`],
  updateCartLine: ['UpdateCartLineInput', CART],
  removeCartLine: ['RemoveCartLineInput', CART],
  clearCart: ['ClearCartInput', CART],
  mergeCarts: ['MergeCartsInput', CART],
  placeOrder: ['PlaceOrderInput', `order { ${ORDER} }`],
  cancelOrder: ['CancelOrderInput', `order { ${ORDER} }`],
  cancelVendorOrder: ['CancelVendorOrderInput', 'vendorOrder { id status nextStatuses timeline { newStatus actor reason } }'],
  updateVendorOrderStatus: [
    'UpdateVendorOrderStatusInput',
    'vendorOrder { id status nextStatuses timeline { previousStatus newStatus actor reason } }',
  ],
};

/** Runs a mutation by its name; answers its payload, or the errors when there is none. */
export async function run(app: TestApp, name: string, input: object, as?: Viewer | null): Promise<Data> {
  const [type, selection] = INPUTS[name]!;
  const query = `mutation ($input: ${type}!) { ${name}(input: $input) { ${selection} ${ERRORS} } }`;
  const { data, errors } = await app.ask(query, { input }, as === undefined ? {} : { as });
  return data?.[name] ?? { errors };
}

let keys = 0;
export const newKey = (): string => `key-${process.pid}-${(keys += 1)}`;

/** A confirmed order of one meal and two dresses, unless other goods are named. */
export async function placed(
  app: TestApp,
  goods: Record<string, number> = { var_meal: 1, var_dress: 2 },
  as: Viewer = buyer,
  where: object = as === buyer ? { addressId: 'adr_home' } : { address: ADDRESS },
): Promise<Data> {
  for (const [variantId, quantity] of Object.entries(goods)) await run(app, 'addToCart', { variantId, quantity }, as);
  const input = { paymentMethod: 'CASH_ON_DELIVERY', ...where, idempotencyKey: newKey() };
  const { order, userErrors } = await run(app, 'placeOrder', input, as);
  if (!order) throw new Error(`no order: ${JSON.stringify(userErrors)}`);
  return order;
}

export const partOf = (order: Data, vendorId: string): Data => order.vendorOrders.find(({ vendor }: Data) => vendor.id === vendorId);

/** An order that is not confirmed yet; `confirm` lets its checkout go on. */
export async function pending(app: TestApp, market: Market, as: Viewer): Promise<{ order: Data; confirm(): Promise<Data> }> {
  const gate = Promise.withResolvers<void>();
  market.gates.set('commitReservation', gate.promise);
  const created = await app.subscribe(`subscription { orderEvents { order { ${ORDER} } } }`, {}, { as });
  const placing = placed(app, { var_meal: 1, var_dress: 1 }, as);
  const { order } = (await created.next()).value.data.orderEvents;
  await created.return!();
  const confirm = (): Promise<Data> => {
    market.gates.clear();
    gate.resolve();
    return placing;
  };
  return { order, confirm };
}

/** Hands an event of another subgraph to this one, as its queue would. */
export async function deliver<T>(app: TestApp, { definition, data }: PublishedMessage<T>, id = newId('evt')): Promise<void> {
  const now = new Date().toISOString();
  const envelope = { id, type: definition.type, version: definition.version, occurredAt: now, correlationId: 'test', data };
  await app
    .runtime()
    .consumers.find(({ queue }) => queue === 'orders')!
    .deliver({ envelope, from: 'elsewhere' }, 1);
}

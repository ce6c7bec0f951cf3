import { createPrivateKey } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { SignJWT } from 'jose';
import { LOGIN } from '../../demo/tour/operations.ts';
import { newId } from '#shared/base/ids.ts';
import type { RunningMarket } from './market.ts';

/** What became of one `placeOrder`. */
export interface Outcome {
  kind: 'order' | 'refusal' | 'other';
  ms: number;
  /** When it was told. */
  at: number;
}

export interface Shoppers {
  /** A new buyer with a full cart. */
  enter(): Promise<Shopper>;
}

export interface Shopper {
  /** He and others after him order one after the other until `isOver`; who is refused comes back when he was told to. */
  shop(isOver: () => boolean): Promise<Outcome[]>;
}

// oxlint-disable-next-line typescript/no-explicit-any -- whoever asks knows what comes back
type Answer = any;

const STORES = { vendor1: 'tiyende-grocers', vendor2: 'dimba-fresh' };
const PIECES = 50;
const PLENTY = 5_000;
const ADDRESS = { recipient: 'Bench', phone: '+260971234567', line1: 'Plot 1', city: 'Lusaka', country: 'ZM' };
const ADD = 'mutation ($input: AddToCartInput!) { addToCart(input: $input) { cart { id } userErrors { code } } }';
const PLACE = 'mutation ($input: PlaceOrderInput!) { placeOrder(input: $input) { order { id status } userErrors { code } } }';
const MINE = '{ orders { nodes { id } } }';
const GOODS = `query ($slug: String!) { vendorBySlug(slug: $slug) { products(first: ${PIECES}) { nodes { variants { id isForSale } } } } }`;
const STOCK = 'mutation ($input: AdjustStockInput!) { adjustStock(input: $input) { stockItem { id } userErrors { code message } } }';

export async function openShoppers({ http, users, tokenKey }: RunningMarket): Promise<Shoppers> {
  const key = createPrivateKey(tokenKey);
  const shelves: string[][] = [];
  for (const [who, slug] of Object.entries(STORES)) {
    const { data } = await ask(http, undefined, LOGIN, { input: users[who] });
    shelves.push(await stockUp(http, data.login.accessToken as string, slug));
  }
  let orders = 0;

  async function fill(): Promise<string> {
    const number = (orders += 1);
    const token = await tokenFor(key, newId('usr'));
    for (const shelf of shelves) await add(http, token, shelf[number % shelf.length]!);
    return token;
  }

  async function orderOnce(token: string, isOver: () => boolean): Promise<Outcome[]> {
    const idempotencyKey = newId('key');
    const outcomes: Outcome[] = [];
    for (;;) {
      const { outcome, retryAfterSeconds } = await place(http, token, idempotencyKey);
      outcomes.push(outcome);
      if (outcome.kind !== 'refusal') return outcomes;
      await delay(retryAfterSeconds * 1_000 * (1 + Math.random() / 2));
      if (!isOver()) continue;
      await expectNoOrder(http, token);
      return outcomes;
    }
  }

  async function enter(): Promise<Shopper> {
    let token = await fill();
    return {
      async shop(isOver) {
        const outcomes: Outcome[] = [];
        while (!isOver()) {
          outcomes.push(...(await orderOnce(token, isOver)));
          if (!isOver()) token = await fill();
        }
        return outcomes;
      },
    };
  }

  return { enter };
}

async function stockUp(http: string, token: string, slug: string): Promise<string[]> {
  const { data } = await ask(http, token, GOODS, { slug });
  const variants: Answer[] = data.vendorBySlug.products.nodes.flatMap((product: Answer) => product.variants);
  const ids = variants.filter(({ isForSale }) => isForSale).map(({ id }) => id as string);
  for (const variantId of ids) {
    const input = { variantId, delta: PLENTY, reason: 'Bench', idempotencyKey: newId('key') };
    const { data: adjusted, errors } = await ask(http, token, STOCK, { input });
    if (errors || adjusted.adjustStock.userErrors.length > 0) throw new Error(JSON.stringify(errors ?? adjusted));
  }
  return ids;
}

async function add(http: string, token: string, variantId: string): Promise<void> {
  for (;;) {
    const { data, errors } = await ask(http, token, ADD, { input: { variantId, quantity: 1 } });
    if (!errors && data.addToCart.userErrors.length === 0) return;
    await delay(1_000);
  }
}

async function place(http: string, token: string, idempotencyKey: string): Promise<{ outcome: Outcome; retryAfterSeconds: number }> {
  const since = performance.now();
  const input = { paymentMethod: 'CASH_ON_DELIVERY', address: ADDRESS, idempotencyKey };
  const { data, errors } = await ask(http, token, PLACE, { input });
  const at = performance.now();
  const ms = at - since;
  const { code, retryAfterSeconds = 1 } = errors?.[0]?.extensions ?? {};
  if (code === 'OVERLOADED') return { outcome: { kind: 'refusal', ms, at }, retryAfterSeconds };
  const isPlaced = data?.placeOrder?.order?.status === 'CONFIRMED';
  if (!isPlaced) console.log(JSON.stringify(errors ?? data));
  return { outcome: { kind: isPlaced ? 'order' : 'other', ms, at }, retryAfterSeconds };
}

/** A refusal is true: nothing was done. */
async function expectNoOrder(http: string, token: string): Promise<void> {
  const { data } = await ask(http, token, MINE);
  if (data?.orders && data.orders.nodes.length > 0) throw new Error('somebody was refused and has an order');
}

async function ask(http: string, token: string | undefined, query: string, variables: object = {}): Promise<Answer> {
  const response = await fetch(http, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(token !== undefined && { authorization: `Bearer ${token}` }) },
    body: JSON.stringify({ query, variables }),
  });
  return response.json();
}

const tokenFor = (key: ReturnType<typeof createPrivateKey>, id: string): Promise<string> =>
  new SignJWT({ sub: id, roles: ['customer'], scopes: [], sid: newId('ses') })
    .setProtectedHeader({ alg: 'EdDSA' })
    .setIssuer('soko')
    .setAudience('soko')
    .setIssuedAt()
    .setExpirationTime('15m')
    .sign(key);

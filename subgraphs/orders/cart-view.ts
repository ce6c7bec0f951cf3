import type { AnyContext } from '#shared/kit/context.ts';
import { isProblem } from '#shared/base/errors.ts';
import { multiply, sum, type Money } from '#shared/base/money.ts';
import { findVariants } from '../catalog/contract.ts';
import { findStock } from '../inventory/contract.ts';
import { findVendors } from '../vendors/contract.ts';
import type { Cart, CartLine } from './model.ts';

export type Variant = Awaited<ReturnType<typeof askVariants>> extends Map<string, infer V> ? V : never;

export interface CartProblem {
  code:
    | 'NOT_FOR_SALE'
    | 'VENDOR_SUSPENDED'
    | 'INSUFFICIENT_STOCK'
    | 'PRICE_CHANGED'
    | 'CURRENCY_MIXED'
    | 'AMOUNT_TOO_LARGE'
    | 'NOT_CHECKED';
  message: string;
  lineId: string | null;
  available?: number;
  previousPrice?: Money;
}

export interface LineView {
  line: CartLine;
  /** Undefined when it is not sold any more, or cannot be looked up. */
  variant: Variant | undefined;
  /** Undefined also when it is too large to be counted. */
  total: Money | undefined;
}

/** A cart as the other subgraphs see it now. */
export interface CartView {
  lines: LineView[];
  groups: { vendorId: string; lines: LineView[]; subtotal: Money | undefined }[];
  problems: CartProblem[];
  subtotal: Money | undefined;
}

/** Each cart is looked at once a request, however many of its fields are asked for. */
export function createCartViews(ctx: Pick<AnyContext, 'call'>): (cart: Cart) => Promise<CartView> {
  const seen = new Map<string, Promise<CartView>>();
  return (cart) => {
    const key = `${cart._id} ${cart.version}`;
    const known = seen.get(key) ?? view(ctx, cart);
    seen.set(key, known);
    return known;
  };
}

async function view(ctx: Pick<AnyContext, 'call'>, cart: Cart): Promise<CartView> {
  const ids = cart.lines.map(({ variantId }) => variantId);
  if (ids.length === 0) return { lines: [], groups: [], problems: [], subtotal: undefined };
  const vendorIds = [...new Set(cart.lines.map(({ vendorId }) => vendorId))];
  const [variants, vendors, stock] = await Promise.all([
    orUnknown(askVariants(ctx, ids)),
    orUnknown(ctx.call(findVendors, { ids: vendorIds })),
    orUnknown(ctx.call(findStock, { variantIds: ids })),
  ]);
  const active = vendors && new Set(vendors.vendors.filter(({ state }) => state === 'ACTIVE').map(({ id }) => id));
  const available = stock && new Map(stock.stock.map((entry) => [entry.variantId, entry.available]));
  const lines = cart.lines.map((line): LineView => {
    const variant = variants?.get(line.variantId);
    const forSale = variant?.isForSale ? variant : undefined;
    return { line, variant: forSale, total: forSale && counted(() => multiply(forSale.price, line.quantity)) };
  });
  const problems = variants ? lines.flatMap((each) => problemsOf(each, active, available)) : [];
  if (!variants || !vendors || !stock) problems.push(NOT_CHECKED);
  const currencies = new Set(lines.flatMap(({ variant }) => variant?.price.currency ?? []));
  if (currencies.size > 1) problems.push({ code: 'CURRENCY_MIXED', message: 'An order has one currency.', lineId: null });
  const groups = [...Map.groupBy(lines, ({ line }) => line.vendorId)];
  const subtotal = subtotalOf(lines);
  if (currencies.size === 1 && !subtotal && !problems.some(({ code }) => code === 'AMOUNT_TOO_LARGE'))
    problems.push({ code: 'AMOUNT_TOO_LARGE', message: 'The sum is too large to be counted.', lineId: null });
  return { lines, groups: groups.map(([vendorId, own]) => ({ vendorId, lines: own, subtotal: subtotalOf(own) })), problems, subtotal };
}

const NOT_CHECKED: CartProblem = {
  code: 'NOT_CHECKED',
  message: 'Prices, stock or vendors cannot be looked up at the moment. Look again soon.',
  lineId: null,
};

/** Undefined while the subgraph that knows cannot be asked: the cart itself is shown all the same. */
async function orUnknown<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (isProblem(error) && error.retryable) return undefined;
    throw error;
  }
}

/** Sum of what is for sale; undefined when that is nothing, of more than one currency, or too large to be counted. */
function subtotalOf(lines: LineView[]): Money | undefined {
  const forSale = lines.filter(({ variant }) => variant);
  const totals = forSale.flatMap(({ total }) => total ?? []);
  if (totals.length < forSale.length || new Set(totals.map(({ currency }) => currency)).size !== 1) return undefined;
  return counted(() => sum(totals[0]!.currency, totals));
}

/** One amount that is too large must not take the rest of the cart with it. */
function counted(count: () => Money): Money | undefined {
  try {
    return count();
  } catch (error) {
    if (isProblem(error) && error.code === 'AMOUNT_TOO_LARGE') return undefined;
    throw error;
  }
}

export async function askVariants(ctx: Pick<AnyContext, 'call'>, variantIds: string[]) {
  const { variants } = await ctx.call(findVariants, { variantIds });
  return new Map(variants.map((variant) => [variant.variantId, variant]));
}

/** `active` and `stock` are undefined when they are not known. */
function problemsOf({ line, variant, total }: LineView, active?: Set<string>, stock?: Map<string, number>): CartProblem[] {
  const lineId = line._id;
  if (!variant) return [{ code: 'NOT_FOR_SALE', message: 'This is not sold any more.', lineId }];
  if (active && !active.has(line.vendorId))
    return [{ code: 'VENDOR_SUSPENDED', message: 'The vendor may not sell at the moment.', lineId }];
  const problems: CartProblem[] = [];
  const available = stock ? (stock.get(line.variantId) ?? 0) : line.quantity;
  if (available < line.quantity)
    problems.push({
      code: 'INSUFFICIENT_STOCK',
      message: available === 1 ? 'There is only 1 left.' : `There are only ${available} left.`,
      lineId,
      available,
    });
  if (!total) problems.push({ code: 'AMOUNT_TOO_LARGE', message: 'The sum is too large to be counted.', lineId });
  const { priceSeen: seen } = line;
  if (seen.amount !== variant.price.amount || seen.currency !== variant.price.currency) {
    problems.push({ code: 'PRICE_CHANGED', message: 'The price has changed.', lineId, previousPrice: seen });
  }
  return problems;
}

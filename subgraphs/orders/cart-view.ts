import type { AnyContext } from '../../shared/context.ts';
import { multiply, sum, type Money } from '../../shared/money.ts';
import { findVariants } from '../catalog/contract.ts';
import { findStock } from '../inventory/contract.ts';
import { findVendors } from '../vendors/contract.ts';
import type { Cart, CartLine } from './model.ts';

type Variant = Awaited<ReturnType<typeof askVariants>> extends Map<string, infer V> ? V : never;

export interface CartProblem {
  code: 'NOT_FOR_SALE' | 'VENDOR_SUSPENDED' | 'INSUFFICIENT_STOCK' | 'PRICE_CHANGED' | 'CURRENCY_MIXED';
  message: string;
  lineId: string | null;
  available?: number;
  previousPrice?: Money;
}

export interface LineView {
  line: CartLine;
  /** Undefined when it is not sold any more. */
  variant: Variant | undefined;
  total: Money | undefined;
}

/** A cart as the other subgraphs see it now. */
export interface CartView {
  lines: LineView[];
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
  if (ids.length === 0) return { lines: [], problems: [], subtotal: undefined };
  const vendorIds = [...new Set(cart.lines.map(({ vendorId }) => vendorId))];
  const [variants, { vendors }, { stock }] = await Promise.all([
    askVariants(ctx, ids),
    ctx.call(findVendors, { ids: vendorIds }),
    ctx.call(findStock, { variantIds: ids }),
  ]);
  const active = new Set(vendors.filter(({ state }) => state === 'ACTIVE').map(({ id }) => id));
  const available = new Map(stock.map((entry) => [entry.variantId, entry.available]));
  const lines = cart.lines.map((line): LineView => {
    const variant = variants.get(line.variantId);
    const forSale = variant?.isForSale ? variant : undefined;
    return { line, variant: forSale, total: forSale && multiply(forSale.price, line.quantity) };
  });
  const problems = lines.flatMap((each) => problemsOf(each, active, available.get(each.line.variantId) ?? 0));
  const totals = lines.flatMap(({ total }) => total ?? []);
  const currencies = new Set(totals.map(({ currency }) => currency));
  if (currencies.size > 1) problems.push({ code: 'CURRENCY_MIXED', message: 'An order has one currency.', lineId: null });
  return { lines, problems, subtotal: currencies.size === 1 ? sum(totals[0]!.currency, totals) : undefined };
}

export async function askVariants(ctx: Pick<AnyContext, 'call'>, variantIds: string[]) {
  const { variants } = await ctx.call(findVariants, { variantIds });
  return new Map(variants.map((variant) => [variant.variantId, variant]));
}

function problemsOf({ line, variant }: LineView, active: Set<string>, available: number): CartProblem[] {
  const lineId = line._id;
  if (!variant) return [{ code: 'NOT_FOR_SALE', message: 'This is not sold any more.', lineId }];
  if (!active.has(line.vendorId)) return [{ code: 'VENDOR_SUSPENDED', message: 'The vendor may not sell at the moment.', lineId }];
  const problems: CartProblem[] = [];
  if (available < line.quantity)
    problems.push({ code: 'INSUFFICIENT_STOCK', message: `There are only ${available} left.`, lineId, available });
  const { priceSeen: seen } = line;
  if (seen.amount !== variant.price.amount || seen.currency !== variant.price.currency) {
    problems.push({ code: 'PRICE_CHANGED', message: 'The price has changed.', lineId, previousPrice: seen });
  }
  return problems;
}

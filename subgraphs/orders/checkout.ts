import { z } from 'zod';
import { invalid, isProblem, notFound, Problem } from '#shared/base/errors.ts';
import { newId } from '#shared/base/ids.ts';
import { formatMoney, money, multiply, sum, type Money } from '#shared/base/money.ts';
import { defineSaga, untilAnswered, type StepArgs } from '#shared/kit/define-saga.ts';
import { findAddress } from '../accounts/contract.ts';
import { commitReservation, releaseReservation, reserveStock } from '../inventory/contract.ts';
import { findVendors } from '../vendors/contract.ts';
import { askVariants } from './cart-view.ts';
import { isDeleted } from './actions/people.ts';
import { entryOf, FOLLOWS, forgetWhenOver, publishChange, type Change } from './actions/settle.ts';
import { orderCreated, vendorOrderReceived } from './contract.ts';
import { invalidateOrder } from './cache.ts';
import type { Ctx } from './loaders.ts';
import type { Cart, CartLine, Order, OrderAddress, OrderLine } from './model.ts';

const Money = z.object({ amount: z.number().int(), currency: z.string() });
const Address = z.custom<OrderAddress>();

const Input = z.object({
  orderId: z.string(),
  buyerId: z.string(),
  cartId: z.string(),
  lines: z.array(z.object({ lineId: z.string(), variantId: z.string(), quantity: z.number().int(), priceSeen: Money })),
  addressId: z.string().nullable(),
  address: Address.nullable(),
  paymentMethod: z.string(),
  expectedTotal: Money.nullable(),
  note: z.string().nullable(),
  /** Of the request that placed it: the same key with another one is not the same request. */
  requestHash: z.string(),
});

type Checkout = z.infer<typeof Input>;

interface Part {
  vendorOrderId: string;
  vendorId: string;
  lines: OrderLine[];
  subtotal: Money;
}

interface Results {
  validate: { address: OrderAddress };
  price: { parts: Part[]; total: Money };
  reserve: { expiresAt: string };
  create: null;
  pay: { state: 'DUE_ON_DELIVERY' };
  commitStock: null;
  confirm: null;
}

type Args = StepArgs<Checkout, Results>;

/** From a cart to a confirmed order, or back: the cart is then as it was, and nothing is held or sold. */
export const checkout = defineSaga<Ctx, Checkout, Results>('checkout', { version: 1, input: Input }, ({ step }) => [
  step('validate', { run: validate, compensate: (ctx, { input }) => freeCart(ctx, input) }),
  step('price', { run: priceLines }),
  step('reserve', {
    run: (ctx, { input, results, stepKey }) => {
      const lines = input.lines.map(({ variantId, quantity }) => ({ variantId, quantity }));
      const hold = { reference: input.orderId, lines, holder: input.buyerId };
      return ctx.call(reserveStock, hold, { idempotencyKey: stepKey }).catch((error: unknown) => {
        throw namingProduct(error, results.price!.parts);
      });
    },
    compensate: (ctx, { input, stepKey, failure }) =>
      ctx.call(releaseReservation, { reference: input.orderId, reason: failure?.code ?? '' }, { idempotencyKey: stepKey }),
  }),
  step('create', { local: true, run: createOrder, compensate: abandonOrder }),
  // Nothing to collect before delivery; other methods bring their own work here.
  step('pay', { run: async () => ({ state: 'DUE_ON_DELIVERY' }) }),
  // The goods may be sold though nobody heard of it: only an answer, or the end of the hold, cancels the order.
  step('commitStock', {
    retry: untilAnswered,
    run: (ctx, { input, stepKey }) =>
      ctx.call(commitReservation, { reference: input.orderId }, { idempotencyKey: stepKey }).then(() => null),
  }),
  step('confirm', { local: true, retry: untilAnswered, run: confirmOrder }),
]);

/** Everything is still sold, by somebody who may, to a place that exists. */
async function validate(ctx: Ctx, { input }: Args): Promise<Results['validate']> {
  const variants = await askVariants(
    ctx,
    input.lines.map(({ variantId }) => variantId),
  );
  for (const line of input.lines) if (!variants.get(line.variantId)?.isForSale) throw notForSale(line, 'This is not sold any more.');
  const vendorIds = [...new Set([...variants.values()].map(({ vendorId }) => vendorId))];
  const { vendors } = await ctx.call(findVendors, { ids: vendorIds });
  const active = new Set(vendors.filter(({ state }) => state === 'ACTIVE').map(({ id }) => id));
  const closed = input.lines.find(({ variantId }) => !active.has(variants.get(variantId)!.vendorId));
  if (closed) throw notForSale(closed, 'The vendor may not sell at the moment.');
  return { address: input.address ?? (await addressOf(ctx, input)) };
}

const notForSale = ({ lineId, variantId }: Checkout['lines'][number], message: string): Problem =>
  new Problem('NOT_FOR_SALE', message, { path: ['input'], typename: 'LineNotForSaleError', lineId, variantId });

async function addressOf(ctx: Ctx, { buyerId, addressId }: Checkout): Promise<OrderAddress> {
  const { address } = await ctx.call(findAddress, { userId: buyerId, ...(addressId && { addressId }) });
  if (address) return address as OrderAddress;
  if (addressId) throw notFound('Address', addressId, ['input', 'addressId']);
  throw invalid(['input', 'address'], 'You have no default address, so the order must name one.');
}

/** Today's prices, in one currency, and what the buyer was shown. */
async function priceLines(ctx: Ctx, { input }: Args): Promise<Results['price']> {
  const variants = await askVariants(
    ctx,
    input.lines.map(({ variantId }) => variantId),
  );
  const byVendor = new Map<string, OrderLine[]>();
  let changed = false;
  for (const line of input.lines) {
    const { variantId, quantity, priceSeen } = line;
    const variant = variants.get(variantId);
    if (!variant) throw notForSale(line, 'This is not sold any more.');
    const { productId, productName, variantName, sku, imageUrl, price: unitPrice, vendorId } = variant;
    changed ||= priceSeen.amount !== unitPrice.amount || priceSeen.currency !== unitPrice.currency;
    const total = multiply(unitPrice, quantity);
    const ordered = { _id: newId('lin'), variantId, productId, productName, variantName, sku, imageUrl, quantity, unitPrice, total };
    byVendor.set(vendorId, [...(byVendor.get(vendorId) ?? []), ordered]);
  }
  const parts = [...byVendor].map(([vendorId, lines]): Part => {
    const subtotal = sum(
      lines[0]!.unitPrice.currency,
      lines.map(({ total }) => total),
    );
    return { vendorOrderId: newId('vor'), vendorId, lines, subtotal };
  });
  const total = sum(
    parts[0]!.subtotal.currency,
    parts.map(({ subtotal }) => subtotal),
  );
  refuseOtherTotal(input.expectedTotal, total, changed);
  return { parts, total };
}

function refuseOtherTotal(expected: Money | null, total: Money, changed: boolean): void {
  if (expected && expected.currency !== total.currency)
    throw new Problem('CURRENCY_MISMATCH', `The total is in ${total.currency}.`, { path: ['input', 'expectedTotal', 'currency'] });
  const isExpected = expected?.amount === total.amount;
  if (isExpected || (!expected && !changed)) return;
  throw new Problem('PRICE_CHANGED', 'The total is another one now: look at the cart again.', {
    path: expected ? ['input', 'expectedTotal'] : ['input'],
    typename: 'PriceChangedError',
    total: formatMoney(total),
  });
}

/** A refusal of the stock for a buyer: which product, and what is left of it. */
function namingProduct(error: unknown, parts: Part[]): unknown {
  if (!isProblem(error) || error.code !== 'INSUFFICIENT_STOCK') return error;
  const { variantId, available } = error.facts as { variantId: string; available: number };
  const short = parts.flatMap(({ lines }) => lines).find((line) => line.variantId === variantId);
  if (!short) return error;
  const name = [short.productName, short.variantName].filter(Boolean).join(', ');
  return new Problem(error.code, `Of "${name}" only ${available} are left.`, {
    path: ['input'],
    typename: error.typename,
    variantId,
    available,
    cause: error,
  });
}

async function createOrder(ctx: Ctx, { input, results }: Args): Promise<null> {
  const { parts, total } = results.price!;
  const { orderId, buyerId, note, paymentMethod } = input;
  const common = {
    buyerId,
    status: 'PENDING' as const,
    shippingAddress: results.validate!.address,
    note,
    timeline: [
      { previousStatus: null, newStatus: 'PENDING' as const, actor: 'BUYER' as const, actorId: buyerId, reason: null, at: ctx.now() },
    ],
    placedAt: ctx.now(),
    version: 1,
  };
  await ctx.models.Order.insertMany([{ ...common, _id: orderId, paymentMethod, subtotal: total, total, originalTotal: total }], {
    lean: true,
  });
  await ctx.models.VendorOrder.insertMany(
    parts.map(({ vendorOrderId, ...part }) => ({ ...common, ...part, _id: vendorOrderId, orderId })),
    { lean: true },
  );
  const items = parts.flatMap(({ vendorId, lines }) => lines.map((line) => itemOf(vendorId, line)));
  ctx.publish(orderCreated({ orderId, userId: buyerId, items, total }));
  return null;
}

const itemOf = (vendorId: string, { variantId, productId, quantity, unitPrice }: OrderLine) => ({
  variantId,
  productId,
  vendorId,
  quantity,
  unitPrice,
});

/** Undoes `create`: the order stays for the record, as cancelled. */
async function abandonOrder(ctx: Ctx, { input, results, failure }: Args): Promise<void> {
  if (!results.price) return;
  const nothing = money(0, results.price.total.currency);
  const change: Change = { ...FOLLOWS, reason: failure?.code ?? null, from: 'PENDING', to: 'CANCELLED' };
  const order = await movePending(ctx, input, change, { subtotal: nothing, total: nothing });
  if (!order) return;
  for (const { vendorOrderId: _id, vendorId } of results.price.parts) publishChange(ctx, order, { _id, vendorId }, change);
  publishChange(ctx, order, null, change);
}

/** The order stands: the vendors hear of it, and the cart holds only what was added to it since the checkout began. */
async function confirmOrder(ctx: Ctx, { input, results }: Args): Promise<null> {
  const { orderId, cartId } = input;
  const change: Change = { ...FOLLOWS, from: 'PENDING', to: 'CONFIRMED' };
  const order = await movePending(ctx, input, change);
  // A step that is repeated finds the cart let go already.
  const held = { _id: cartId, checkout: orderId };
  const cart = await ctx.models.Cart.findOne(held, { lines: 1 }).lean<Cart>();
  const lines = withoutOrdered(cart?.lines ?? [], input.lines);
  if (order?.isBuyerDeleted) await ctx.models.Cart.deleteOne(held);
  else await ctx.models.Cart.updateOne(held, { $set: { lines, checkout: null }, $inc: { version: 1 } });
  if (!order) return null;
  for (const { vendorOrderId, vendorId, lines, subtotal } of results.price!.parts) {
    publishChange(ctx, order, { _id: vendorOrderId, vendorId }, change);
    const items = lines.map((line) => itemOf(vendorId, line));
    ctx.publish(vendorOrderReceived({ vendorOrderId, orderId, vendorId, items, subtotal }));
  }
  publishChange(ctx, order, null, change);
  return null;
}

function withoutOrdered(lines: CartLine[], ordered: Checkout['lines']): CartLine[] {
  const taken = new Map(ordered.map(({ lineId, quantity }) => [lineId, quantity]));
  return lines.map((line) => ({ ...line, quantity: line.quantity - (taken.get(line._id) ?? 0) })).filter(({ quantity }) => quantity > 0);
}

type Amounts = Pick<Order, 'subtotal' | 'total'>;

/**
 * The order and all its vendor orders leave PENDING together; null when they had left it before. An order of an account that was deleted in the
 * meantime is marked, since no reader asks for it again.
 */
async function movePending(
  ctx: Ctx,
  { orderId, buyerId }: Checkout,
  change: Change,
  amounts: Partial<Amounts> = {},
): Promise<Order | null> {
  const status = change.to;
  const moved = { $push: { timeline: entryOf(ctx, change) }, $inc: { version: 1 } };
  const mark = (await isDeleted(ctx, buyerId)) ? { isBuyerDeleted: true } : {};
  const order = await ctx.models.Order.findOneAndUpdate(
    { _id: orderId, status: 'PENDING' },
    { ...moved, $set: { status, ...amounts, ...mark } },
    { returnDocument: 'after' },
  ).lean<Order>();
  if (!order) return null;
  await ctx.models.VendorOrder.updateMany({ orderId, status: 'PENDING' }, { ...moved, $set: { status } });
  invalidateOrder(ctx, orderId);
  return forgetWhenOver(ctx, order);
}

/** Only the checkout that holds the cart lets it go. */
const freeCart = (ctx: Ctx, { cartId, orderId }: Checkout) =>
  ctx.models.Cart.updateOne({ _id: cartId, checkout: orderId }, { $set: { checkout: null } });

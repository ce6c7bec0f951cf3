import { z } from 'zod';
import { Problem } from '#shared/base/errors.ts';
import { keyReused } from '#shared/kit/idempotency.ts';
import { newId } from '#shared/base/ids.ts';
import { country, idempotencyKey, longText, phone, text } from '#shared/base/input.ts';
import { MoneyInput } from '#shared/base/money.ts';
import type { SagaRow } from '#shared/kit/define-saga.ts';
import { isDuplicateKey } from '#shared/store/mongo.ts';
import { checkout } from '../checkout.ts';
import type { Ctx } from '../loaders.ts';
import type { Cart, Order, OrderAddress } from '../model.ts';
import { refuseDeleted } from './people.ts';

const optional = (max: number) =>
  text({ max })
    .nullish()
    .transform((value) => value || null);

const Address = z.object({
  recipient: text({ min: 1, max: 100 }),
  phone: phone(),
  line1: text({ min: 1, max: 200 }),
  line2: optional(200),
  city: text({ min: 1, max: 100 }),
  region: optional(100),
  postalCode: optional(20),
  country: country(),
  location: z
    .object({ longitude: z.number().min(-180).max(180), latitude: z.number().min(-90).max(90) })
    .nullish()
    .transform((place) => place ?? null),
});

export const PlaceOrder = z
  .object({
    addressId: z.string().max(100).nullish(),
    address: Address.nullish(),
    paymentMethod: z.enum(['CASH_ON_DELIVERY']),
    expectedTotal: MoneyInput.nullish(),
    note: longText({ max: 1_000 }).nullish(),
    idempotencyKey: idempotencyKey(),
  })
  .refine(({ addressId, address }) => !(addressId && address), { path: ['address'], error: 'must be left out when addressId is given' });

/**
 * Orders the viewer's whole cart. The saga is started in the transaction that locks the cart, under the request's key: whoever repeats a
 * request whose runner died goes on with the same order.
 */
export async function placeOrder(ctx: Ctx, input: z.infer<typeof PlaceOrder>) {
  const row = (await ctx.runSaga(await open(ctx, input))) as Row;
  if (row.state === 'COMPENSATED' && row.refusal) {
    const { code, message, extensions } = row.refusal;
    throw new Problem(code, message, { ...extensions, retryable: code === 'UNAVAILABLE' || extensions['retryable'] === true });
  }
  const order = await ctx.models.Order.findById(row.input.orderId).lean<Order>();
  // One that is cancelled after its checkout was through is an order like any other.
  if (!order || (order.status === 'CANCELLED' && row.state !== 'DONE')) throw stillRunning();
  return { order };
}

type Row = SagaRow<{ orderId: string; requestHash: string }>;

/**
 * Answers the saga of this request: a new one, or the one that an earlier attempt began. One that was turned back left everything as it was, so
 * a new attempt takes its place: the cart may have been corrected since.
 */
async function open(ctx: Ctx, input: z.infer<typeof PlaceOrder>): Promise<string> {
  try {
    return await begin(ctx, input);
  } catch (error) {
    const earlier = await ctx.findSaga(checkout, ctx.requestKey!);
    if (!earlier) throw error;
    if (earlier.state === 'COMPENSATED') return beginInsteadOf(ctx, input, earlier._id);
    if (earlier.input.requestHash !== ctx.requestHash) throw keyReused();
    return earlier._id;
  }
}

/** Whoever comes second finds the place taken. */
const beginInsteadOf = (ctx: Ctx, input: z.infer<typeof PlaceOrder>, earlier: string): Promise<string> =>
  begin(ctx, input, earlier).catch((error: unknown) => {
    throw isDuplicateKey(error) ? stillRunning() : error;
  });

function begin(ctx: Ctx, input: z.infer<typeof PlaceOrder>, insteadOf?: string): Promise<string> {
  return ctx.transaction(async (tx) => {
    const orderId = newId('ord');
    const buyerId = tx.viewer!.id;
    await refuseDeleted(tx, buyerId);
    const cart = await lockCart(tx, buyerId, orderId);
    const lines = cart.lines.map(({ _id: lineId, variantId, quantity, priceSeen }) => ({ lineId, variantId, quantity, priceSeen }));
    const { addressId = null, address = null, paymentMethod, expectedTotal = null, note } = input;
    return tx.startSaga(checkout, {
      key: tx.requestKey!,
      insteadOf,
      input: {
        orderId,
        buyerId,
        cartId: cart._id,
        lines,
        addressId,
        address: address as OrderAddress | null,
        paymentMethod,
        expectedTotal,
        note: note || null,
        requestHash: tx.requestHash!,
      },
    });
  });
}

/** One checkout of a cart at a time, or its goods would be ordered twice. */
async function lockCart(ctx: Ctx, userId: string, orderId: string): Promise<Cart> {
  const cart = await ctx.models.Cart.findOneAndUpdate(
    { userId, checkout: null, 'lines.0': { $exists: true } },
    { $set: { checkout: orderId } },
    { returnDocument: 'after' },
  ).lean<Cart>();
  if (cart) {
    const currencies = new Set(cart.lines.map(({ priceSeen }) => priceSeen.currency));
    if (currencies.size > 1)
      throw new Problem('CURRENCY_MISMATCH', 'An order has one currency: buy the rest separately.', { path: ['input'] });
    return cart;
  }
  if (await ctx.models.Cart.exists({ userId, checkout: { $ne: null } }))
    throw new Problem('CART_IN_CHECKOUT', 'Another request is ordering this cart already.', { path: ['input'] });
  throw new Problem('CART_EMPTY', 'There is nothing in the cart.', { path: ['input'] });
}

const stillRunning = (): Problem =>
  new Problem('CHECKOUT_IN_PROGRESS', 'This order is still on its way: send the same request again.', { path: ['input'], retryable: true });

import { createHash, randomBytes } from 'node:crypto';
import { z } from 'zod';
import { notFound, Problem } from '#shared/base/errors.ts';
import { newId } from '#shared/base/ids.ts';
import { idempotencyKey, quantity } from '#shared/base/input.ts';
import { isDuplicateKey } from '#shared/store/mongo.ts';
import { askVariants, type Variant } from '../cart-view.ts';
import type { Ctx } from '../loaders.ts';
import type { Cart, CartLine } from '../model.ts';
import { settings } from '../settings.ts';
import { refuseDeleted } from './people.ts';

const REMEMBERED_MERGES = 20;

const id = z.string().min(1).max(100);
const guestToken = z.string().min(1).max(100).nullish();

const hashOf = (token: string): string => createHash('sha256').update(token).digest('base64url');

type Owner = { userId: string } | { guestHash: string };

/** Whose cart is meant: a token always means the guest's, so that a signed-in viewer can still look at it before merging. */
function ownerOf(ctx: Ctx, token: string | null | undefined): Owner | undefined {
  if (token) return { guestHash: hashOf(token) };
  return ctx.viewer ? { userId: ctx.viewer.id } : undefined;
}

/** The cart of the viewer, or of the guest whose token it is; null when there is none. */
export async function findCart(ctx: Ctx, token: string | null | undefined): Promise<Cart | null> {
  const owner = ownerOf(ctx, token);
  return owner ? ctx.models.Cart.findOne(owner).lean<Cart>() : null;
}

async function requireCart(ctx: Ctx, token: string | null | undefined): Promise<Cart> {
  const cart = await findCart(ctx, token);
  if (!cart) throw notFound('Cart', '', ['input', 'guestToken']);
  return cart;
}

/** A viewer who has no cart yet has nothing to take out: null. A guest names a cart that exists. */
const cartToEmpty = (ctx: Ctx, token: string | null | undefined): Promise<Cart | null> =>
  ctx.viewer && !token ? findCart(ctx, token) : requireCart(ctx, token);

export const AddToCart = z.object({ variantId: id, quantity: quantity(), guestToken, idempotencyKey: idempotencyKey().nullish() });

/** False for a guest's first line, which makes a cart and tells its secret: sent again it makes another cart, with a secret of its own. */
export const hasCart = (ctx: Ctx, input: z.infer<typeof AddToCart>): boolean => Boolean(ctx.viewer ?? input.guestToken);

/** Adds pieces of a variant. A guest without a token gets a cart and its secret, which is told once. */
export async function addToCart(ctx: Ctx, input: z.infer<typeof AddToCart>) {
  const variant = (await askVariants(ctx, [input.variantId])).get(input.variantId);
  if (!variant) throw notFound('ProductVariant', input.variantId, ['input', 'variantId']);
  if (!variant.isForSale) throw new Problem('NOT_FOR_SALE', 'This is not sold any more.', { path: ['input', 'variantId'] });
  const { cart, token } = await openCart(ctx, input.guestToken);
  const seen = asSeen(variant);
  const line = cart.lines.find(({ variantId }) => variantId === input.variantId);
  const wanted = (line?.quantity ?? 0) + input.quantity;
  await requireUnits(ctx, wanted);
  const lines = line
    ? cart.lines.map((each) => (each === line ? { ...each, ...seen, quantity: wanted } : each))
    : [...cart.lines, { _id: newId('lin'), variantId: input.variantId, vendorId: variant.vendorId, quantity: wanted, ...seen }];
  return { cart: await saveLines(ctx, cart, lines), guestToken: token };
}

export const UpdateCartLine = z.object({ lineId: id, quantity: quantity(), guestToken });

/** Sets the pieces of a line. */
export async function updateCartLine(ctx: Ctx, input: z.infer<typeof UpdateCartLine>) {
  const cart = await requireCart(ctx, input.guestToken);
  if (!cart.lines.some(({ _id }) => _id === input.lineId)) throw notFound('CartLine', input.lineId, ['input', 'lineId']);
  await requireUnits(ctx, input.quantity);
  const lines = cart.lines.map((line) => (line._id === input.lineId ? { ...line, quantity: input.quantity } : line));
  return { cart: await saveLines(ctx, cart, lines) };
}

export const RemoveCartLine = z.object({ lineId: id, guestToken });

/** A line that is gone already is no mistake, nor is a viewer without a cart. */
export async function removeCartLine(ctx: Ctx, input: z.infer<typeof RemoveCartLine>) {
  const cart = await cartToEmpty(ctx, input.guestToken);
  if (!cart) return { cart: null };
  const lines = cart.lines.filter(({ _id }) => _id !== input.lineId);
  return { cart: lines.length === cart.lines.length ? cart : await saveLines(ctx, cart, lines) };
}

export const ClearCart = z.object({ guestToken });

export async function clearCart(ctx: Ctx, input: z.infer<typeof ClearCart>) {
  const cart = await cartToEmpty(ctx, input.guestToken);
  return { cart: !cart || cart.lines.length === 0 ? cart : await saveLines(ctx, cart, []) };
}

export const MergeCarts = z.object({ guestToken: z.string().min(1).max(100), strategy: z.enum(['KEEP_MINE', 'KEEP_GUEST', 'MERGE']) });

/** The guest's cart is gone afterwards; its secret opens nothing any more. Again is the same: the viewer's cart. */
export async function mergeCarts(ctx: Ctx, input: z.infer<typeof MergeCarts>) {
  const guestHash = hashOf(input.guestToken);
  const guest = await ctx.models.Cart.findOneAndDelete({ guestHash }).lean<Cart>();
  if (!guest) {
    const merged = await ctx.models.Cart.findOne({ userId: ctx.viewer!.id, mergedGuests: guestHash }).lean<Cart>();
    if (merged) return { cart: merged };
    throw notFound('Cart', '', ['input', 'guestToken']);
  }
  const { cart: mine } = await openCart(ctx, null);
  await ctx.models.Cart.updateOne({ _id: mine._id }, { $push: { mergedGuests: { $each: [guestHash], $slice: -REMEMBERED_MERGES } } });
  if (input.strategy === 'KEEP_MINE') return { cart: mine };
  return {
    cart: await saveLines(
      ctx,
      mine,
      input.strategy === 'KEEP_GUEST' ? guest.lines : bothLines(mine.lines, guest.lines, await ctx.settings.get(settings.cartUnits)),
    ),
  };
}

function bothLines(mine: CartLine[], guests: CartLine[], most: number): CartLine[] {
  const lines = new Map(mine.map((line) => [line.variantId, line]));
  for (const line of guests) {
    const same = lines.get(line.variantId);
    lines.set(line.variantId, same ? { ...same, quantity: Math.max(same.quantity, Math.min(same.quantity + line.quantity, most)) } : line);
  }
  return [...lines.values()];
}

/** The cart that exists, or a new one: the viewer's, or a guest's with its secret. */
async function openCart(ctx: Ctx, token: string | null | undefined): Promise<{ cart: Cart; token?: string }> {
  if (token) return { cart: await requireCart(ctx, token) };
  if (!ctx.viewer) {
    const secret = randomBytes(24).toString('base64url');
    const [made] = await ctx.models.Cart.create([{ guestHash: hashOf(secret) }]);
    return { cart: made!.toObject<Cart>(), token: secret };
  }
  const userId = ctx.viewer.id;
  await refuseDeleted(ctx, userId);
  const cart = await ctx.models.Cart.findOneAndUpdate(
    { userId },
    { $setOnInsert: { _id: newId('crt') } },
    { upsert: true, returnDocument: 'after' },
  )
    .lean<Cart>()
    .catch((error: unknown) => {
      if (isDuplicateKey(error)) return null;
      throw error;
    });
  return { cart: cart ?? (await requireCart(ctx, null)) };
}

async function saveLines(ctx: Ctx, cart: Cart, lines: CartLine[]): Promise<Cart> {
  const most = await ctx.settings.get(settings.cartLines);
  // A cart that was filled before the limit fell can be emptied line by line.
  if (lines.length > Math.max(most, cart.lines.length)) {
    throw new Problem('CART_FULL', `A cart holds at most ${most} ${most === 1 ? 'line' : 'lines'}.`, { path: ['input'] });
  }
  const saved = await ctx.models.Cart.findOneAndUpdate(
    { _id: cart._id },
    { $set: { lines }, $inc: { version: 1 } },
    { returnDocument: 'after' },
  ).lean<Cart>();
  return saved!;
}

/** INVALID when a line would hold more pieces than one may. */
async function requireUnits(ctx: Ctx, quantity: number): Promise<void> {
  const most = await ctx.settings.get(settings.cartUnits);
  if (quantity > most) throw new Problem('INVALID', `A line holds at most ${most} pieces.`, { path: ['input', 'quantity'] });
}

const asSeen = ({ price, productName, variantName, imageUrl }: Variant) => ({ priceSeen: price, productName, variantName, imageUrl });

import DataLoader from 'dataloader';
import type { AnyContext, Context } from '../../shared/context.ts';
import { byId, manyBy } from '../../shared/loaders.ts';
import { createMemberships } from '../vendors/contract.ts';
import { createCartViews } from './cart-view.ts';
import type { Cart, Models, Order, VendorOrder } from './model.ts';

/** How long an order's details are kept; a change forgets them at once. */
const KEPT_SECONDS = 300;

const orderKey = (id: string): string => `order:${id}`;
const partsKey = (id: string): string => `order:${id}:parts`;

export const loaders = ({ Cart, Order, VendorOrder }: Models, ctx: Context<Models, unknown>) => ({
  cart: byId<Cart>(Cart),
  order: kept(ctx, orderKey, byId<Order>(Order)),
  vendorOrder: byId<VendorOrder>(VendorOrder),
  partsOf: kept(ctx, partsKey, manyBy<VendorOrder>(VendorOrder, 'orderId', { sort: { _id: 1 } })),
  memberships: createMemberships(ctx),
  /** Carts with what the other subgraphs say of their lines today. */
  cartView: createCartViews(ctx),
});

export type Ctx = Context<Models, ReturnType<typeof loaders>>;

/** Reads through the cache, but never inside a transaction, which must see its own snapshot. Who may see it is decided on what comes out. */
function kept<T>(
  ctx: Pick<AnyContext, 'session' | 'cache'>,
  key: (id: string) => string,
  source: DataLoader<string, T>,
): DataLoader<string, T> {
  if (ctx.session) return source;
  const load = (ids: string[]): Promise<T[]> => Promise.all(ids.map((id) => source.load(id)));
  return new DataLoader(async (ids) => (await ctx.cache.cachedMany<T>(ids, { key, ttlSeconds: KEPT_SECONDS, load })) as T[]);
}

/** Called by whatever changes an order or a part of it. */
export function forgetOrder(ctx: Pick<AnyContext, 'afterCommit' | 'cache'>, ...orderIds: string[]): void {
  ctx.afterCommit(() => ctx.cache.invalidate(orderIds.flatMap((id) => [orderKey(id), partsKey(id)])));
}

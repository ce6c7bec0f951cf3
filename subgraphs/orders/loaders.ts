import type { Admission } from '#shared/base/admission.ts';
import type { Context } from '#shared/kit/context.ts';
import { byId, manyBy } from '#shared/store/loaders.ts';
import { createMemberships } from '../vendors/contract.ts';
import { createCartViews } from './cart-view.ts';
import { cachedLoader, orderKey, vendorOrdersKey } from './cache.ts';
import type { Cart, Models, Order, VendorOrder } from './model.ts';

interface Providers {
  /** How many checkouts begin. */
  checkouts: Admission;
}

export const loaders = ({ Cart, Order, VendorOrder }: Models, ctx: Context<Models, unknown, Providers>) => ({
  cart: byId<Cart>(Cart),
  order: cachedLoader(ctx, orderKey, byId<Order>(Order)),
  vendorOrder: byId<VendorOrder>(VendorOrder),
  vendorOrdersOf: cachedLoader(ctx, vendorOrdersKey, manyBy<VendorOrder>(VendorOrder, 'orderId', { sort: { _id: 1 } })),
  memberships: createMemberships(ctx),
  /** Carts with what the other subgraphs say of their lines today. */
  cartView: createCartViews(ctx),
});

export type Ctx = Context<Models, ReturnType<typeof loaders>, Providers>;

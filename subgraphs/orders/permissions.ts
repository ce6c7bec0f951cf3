import { allow, contextRule, isSignedIn, objectRule, or } from '#shared/kit/permissions.ts';
import type { Ctx } from './loaders.ts';
import type { Cart, Order, VendorOrder } from './model.ts';

const isAdmin = contextRule('isAdmin', ({ viewer }: Ctx) => viewer?.roles.includes('admin') ?? false);
const isBuyer = objectRule('isBuyer', ({ buyerId }: Order | VendorOrder, _args, { viewer }: Ctx) => buyerId === viewer?.id);
const isSelf = objectRule('isSelf', ({ id }: { id: string }, _args, { viewer }: Ctx) => id === viewer?.id);
const isMember = objectRule('isMember', ({ vendorId }: VendorOrder, _args, { loaders }: Ctx) => loaders.memberships.has(vendorId));
// A guest's cart is reached by its secret only, so whoever holds the object holds the secret.
const isOwner = objectRule('isOwner', ({ userId }: Cart, _args, { viewer }: Ctx) => userId === null || userId === viewer?.id);

export const permissions = {
  Query: { cart: allow, order: isSignedIn, orders: isSignedIn, vendorOrder: isSignedIn, vendorOrders: isSignedIn },
  Mutation: {
    addToCart: allow,
    updateCartLine: allow,
    removeCartLine: allow,
    clearCart: allow,
    mergeCarts: isSignedIn,
    placeOrder: isSignedIn,
    cancelOrder: isSignedIn,
    cancelVendorOrder: isSignedIn,
    updateVendorOrderStatus: isSignedIn,
  },
  Subscription: {
    orderStatusChanged: isSignedIn,
    orderEvents: isSignedIn,
    vendorOrderReceived: isSignedIn,
    vendorOrderChanged: isSignedIn,
  },
  User: { '*': or(isSelf, isAdmin), id: allow },
  Vendor: { '*': isSignedIn, id: allow },
  Cart: { '*': or(isOwner, isAdmin) },
  Order: { '*': or(isBuyer, isAdmin) },
  VendorOrder: { '*': or(isBuyer, isMember, isAdmin) },
};

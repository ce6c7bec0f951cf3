import type { ListArguments } from '#shared/store/pagination.ts';
import { formatMoney, type Money } from '#shared/base/money.ts';
import { mutation } from '#shared/kit/mutation.ts';
import {
  AddToCart,
  addToCart,
  hasCart,
  ClearCart,
  clearCart,
  findCart,
  MergeCarts,
  mergeCarts,
  RemoveCartLine,
  removeCartLine,
  UpdateCartLine,
  updateCartLine,
} from './actions/carts.ts';
import { listOrders, listVendorOrders, listViewersOrders } from './actions/lists.ts';
import { PlaceOrder, placeOrder } from './actions/place-order.ts';
import { originalTotalOf } from './actions/settle.ts';
import {
  availableActions,
  CancelOrder,
  cancelOrder,
  CancelVendorOrder,
  cancelVendorOrder,
  mayRead,
  actorOf,
  UpdateVendorOrderStatus,
  updateVendorOrderStatus,
} from './actions/statuses.ts';
import { subscriptions } from './actions/subscriptions.ts';
import type { CartProblem, CartView, LineView } from './cart-view.ts';
import type { Ctx } from './loaders.ts';
import { nextStatuses } from './machine.ts';
import type { Cart, Order, OrderLine, VendorOrder } from './model.ts';

type Args = ListArguments;

const formatMoneyOrNull = (money: Money | undefined | null) => money && formatMoney(money);
const isVisibleTo = ({ viewer }: Ctx, { buyerId }: Order): boolean => buyerId === viewer?.id || (viewer?.roles.includes('admin') ?? false);

/** An order for those who may see it; for others it does not exist. */
const findOrder = async (ctx: Ctx, id: string): Promise<Order | null> => {
  const order = await ctx.loaders.order.load(id);
  return order && isVisibleTo(ctx, order) ? order : null;
};

const findPart = async (ctx: Ctx, id: string): Promise<VendorOrder | null> => {
  const vendorOrder = await ctx.loaders.vendorOrder.load(id);
  return vendorOrder && (await mayRead(ctx, vendorOrder)) ? vendorOrder : null;
};

/** An event is about an order, or about one vendor order of it. */
const whatIsMeant = {
  order: ({ orderId }: { orderId: string }, _args: unknown, ctx: Ctx) => findOrder(ctx, orderId),
  vendorOrder: ({ vendorOrderId }: { vendorOrderId?: string | null }, _args: unknown, ctx: Ctx) =>
    vendorOrderId ? findPart(ctx, vendorOrderId) : null,
};

export const resolvers = {
  Query: {
    cart: (_root: unknown, { guestToken }: { guestToken?: string }, ctx: Ctx) => findCart(ctx, guestToken),
    order: (_root: unknown, { id }: { id: string }, ctx: Ctx) => findOrder(ctx, id),
    orders: (_root: unknown, args: Args & { buyerId?: string }, ctx: Ctx) => listViewersOrders(ctx, args),
    vendorOrder: (_root: unknown, { id }: { id: string }, ctx: Ctx) => findPart(ctx, id),
    vendorOrders: (_root: unknown, { vendorId, ...args }: Args & { vendorId: string }, ctx: Ctx) => listVendorOrders(ctx, vendorId, args),
  },
  Mutation: {
    addToCart: mutation(AddToCart, addToCart, { isKeyed: hasCart }),
    updateCartLine: mutation(UpdateCartLine, updateCartLine),
    removeCartLine: mutation(RemoveCartLine, removeCartLine),
    clearCart: mutation(ClearCart, clearCart),
    mergeCarts: mutation(MergeCarts, mergeCarts),
    placeOrder: mutation(PlaceOrder, placeOrder, {
      transaction: false,
      isFinal: ({ order }) => order.status !== 'PENDING',
      admission: ({ providers }: Ctx) => providers.checkouts,
    }),
    cancelOrder: mutation(CancelOrder, cancelOrder),
    cancelVendorOrder: mutation(CancelVendorOrder, cancelVendorOrder),
    updateVendorOrderStatus: mutation(UpdateVendorOrderStatus, updateVendorOrderStatus, { audit: { keep: ['status'] } }),
  },
  Subscription: subscriptions,
  User: {
    __resolveReference: ({ id }: { id: string }) => ({ id }),
    cart: ({ id }: { id: string }, _args: unknown, ctx: Ctx) => ctx.models.Cart.findOne({ userId: id }).lean(),
    orders: ({ id }: { id: string }, args: Args, ctx: Ctx) => listOrders(ctx, id, args),
  },
  Vendor: {
    __resolveReference: ({ id }: { id: string }) => ({ id }),
    orders: ({ id }: { id: string }, args: Args, ctx: Ctx) => listVendorOrders(ctx, id, args),
  },
  Cart: {
    // A guest's cart is opened by its secret, never by its id.
    __resolveReference: async ({ id }: { id: string }, { loaders }: Ctx) => {
      const cart = await loaders.cart.load(id);
      return cart?.userId ? cart : null;
    },
    id: (cart: Cart) => cart._id,
    user: ({ userId }: Cart) => userId && { id: userId },
    lines: async (cart: Cart, _args: unknown, { loaders }: Ctx) => (await loaders.cartView(cart)).lines,
    groups: async (cart: Cart, _args: unknown, { loaders }: Ctx) => (await loaders.cartView(cart)).groups,
    problems: async (cart: Cart, _args: unknown, { loaders }: Ctx) => (await loaders.cartView(cart)).problems,
    subtotal: async (cart: Cart, _args: unknown, { loaders }: Ctx) => formatMoneyOrNull((await loaders.cartView(cart)).subtotal),
    totalQuantity: ({ lines }: Cart) => lines.reduce((total, { quantity }) => total + quantity, 0),
  },
  CartLine: {
    id: ({ line }: LineView) => line._id,
    variant: ({ line }: LineView) => ({ id: line.variantId }),
    vendor: ({ line }: LineView) => ({ id: line.vendorId }),
    productName: ({ line, variant }: LineView) => (variant ?? line).productName,
    variantName: ({ line, variant }: LineView) => (variant ?? line).variantName,
    imageUrl: ({ line, variant }: LineView) => (variant ?? line).imageUrl,
    quantity: ({ line }: LineView) => line.quantity,
    unitPrice: ({ variant }: LineView) => formatMoneyOrNull(variant?.price),
    total: ({ total }: LineView) => formatMoneyOrNull(total),
  },
  CartGroup: {
    vendor: ({ vendorId }: { vendorId: string }) => ({ id: vendorId }),
    subtotal: ({ subtotal }: CartView['groups'][number]) => formatMoneyOrNull(subtotal),
  },
  CartProblem: {
    previousPrice: ({ previousPrice }: CartProblem) => formatMoneyOrNull(previousPrice),
  },
  Order: {
    __resolveReference: ({ id }: { id: string }, { loaders }: Ctx) => loaders.order.load(id),
    id: (order: Order) => order._id,
    buyer: ({ buyerId }: Order) => ({ id: buyerId }),
    availableActions: (order: Order, _args: unknown, ctx: Ctx) => availableActions(ctx, order),
    vendorOrders: ({ _id }: Order, _args: unknown, { loaders }: Ctx) => loaders.vendorOrdersOf.load(_id),
    subtotal: ({ subtotal }: Order) => formatMoneyOrNull(subtotal),
    total: ({ total }: Order) => formatMoneyOrNull(total),
    originalTotal: (order: Order) => formatMoneyOrNull(originalTotalOf(order)),
  },
  VendorOrder: {
    __resolveReference: ({ id }: { id: string }, { loaders }: Ctx) => loaders.vendorOrder.load(id),
    id: (vendorOrder: VendorOrder) => vendorOrder._id,
    order: ({ orderId }: VendorOrder, _args: unknown, ctx: Ctx) => findOrder(ctx, orderId),
    vendor: ({ vendorId }: VendorOrder) => ({ id: vendorId }),
    nextStatuses: async (vendorOrder: VendorOrder, _args: unknown, ctx: Ctx) => {
      const actor = await actorOf(ctx, vendorOrder);
      return actor ? nextStatuses(vendorOrder.status, actor) : [];
    },
    subtotal: ({ subtotal }: VendorOrder) => formatMoneyOrNull(subtotal),
  },
  OrderLine: {
    id: (line: OrderLine) => line._id,
    variant: ({ variantId }: OrderLine) => ({ id: variantId }),
    product: ({ productId }: OrderLine) => ({ id: productId }),
    unitPrice: ({ unitPrice }: OrderLine) => formatMoneyOrNull(unitPrice),
    total: ({ total }: OrderLine) => formatMoneyOrNull(total),
  },
  OrderStatusEvent: whatIsMeant,
  OrderEvent: whatIsMeant,
  VendorOrderEvent: { vendorOrder: whatIsMeant.vendorOrder },
  VendorOrderStatusEvent: { vendorOrder: whatIsMeant.vendorOrder },
};

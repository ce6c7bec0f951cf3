import { z } from 'zod';
import { defineCommand } from '#shared/kit/define-command.ts';
import { defineEvent } from '#shared/kit/define-event.ts';
import { defineJob } from '#shared/kit/define-job.ts';

const timestamp = z.iso.datetime();
const orderId = z.string();
const key = (event: { orderId: string }): string => event.orderId;
const amount = z.object({ amount: z.number().int(), currency: z.string() });

/** The status of one vendor order of an order. */
export const VENDOR_ORDER_STATUSES = ['PENDING', 'CONFIRMED', 'PROCESSING', 'SHIPPED', 'DELIVERED', 'CANCELLED'] as const;
export type VendorOrderStatus = (typeof VENDOR_ORDER_STATUSES)[number];

const item = z.object({
  variantId: z.string(),
  productId: z.string(),
  vendorId: z.string(),
  quantity: z.number().int(),
  unitPrice: amount,
});

/** Live topic of one order's status. */
export const orderTopic = (id: string): string => `order:${id}:status`;
/** Live topic of everything that happens to the orders of one user. */
export const userOrdersTopic = (id: string): string => `user:${id}:orders`;
/** Live topic of everything that happens to a vendor's orders. */
export const vendorOrdersTopic = (id: string): string => `vendor:${id}:orders`;

/** An order exists; it is not confirmed yet. */
export const orderCreated = defineEvent(
  'Order.Created',
  z.object({ orderId, userId: z.string(), items: z.array(item), total: amount, timestamp }),
  { key, topics: ({ userId }) => [userOrdersTopic(userId)] },
);

/** What the buyer pays for the whole order from now on. Events of old do not say it. */
const total = amount.optional();

/**
 * One vendor order (`vendorOrderId`) or, without it, the order as a whole has another status. The reason of a vendor order is for its buyer, its
 * vendor and admins; the order as a whole has one only when an actor cancelled all of it.
 */
export const orderStatusChanged = defineEvent(
  'Order.StatusChanged',
  z.object({
    orderId,
    userId: z.string(),
    vendorOrderId: z.string().nullable(),
    vendorId: z.string().nullable(),
    previousStatus: z.string(),
    newStatus: z.string(),
    reason: z.string().nullable(),
    total,
    timestamp,
  }),
  {
    key,
    topics: ({ orderId: id, userId, vendorId, newStatus }) => {
      if (vendorId !== null) return [orderTopic(id), userOrdersTopic(userId), vendorOrdersTopic(vendorId)];
      // That the whole order is cancelled has an event of its own for the user.
      return newStatus === 'CANCELLED' ? [orderTopic(id)] : [orderTopic(id), userOrdersTopic(userId)];
    },
  },
);

/** Every vendor order of the order was delivered, or cancelled with at least one delivered. */
export const orderCompleted = defineEvent('Order.Completed', z.object({ orderId, userId: z.string(), total, timestamp }), { key });

/** Nothing of the order will be delivered. */
export const orderCancelled = defineEvent(
  'Order.Cancelled',
  z.object({ orderId, userId: z.string(), reason: z.string().nullable(), total, timestamp }),
  { key, topics: ({ userId }) => [userOrdersTopic(userId)] },
);

/** A confirmed order has goods of this vendor: the vendor may begin. */
export const vendorOrderReceived = defineEvent(
  'VendorOrder.Received',
  z.object({ vendorOrderId: z.string(), orderId, vendorId: z.string(), items: z.array(item), subtotal: amount, timestamp }),
  { key, topics: ({ vendorId }) => [vendorOrdersTopic(vendorId)] },
);

/** Goods of a cancelled vendor order that must go back on the shelf. */
export const stockReturnJob = defineJob('stock-returns', {
  payload: z.object({
    orderId,
    vendorOrderId: z.string(),
    lines: z.array(z.object({ variantId: z.string(), quantity: z.number().int() })),
    reason: z.string(),
  }),
});

/** Parts of orders that this vendor has neither delivered nor cancelled, at most 20 of them. */
export const findUnfinishedParts = defineCommand('orders', 'findUnfinishedParts', {
  input: z.object({ vendorId: z.string() }),
  output: z.object({ vendorOrderIds: z.array(z.string()) }),
});

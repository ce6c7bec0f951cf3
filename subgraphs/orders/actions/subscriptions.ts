import type { z } from 'zod';
import { notFound } from '../../../shared/errors.ts';
import type { Envelope } from '../../../shared/events.ts';
import { filtered } from '../../../shared/streams.ts';
import {
  orderCancelled,
  orderCreated,
  orderStatusChanged,
  orderTopic,
  userOrdersTopic,
  vendorOrderReceived,
  vendorOrdersTopic,
} from '../contract.ts';
import type { Ctx } from '../loaders.ts';

type StatusChanged = z.infer<typeof orderStatusChanged.schema>;
type Received = z.infer<typeof vendorOrderReceived.schema>;

interface Entry<T> {
  cursor: string;
  payload: Envelope<T>;
}

interface After {
  after?: string | null;
}

/** Which parts of the order the viewer may hear of: all, or those of the stores the viewer works for. */
async function heardVendors(ctx: Ctx, orderId: string): Promise<'all' | Set<string>> {
  const order = await ctx.models.Order.findById(orderId, { buyerId: 1 }).lean();
  if (order && (order.buyerId === ctx.viewer!.id || ctx.viewer!.roles.includes('admin'))) return 'all';
  const parts = await ctx.models.VendorOrder.find({ orderId }, { vendorId: 1 }).lean();
  const mine = new Set<string>();
  for (const { vendorId } of parts) if (await ctx.loaders.memberships.can(vendorId, 'ORDERS')) mine.add(vendorId);
  if (mine.size === 0) throw notFound('Order', orderId);
  return mine;
}

const eventOf = <T extends { timestamp: string }>({ cursor, payload }: Entry<T>, _args: unknown, ctx: Ctx) => {
  ctx.clearLoaders();
  return { cursor, ...payload.data, at: payload.data.timestamp };
};

/** Loaders live as long as their context, which for a subscription is all its events: each event begins with empty ones. */
export const subscriptions = {
  orderStatusChanged: {
    async subscribe(_root: unknown, { orderId, after }: After & { orderId: string }, ctx: Ctx) {
      const heard = await heardVendors(ctx, orderId);
      const stream = ctx.live.subscribe<Envelope<StatusChanged>>(orderTopic(orderId), { after });
      return filtered(stream, ({ payload: { data } }) => heard === 'all' || data.vendorId === null || heard.has(data.vendorId));
    },
    resolve: eventOf,
  },
  orderEvents: {
    subscribe: (_root: unknown, { after }: After, ctx: Ctx) => ctx.live.subscribe(userOrdersTopic(ctx.viewer!.id), { after }),
    resolve(entry: Entry<{ timestamp: string }>, args: unknown, ctx: Ctx) {
      const { type } = entry.payload;
      const kind = type === orderCreated.type ? 'CREATED' : type === orderCancelled.type ? 'CANCELLED' : 'UPDATED';
      return { ...eventOf(entry, args, ctx), kind };
    },
  },
  vendorOrderReceived: {
    async subscribe(_root: unknown, { vendorId, after }: After & { vendorId: string }, ctx: Ctx) {
      if (!ctx.viewer!.roles.includes('admin')) await ctx.loaders.memberships.requireReader(vendorId, 'ORDERS');
      return ctx.live.subscribe(vendorOrdersTopic(vendorId), { after });
    },
    resolve({ cursor, payload }: Entry<Received>, _args: unknown, ctx: Ctx) {
      ctx.clearLoaders();
      return { cursor, vendorOrderId: payload.data.vendorOrderId, at: payload.data.timestamp };
    },
  },
};

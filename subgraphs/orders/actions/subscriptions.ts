import type { z } from 'zod';
import { forbidden, notFound } from '#shared/base/errors.ts';
import { topicStream } from '#shared/kit/topic-stream.ts';
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

/** Which vendor orders of the order the viewer may hear of: all, or those of the stores the viewer works for. */
async function heardVendors(ctx: Ctx, { orderId }: { orderId: string }): Promise<'all' | Set<string>> {
  const order = await ctx.loaders.order.load(orderId);
  if (order && (order.buyerId === ctx.viewer!.id || isAdmin(ctx))) return 'all';
  const mine = new Set<string>();
  for (const { vendorId } of await ctx.loaders.vendorOrdersOf.load(orderId))
    if (await ctx.loaders.memberships.has(vendorId)) mine.add(vendorId);
  if (mine.size === 0) throw notFound('Order', orderId);
  return mine;
}

async function requireMember(ctx: Ctx, { vendorId }: { vendorId: string }): Promise<void> {
  if (!isAdmin(ctx) && !(await ctx.loaders.memberships.has(vendorId))) throw forbidden();
}

const isAdmin = (ctx: Ctx): boolean => ctx.viewer!.roles.includes('admin');
const vendorTopic = (_ctx: Ctx, { vendorId }: { vendorId: string }): string => vendorOrdersTopic(vendorId);

export const subscriptions = {
  orderStatusChanged: topicStream<Ctx, { orderId: string }, StatusChanged, 'all' | Set<string>>({
    topic: (_ctx, { orderId }) => orderTopic(orderId),
    authorize: heardVendors,
    includes: ({ data: { vendorId } }, heard) => heard === 'all' || vendorId === null || heard.has(vendorId),
    resolve: ({ data }) => ({ ...data, at: data.timestamp }),
  }),
  orderEvents: topicStream<Ctx, object, { timestamp: string }, void>({
    topic: ({ viewer }) => userOrdersTopic(viewer!.id),
    // The topic is the viewer's own. A session that has ended is ended by the gateway.
    authorize: () => undefined,
    resolve({ type, data }) {
      const kind = type === orderCreated.type ? 'CREATED' : type === orderCancelled.type ? 'CANCELLED' : 'UPDATED';
      return { ...data, at: data.timestamp, kind };
    },
  }),
  vendorOrderReceived: topicStream<Ctx, { vendorId: string }, Received, void>({
    topic: vendorTopic,
    authorize: requireMember,
    includes: ({ type }) => type === vendorOrderReceived.type,
    resolve: ({ data: { vendorOrderId, timestamp } }) => ({ vendorOrderId, at: timestamp }),
  }),
  vendorOrderChanged: topicStream<Ctx, { vendorId: string }, StatusChanged, void>({
    topic: vendorTopic,
    authorize: requireMember,
    includes: ({ type }) => type === orderStatusChanged.type,
    resolve: ({ data }) => ({ ...data, at: data.timestamp }),
  }),
};

import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { createVisitor, type Data, type Stream, type Visitor } from './tour/client.ts';
import { ADD, GOODS, LOGIN, MOVE, PLACE, REGISTER } from './tour/operations.ts';

interface Demo {
  http: string;
  ws: string;
  users: Record<string, { email: string; password: string }>;
}

/** A part of an order, and where it was moved. */
export type Move = [part: string, status: string];

/** An order of two stores, for tests that follow it. */
export interface FollowedOrder {
  parts: [string, string];
  /** Resolves once the part has been moved, however often that has to be asked for. */
  move: (...move: Move) => Promise<void>;
  /** All that ever happened to it, and what goes on to happen: the moves of its parts, and those of the whole as `whole`. */
  watch: () => { until: (move: Move) => Promise<Move[]>; end: () => void };
  leave: () => Promise<void>;
}

const FROM_THE_BEGINNING = '0-0';
const WATCH = `subscription ($orderId: ID!, $after: Cursor) {
  orderStatusChanged(orderId: $orderId, after: $after) { newStatus vendorOrder { id vendor { name } } }
}`;
const STANDING = 'query ($id: ID!) { order(id: $id) { vendorOrders { id status } } }';
const ADDRESS = { recipient: 'Test Buyer', phone: '+260971234567', line1: 'Plot 5, Great East Road', city: 'Lusaka', country: 'ZM' };
const STORES = ['tiyende-grocers', 'dimba-fresh'];
const AGAIN_MS = 100;

/** `isUp` resolves when it is worth asking again for what was refused. */
export async function placeOrder(demo: Demo, isUp: () => Promise<void>): Promise<FollowedOrder> {
  const visitors: Visitor[] = [];
  const visit = (token?: string): Visitor => {
    const visitor = createVisitor(demo, token);
    visitors.push(visitor);
    return visitor;
  };
  const signIn = async (input: { email: string; password: string }): Promise<Visitor> =>
    visit((await visit().ask(LOGIN, { input })).data.login.accessToken);

  const vendors = await Promise.all([signIn(demo.users['vendor1']!), signIn(demo.users['vendor2']!)]);
  const account = { email: `visitor-${randomUUID().slice(0, 8)}@soko.example`, password: `Lusaka-${randomUUID()}` };
  await visit().ask(REGISTER, { input: { ...account, name: 'Test Buyer' } });
  const buyer = await signIn(account);
  const order = await orderFrom(buyer, STORES);
  const parts = order.vendorOrders.map(({ id }: Data) => id) as [string, string];

  async function move(part: string, status: string): Promise<void> {
    const vendor = vendors[parts.indexOf(part)]!;
    for (;;) {
      // Refused, or done without an answer: only where it stands says which.
      await vendor.ask(MOVE, { input: { vendorOrderId: part, status } }).catch(() => undefined);
      await isUp();
      const { data } = await buyer.ask(STANDING, { id: order.id });
      if (data?.order?.vendorOrders.find(({ id }: Data) => id === part).status === status) return;
      await delay(AGAIN_MS);
    }
  }

  return {
    parts,
    move,
    watch: () => follow(buyer.watch(WATCH, { orderId: order.id, after: FROM_THE_BEGINNING })),
    leave: async () => void (await Promise.all(visitors.map((visitor) => visitor.leave()))),
  };
}

async function orderFrom(buyer: Visitor, slugs: readonly string[]): Promise<Data> {
  for (const vendor of slugs) {
    const { data } = await buyer.ask(GOODS, { vendor });
    const variants = data.vendorBySlug.products.nodes.flatMap((product: Data) => product.variants);
    const { id } = variants.find(({ isForSale, stock }: Data) => isForSale && stock?.isAvailable);
    await buyer.ask(ADD, { input: { variantId: id, quantity: 1 } });
  }
  const input = { paymentMethod: 'CASH_ON_DELIVERY', address: ADDRESS, idempotencyKey: randomUUID() };
  return (await buyer.ask(PLACE, { input })).data.placeOrder.order;
}

function follow(stream: Stream): ReturnType<FollowedOrder['watch']> {
  const moves: Move[] = [];
  return {
    async until([part, status]) {
      while (!moves.some(([moved, to]) => moved === part && to === status)) {
        const { newStatus, vendorOrder } = (await stream.next()).orderStatusChanged;
        moves.push([vendorOrder?.id ?? 'whole', newStatus]);
      }
      return moves;
    },
    end: () => stream.end(),
  };
}

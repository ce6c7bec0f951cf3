import type { Redis } from 'ioredis';
import type { Connection } from 'mongoose';
import { deadLettersOf } from '#shared/messaging/consumer.ts';
import { inboxOf } from '#shared/messaging/event-effects.ts';
import { outboxOf, type OutboxRow } from '#shared/messaging/outbox.ts';
import { ENDED_STATES, type SagaRow } from '#shared/kit/define-saga.ts';
import { sagasOf } from '#shared/sagas/store.ts';
import type { Subgraph } from '#shared/kit/define-subgraph.ts';
import { deriveStatus } from '../../subgraphs/orders/machine.ts';

/*
 * What must be so whatever went wrong, read from the stores themselves: nobody's word is taken for it. Each fault is a sentence; none is
 * the wanted answer. Ask when nothing is under way any more.
 */

type Db = (subgraph: string) => Connection;

interface Item {
  _id: string;
  variantId: string;
  onHand: number;
  reserved: number;
  available: number;
  sequence: number;
}

interface Movement {
  stockItemId: string;
  variantId: string;
  sequence: number;
  cause: string;
  onHandChange: number;
  reservedChange: number;
}

interface Part {
  _id: string;
  orderId: string;
  status: 'PENDING' | 'CONFIRMED' | 'PROCESSING' | 'SHIPPED' | 'DELIVERED' | 'CANCELLED';
  timeline: { previousStatus: string | null; newStatus: string }[];
  lines: { variantId: string; quantity: number }[];
}

type Whole = Omit<Part, 'orderId' | 'lines'>;

interface Hold {
  reference: string;
  state: string;
  lines: { variantId: string; quantity: number }[];
}

const all = <T>(db: Connection, collection: string): Promise<T[]> => db.collection(collection).find().toArray() as unknown as Promise<T[]>;

function sumBy<T>(entries: readonly T[], key: (entry: T) => string, amount: (entry: T) => number): Map<string, number> {
  const sums = new Map<string, number>();
  for (const entry of entries) sums.set(key(entry), (sums.get(key(entry)) ?? 0) + amount(entry));
  return sums;
}

/** Initial + restocked = available + reserved + sold, of each variant, where sold is what the orders say and not what the ledger believes. */
async function stockFaults(db: Db): Promise<string[]> {
  const items = await all<Item>(db('inventory'), 'stockitems');
  const movements = await all<Movement>(db('inventory'), 'stockmovements');
  const holds = (await all<Hold>(db('inventory'), 'reservations')).filter(({ state }) => state === 'HELD');
  const sold = (await all<Part>(db('orders'), 'vendororders')).filter(({ status }) => status !== 'CANCELLED');
  const faults = items.flatMap((item) =>
    ledgerFaults(
      item,
      movements.filter(({ stockItemId }) => stockItemId === item._id),
    ),
  );

  const byVariant = ({ variantId }: { variantId: string }): string => variantId;
  const added = movements.filter(({ cause }) => cause === 'RECEIVED' || cause === 'ADJUSTED');
  const cameIn = sumBy(added, byVariant, ({ onHandChange }) => onHandChange);
  const available = sumBy(items, byVariant, (item) => item.available);
  const reserved = sumBy(items, byVariant, (item) => item.reserved);
  const held = sumBy(
    holds.flatMap(({ lines }) => lines),
    byVariant,
    ({ quantity }) => quantity,
  );
  const wentOut = sumBy(
    sold.flatMap(({ lines }) => lines),
    byVariant,
    ({ quantity }) => quantity,
  );
  for (const [variantId, came] of cameIn) {
    const [left, kept, gone, promised] = [available, reserved, wentOut, held].map((sums) => sums.get(variantId) ?? 0) as [
      number,
      number,
      number,
      number,
    ];
    if (came !== left + kept + gone)
      faults.push(`${variantId}: ${came} came in, but ${left} are available, ${kept} reserved and ${gone} sold`);
    if (kept !== promised) faults.push(`${variantId}: ${kept} are reserved, ${promised} are held by reservations`);
  }
  return faults;
}

function ledgerFaults({ _id, onHand, reserved, available, sequence }: Item, movements: Movement[]): string[] {
  const faults: string[] = [];
  const total = (field: 'onHandChange' | 'reservedChange') => movements.reduce((sum, movement) => sum + movement[field], 0);
  if (Math.min(onHand, reserved, available) < 0) faults.push(`${_id} is negative: ${onHand}, ${reserved}, ${available}`);
  if (onHand - reserved !== available) faults.push(`${_id}: ${onHand} on hand and ${reserved} reserved leave ${available}`);
  if (total('onHandChange') !== onHand || total('reservedChange') !== reserved) faults.push(`${_id} is not the sum of its movements`);
  if (movements.length !== sequence) faults.push(`${_id} counts ${sequence} movements and has ${movements.length}`);
  return faults;
}

/** Every order is final, its parts agree with it and with its saga, nothing is held for it and its cart is free. */
async function orderFaults(db: Db): Promise<string[]> {
  const sagas = await sagasOf(db('orders')).find().toArray();
  const orders = new Map((await all<Whole>(db('orders'), 'orders')).map((order) => [order._id, order]));
  const parts = Map.groupBy(await all<Part>(db('orders'), 'vendororders'), ({ orderId }) => orderId);
  const holds = new Map((await all<Hold>(db('inventory'), 'reservations')).map((hold) => [hold.reference, hold.state]));
  const faults = sagas.flatMap((saga) => {
    const { orderId } = saga.input as { orderId: string };
    return sagaFaults(saga, orders.get(orderId), holds.get(orderId));
  });
  const known = new Set(sagas.map(({ input }) => (input as { orderId: string }).orderId));
  for (const [id, order] of orders) {
    const own = parts.get(id) ?? [];
    if (!known.has(id)) faults.push(`order ${id} has no saga`);
    if (order.status === 'PENDING' || own.some(({ status }) => status === 'PENDING')) faults.push(`order ${id} is not final`);
    if (order.status !== deriveStatus(own.map(({ status }) => status))) faults.push(`order ${id} is ${order.status}, its parts are not`);
    for (const each of [order, ...own]) if (!isChain(each)) faults.push(`the timeline of ${each._id} has a gap`);
  }
  for (const { _id, checkout } of await all<{ _id: string; checkout: string | null }>(db('orders'), 'carts'))
    if (checkout) faults.push(`cart ${_id} is held by ${checkout}`);
  for (const [reference, state] of holds) if (state === 'HELD') faults.push(`stock is still held for ${reference}`);
  return faults;
}

function sagaFaults({ _id, state, lease }: SagaRow, order: Whole | undefined, hold: string | undefined): string[] {
  if (!ENDED_STATES.includes(state)) return [`saga ${_id} is ${state}, held until ${lease.until.toISOString()}`];
  if (state === 'COMPENSATED')
    return order && order.status !== 'CANCELLED' ? [`saga ${_id} turned back, its order is ${order.status}`] : [];
  if (!order) return [`saga ${_id} is done without an order`];
  return hold === 'COMMITTED' ? [] : [`saga ${_id} is done, its stock is ${hold}`];
}

/** Each change begins where the one before ended, and the last one is where it stands: nothing was done twice or left out. */
const isChain = ({ status, timeline }: Whole): boolean =>
  timeline.every(({ previousStatus }, index) => (previousStatus ?? null) === (timeline[index - 1]?.newStatus ?? null)) &&
  timeline.at(-1)?.newStatus === status;

/** The inboxes that must hold each event, as `subgraph queue`, by its type. Who may hear an event again keeps no record of it. */
function recordsOf(subgraphs: readonly Subgraph[]): Map<string, Set<string>> {
  const records = new Map<string, Set<string>>();
  for (const { name, handlers } of subgraphs) {
    for (const handler of handlers) {
      if (handler.kind !== 'event' || handler.idempotent) continue;
      const { type, queue = name } = handler.event;
      records.set(type, (records.get(type) ?? new Set()).add(`${name} ${queue}`));
    }
  }
  return records;
}

/** Every event said has had its effect at each who hears it, once, and nobody has heard what was not said. */
async function eventFaults(db: Db, subgraphs: readonly Subgraph[]): Promise<string[]> {
  const records = recordsOf(subgraphs);
  const faults: string[] = [];
  const expected = new Set<string>();
  const taken = new Set<string>();
  for (const { name } of subgraphs) {
    for (const { _id, type, state, waiting } of await outboxOf(db(name)).find().toArray()) {
      if (state !== 'DONE') faults.push(`${type} ${_id} of ${name} is ${state}, waiting for ${waiting.join(', ')}`);
      for (const inbox of records.get(type) ?? []) expected.add(`${inbox} ${_id}`);
    }
    for (const { _id } of await inboxOf(db(name)).find().toArray()) taken.add(`${name} ${_id}`);
    for (const { _id, message } of await deadLettersOf(db(name)).find().toArray()) faults.push(`dead letter ${_id}: ${message}`);
  }
  for (const id of expected.difference(taken)) faults.push(`not taken in: ${id}`);
  for (const id of taken.difference(expected)) faults.push(`taken in, though nobody said it: ${id}`);
  return [...faults, ...(await sayingFaults(db))];
}

/** What was said of each order is what happened to it: created once, received once by each vendor, and each step of its timelines once. */
async function sayingFaults(db: Db): Promise<string[]> {
  const said = Map.groupBy(await outboxOf(db('orders')).find().toArray(), (row) => (row.data as { orderId?: string }).orderId ?? '');
  const parts = Map.groupBy(await all<Part>(db('orders'), 'vendororders'), ({ orderId }) => orderId);
  const faults: string[] = [];
  for (const order of await all<Whole>(db('orders'), 'orders')) {
    const own = said.get(order._id) ?? [];
    const confirmed = (each: Whole) => each.timeline.some(({ newStatus }) => newStatus === 'CONFIRMED');
    const count = (type: string, expected: number): void => {
      const found = own.filter((row) => row.type === type).length;
      if (found !== expected) faults.push(`${type} of ${order._id} was said ${found} times instead of ${expected}`);
    };
    count('Order.Created', 1);
    count('VendorOrder.Received', (parts.get(order._id) ?? []).filter(confirmed).length);
    count('Order.Cancelled', order.status === 'CANCELLED' ? 1 : 0);
    for (const each of [order, ...(confirmed(order) ? (parts.get(order._id) ?? []) : [])]) {
      if (!isSaid(each, own)) faults.push(`the steps of ${each._id} were not said one by one`);
    }
  }
  return faults;
}

function isSaid({ _id, timeline }: Whole, rows: OutboxRow[]): boolean {
  type Step = { vendorOrderId: string | null; orderId: string; newStatus: string };
  const steps = rows.filter(({ type }) => type === 'Order.StatusChanged').map(({ data }) => data as Step);
  const own = steps.filter(({ vendorOrderId, orderId }) => (vendorOrderId ?? orderId) === _id).map(({ newStatus }) => newStatus);
  return (
    own.toSorted().join() ===
    timeline
      .slice(1)
      .map(({ newStatus }) => newStatus)
      .toSorted()
      .join()
  );
}

/** All of it. */
export const faultsOf = async (db: Db, subgraphs: readonly Subgraph[]): Promise<string[]> => [
  ...(await orderFaults(db)),
  ...(await stockFaults(db)),
  ...(await eventFaults(db, subgraphs)),
];

interface Streams {
  redis: Redis;
  prefix: string;
}

/** Each live topic holds what was said on it, each event once, and the events of one order in their order. */
export async function liveFaults(db: Db, subgraphs: readonly Subgraph[], { redis, prefix }: Streams): Promise<string[]> {
  const said = new Map<string, string[]>();
  for (const { name } of subgraphs) {
    for (const { _id, topics } of await outboxOf(db(name)).find().sort({ _id: 1 }).toArray())
      for (const topic of topics) said.set(topic, [...(said.get(topic) ?? []), _id]);
  }
  const faults: string[] = [];
  for (const [topic, ids] of said) {
    const entries = await redis.xrange(`${prefix}:live:${topic}`, '-', '+');
    const heard = entries.map(([, [, payload = '{}']]) => (JSON.parse(payload) as { id: string }).id);
    // Of different orders nothing is promised; of one order the rows were written one after the other.
    const isOfOne = topic.startsWith('order:');
    const [expected, found] = isOfOne ? [ids, heard] : [ids.toSorted(), heard.toSorted()];
    if (expected.join() !== found.join()) faults.push(`topic ${topic} holds ${found.join()} instead of ${expected.join()}`);
  }
  return faults;
}

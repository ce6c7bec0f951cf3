import { getNextTransitions, setup, transition } from 'xstate';
import { VENDOR_ORDER_STATUSES, type VendorOrderStatus } from './contract.ts';

/** Who moves a vendor order. */
export type Actor = 'BUYER' | 'VENDOR' | 'ADMIN' | 'SYSTEM';

type Move = { type: VendorOrderStatus };

/** The legal moves of one vendor order; the event is named after the status it leads to. Pure: nothing is started. */
const machine = setup({ types: { events: {} as Move } }).createMachine({
  id: 'vendorOrder',
  initial: 'PENDING',
  states: {
    PENDING: { on: { CONFIRMED: 'CONFIRMED', CANCELLED: 'CANCELLED' } },
    CONFIRMED: { on: { PROCESSING: 'PROCESSING', CANCELLED: 'CANCELLED' } },
    PROCESSING: { on: { SHIPPED: 'SHIPPED', CANCELLED: 'CANCELLED' } },
    SHIPPED: { on: { DELIVERED: 'DELIVERED' } },
    DELIVERED: { type: 'final' },
    CANCELLED: { type: 'final' },
  },
});

const snapshots = new Map(VENDOR_ORDER_STATUSES.map((status) => [status, machine.resolveState({ value: status })]));

/** Only the saga moves what is not confirmed yet; a buyer may step back until packing begins, and do nothing else. */
const mayMove = (actor: Actor, from: VendorOrderStatus, to: VendorOrderStatus): boolean => {
  if (actor === 'SYSTEM') return true;
  if (from === 'PENDING') return false;
  return actor !== 'BUYER' || (to === 'CANCELLED' && from !== 'PROCESSING');
};

export const canMove = (from: VendorOrderStatus, to: VendorOrderStatus, actor: Actor): boolean => {
  const [next] = transition(machine, snapshots.get(from)!, { type: to });
  return from !== to && next.value === to && mayMove(actor, from, to);
};

/** Where `actor` can take a vendor order that stands at `from`. */
export const nextStatuses = (from: VendorOrderStatus, actor: Actor): VendorOrderStatus[] =>
  getNextTransitions(snapshots.get(from)!)
    .map(({ eventType }) => eventType as VendorOrderStatus)
    .filter((to) => mayMove(actor, from, to));

/** From which statuses `actor` can come to `to`: the filter of the update. */
export const sourcesOf = (to: VendorOrderStatus, actor: Actor): VendorOrderStatus[] =>
  VENDOR_ORDER_STATUSES.filter((from) => canMove(from, to, actor));

/** Nothing follows it. */
export const isFinal = (status: VendorOrderStatus): boolean => FINAL_STATUSES.includes(status);

const FINAL_STATUSES: VendorOrderStatus[] = ['DELIVERED', 'CANCELLED'];

const PROGRESS: VendorOrderStatus[] = ['PENDING', 'CONFIRMED', 'PROCESSING', 'SHIPPED', 'DELIVERED'];

/** The status of an order: its least advanced vendor order that is not cancelled; CANCELLED when all are. */
export function deriveStatus(vendorOrders: readonly VendorOrderStatus[]): VendorOrderStatus {
  return PROGRESS.find((status) => vendorOrders.includes(status)) ?? 'CANCELLED';
}

import { getNextTransitions, setup, transition } from 'xstate';
import { VENDOR_ORDER_STATUSES, type VendorOrderStatus } from './contract.ts';

/** Who moves a part of an order. */
export type Mover = 'BUYER' | 'VENDOR' | 'ADMIN' | 'SYSTEM';

type Move = { type: VendorOrderStatus };

/** The legal moves of one vendor's part; the event is named after the status it leads to. Pure: nothing is started. */
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
const mayMove = (mover: Mover, from: VendorOrderStatus, to: VendorOrderStatus): boolean => {
  if (mover === 'SYSTEM') return true;
  if (from === 'PENDING') return false;
  return mover !== 'BUYER' || (to === 'CANCELLED' && from !== 'PROCESSING');
};

export const canMove = (from: VendorOrderStatus, to: VendorOrderStatus, mover: Mover): boolean => {
  const [next] = transition(machine, snapshots.get(from)!, { type: to });
  return from !== to && next.value === to && mayMove(mover, from, to);
};

/** Where `mover` can take a part that stands at `from`. */
export const nextStatuses = (from: VendorOrderStatus, mover: Mover): VendorOrderStatus[] =>
  getNextTransitions(snapshots.get(from)!)
    .map(({ eventType }) => eventType as VendorOrderStatus)
    .filter((to) => mayMove(mover, from, to));

/** From which statuses `mover` can come to `to`: the filter of the update. */
export const sourcesOf = (to: VendorOrderStatus, mover: Mover): VendorOrderStatus[] =>
  VENDOR_ORDER_STATUSES.filter((from) => canMove(from, to, mover));

/** Nothing follows it. */
export const isFinal = (status: VendorOrderStatus): boolean => FINAL_STATUSES.includes(status);

export const FINAL_STATUSES: VendorOrderStatus[] = ['DELIVERED', 'CANCELLED'];

const PROGRESS: VendorOrderStatus[] = ['PENDING', 'CONFIRMED', 'PROCESSING', 'SHIPPED', 'DELIVERED'];

/** The status of an order: its least advanced part that is not cancelled; CANCELLED when all are. */
export function deriveStatus(parts: readonly VendorOrderStatus[]): VendorOrderStatus {
  return PROGRESS.find((status) => parts.includes(status)) ?? 'CANCELLED';
}

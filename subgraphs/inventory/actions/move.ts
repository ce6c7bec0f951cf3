import { unavailable } from '#shared/base/errors.ts';
import { newId } from '#shared/base/ids.ts';
import { inventoryUpdated, lowStockAlert, lowStockReached, productBackInStock } from '../contract.ts';
import type { Ctx } from '../loaders.ts';
import type { Cause, StockItem, StockMovement } from '../model.ts';
import { isNew, openItems } from './slots.ts';

export interface Move {
  /** As it was read in this transaction, or new; each item at most once in a call. */
  item: StockItem;
  cause: Cause;
  /** Pieces added to (or taken from) the shelf. */
  onHand?: number;
  /** Pieces held (or set free). */
  reserved?: number;
}

interface Why {
  reference?: string | null;
  reason?: string | null;
  actorId?: string | null;
}

interface Moved {
  before: StockItem;
  after: StockItem;
}

/**
 * The one place where quantities change: the balances, the ledger and what the world is told go together, or not at all. The filter holds the
 * conditions, so nothing becomes negative and nobody changes a balance that this transaction has not seen. Answers the items afterwards, as
 * they were handed in.
 */
export async function move(ctx: Ctx, moves: Move[], why: Why): Promise<StockItem[]> {
  if (moves.length === 0) return [];
  const now = ctx.now();
  const done = moves.map((each) => ({ ...each, before: each.item, after: balanceAfter(each, now) }));
  // One order for everybody: two that want the same items meet at the first one.
  const ordered = done.toSorted((a, b) => (a.item._id < b.item._id ? -1 : 1));
  await keep(ctx, ordered, now);
  await ctx.models.StockMovement.insertMany(
    ordered.map((each) => movementOf(each, why, now)),
    { lean: true },
  );
  await tell(ctx, ordered);
  return done.map(({ after }) => after);
}

/** Items that are new are stored as they are afterwards. */
async function keep(ctx: Ctx, all: (Move & Moved)[], now: Date): Promise<void> {
  const { opened = [], known = [] } = Object.groupBy(all, ({ item }) => (isNew(item) ? 'opened' : 'known'));
  if (opened.some(({ after }) => after.available < 0 || after.reserved < 0)) throw unavailable('stock');
  await openItems(
    ctx,
    opened.map(({ after }) => after),
  );
  if (known.length === 0) return;
  const { matchedCount } = await ctx.models.StockItem.bulkWrite(known.map((each) => ({ updateOne: updateOf(each, now) })));
  if (matchedCount !== known.length) throw unavailable('stock');
}

/** Whether `available` is at the threshold or below. */
export const isLow = (available: number, threshold: number | null | undefined): boolean =>
  typeof threshold === 'number' && available <= threshold;

function balanceAfter({ item, onHand = 0, reserved = 0 }: Move, changedAt: Date): StockItem {
  const available = item.available + onHand - reserved;
  return {
    ...item,
    onHand: item.onHand + onHand,
    reserved: item.reserved + reserved,
    available,
    isLow: isLow(available, item.lowStockThreshold),
    sequence: item.sequence + 1,
    version: item.version + (onHand === 0 ? 0 : 1),
    changedAt,
  };
}

function updateOf({ item, onHand = 0, reserved = 0, after }: Move & Moved, changedAt: Date) {
  const available = onHand - reserved;
  return {
    filter: {
      _id: item._id,
      sequence: item.sequence,
      available: { $gte: -available },
      reserved: { $gte: -reserved },
      onHand: { $gte: -onHand },
    },
    update: {
      $inc: { onHand, reserved, available, sequence: 1, version: onHand === 0 ? 0 : 1 },
      $set: { isLow: after.isLow, changedAt },
    },
  };
}

const movementOf = ({ after, cause, onHand = 0, reserved = 0 }: Move & Moved, why: Why, occurredAt: Date): StockMovement => ({
  _id: newId('mov'),
  stockItemId: after._id,
  sequence: after.sequence,
  vendorId: after.vendorId,
  variantId: after.variantId,
  warehouseId: after.warehouseId,
  cause,
  quantity: Math.abs(onHand) || Math.abs(reserved),
  onHandChange: onHand,
  reservedChange: reserved,
  onHand: after.onHand,
  reserved: after.reserved,
  available: after.available,
  occurredAt,
  reference: why.reference || null,
  reason: why.reason || null,
  actorId: why.actorId ?? null,
});

async function tell(ctx: Ctx, all: Moved[]): Promise<void> {
  const changed = all.filter(({ before, after }) => before.available !== after.available && !after.isDiscontinued);
  for (const { before, after } of changed) {
    const { productId, variantId, vendorId, warehouseId: warehouse, available } = after;
    ctx.publish(inventoryUpdated({ productId, variantId, vendorId, quantity: available, warehouse }));
    const isFall = available < before.available;
    if (isFall && (after.isLow || available === 0)) tellLow(ctx, after, before.isLow);
  }
  for (const { productId, variantId, vendorId } of await backInStock(ctx, changed)) {
    ctx.publish(productBackInStock({ productId, variantId, vendorId }));
  }
}

/** Says that an item is low, or has run out. What only falls further concerns its alert, but is no news to others. */
export function tellLow(ctx: Ctx, item: StockItem, wasLow: boolean): void {
  const { productId, variantId, vendorId, warehouseId: warehouse, available, lowStockThreshold } = item;
  const low = {
    productId,
    variantId,
    vendorId,
    available,
    threshold: lowStockThreshold ?? 0,
    warehouse,
    timestamp: ctx.now().toISOString(),
  };
  if (!wasLow || available === 0) ctx.publish(lowStockReached(low));
  ctx.enqueue(lowStockAlert({ stockItemId: item._id, wasLow, ...low }));
}

/** Variants that had run out in every place and have not any more. One that was never stocked before has not run out. */
async function backInStock(ctx: Ctx, changed: Moved[]): Promise<StockItem[]> {
  const sum = (group: Moved[], side: 'before' | 'after') => group.reduce((total, each) => total + each[side].available, 0);
  const refilled = [...Map.groupBy(changed, ({ after }) => after.variantId)].filter(
    ([, group]) => sum(group, 'before') === 0 && sum(group, 'after') > 0,
  );
  if (refilled.length === 0) return [];
  const elsewhere = await ctx.models.StockItem.find(
    { variantId: { $in: refilled.map(([variantId]) => variantId) }, _id: { $nin: changed.map(({ after }) => after._id) } },
    { variantId: 1, available: 1 },
  ).lean();
  const others = Map.groupBy(elsewhere, ({ variantId }) => variantId);
  return refilled
    .filter(([variantId, group]) => {
      const rest = others.get(variantId) ?? [];
      const wasKnown = rest.length > 0 || group.some(({ before }) => !isNew(before));
      return wasKnown && rest.every(({ available }) => available === 0);
    })
    .map(([, group]) => group[0]!.after);
}

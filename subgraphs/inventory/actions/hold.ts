import type { z } from 'zod';
import { Problem } from '#shared/base/errors.ts';
import { reserveStock } from '../contract.ts';
import type { Ctx } from '../loaders.ts';
import type { Reservation, ReservationLine, StockItem } from '../model.ts';
import { endHold } from './end.ts';
import { merge } from './merge.ts';
import { settings } from '../settings.ts';
import { move } from './move.ts';
import { reservationEnded } from './reservations.ts';

type Input = z.infer<typeof reserveStock.input>;

interface Share {
  item: StockItem;
  quantity: number;
}

/** Overdue reservations that are ended at a time, until there is enough. */
const MAX_OVERDUE = 50;

/** Holds all lines or none, from the warehouse with the smallest priority on. The same reference again is the same reservation. */
export async function reserve(ctx: Ctx, { reference, lines, ttlSeconds, holder }: Input) {
  const wanted = merge(lines);
  await ctx.providers.locks.acquire(ctx.session!, [`reference ${reference}`, `holder ${holder}`, ...wanted.keys()], {
    deadline: ctx.deadline,
  });
  const known = await ctx.models.Reservation.findOne({ reference }).lean();
  if (known) return replayReservation(ctx, known, wanted);
  const shares = await share(ctx, wanted, lines);
  await requireRoom(ctx, holder);
  const now = ctx.now();
  const seconds = ttlSeconds ?? (await ctx.settings.get(settings.reservationSeconds));
  const expiresAt = new Date(now.getTime() + seconds * 1_000);
  const [reservation] = await ctx.models.Reservation.create([
    { reference, holder, state: 'HELD', lines: shares.map(lineOf), expiresAt, createdAt: now },
  ]);
  await move(
    ctx,
    shares.map(({ item, quantity }) => ({ item, cause: 'RESERVED' as const, reserved: quantity })),
    { reference },
  );
  return { reservationId: reservation!._id, expiresAt: expiresAt.toISOString() };
}

/** What was answered before, as long as it is still true. */
function replayReservation(ctx: Ctx, known: Reservation, wanted: Map<string, number>) {
  const isOver = known.state === 'HELD' && known.expiresAt <= ctx.now();
  if (isOver || known.state === 'RELEASED' || known.state === 'EXPIRED') throw reservationEnded();
  const held = merge(known.lines);
  if (held.size !== wanted.size || [...wanted].some(([variantId, quantity]) => held.get(variantId) !== quantity)) {
    throw new Problem('RESERVATION_DIFFERS', 'Other goods are held for this reference.', { path: ['lines'] });
  }
  return { reservationId: known._id, expiresAt: known.expiresAt.toISOString() };
}

/** The row of the holder is the lock: without it two at once would both count 19. */
async function requireRoom(ctx: Ctx, holder: string): Promise<void> {
  const now = ctx.now();
  await ctx.models.Holder.updateOne({ _id: holder }, { $inc: { reservations: 1 }, $set: { at: now } }, { upsert: true });
  const open = await ctx.models.Reservation.countDocuments({ holder, state: 'HELD', expiresAt: { $gt: now } });
  const most = await ctx.settings.get(settings.openReservations);
  if (open >= most) {
    throw new Problem('TOO_MANY_RESERVATIONS', `At most ${most} reservations can be open at the same time.`, {
      path: ['holder'],
      open,
    });
  }
}

/** Where each piece comes from. What overdue reservations still hold is set free first, if it is needed. */
async function share(ctx: Ctx, wanted: Map<string, number>, lines: Input['lines']): Promise<Share[]> {
  let planned = await plan(ctx, wanted);
  while (planned.short && (await freeOverdue(ctx, [...wanted.keys()]))) planned = await plan(ctx, wanted);
  if (!planned.short) return planned.shares;
  const { variantId, available } = planned.short;
  const path = ['lines', lines.findIndex((line) => line.variantId === variantId)];
  throw new Problem('INSUFFICIENT_STOCK', 'There are fewer pieces than wanted.', {
    path,
    typename: 'InsufficientStockError',
    variantId,
    available,
  });
}

interface Plan {
  shares: Share[];
  /** The first line that cannot be held. */
  short?: { variantId: string; available: number };
}

async function plan(ctx: Ctx, wanted: Map<string, number>): Promise<Plan> {
  const filter = { variantId: { $in: [...wanted.keys()] }, available: { $gt: 0 }, isDiscontinued: false };
  const items = await inOrder(ctx, await ctx.models.StockItem.find(filter).lean());
  const shares: Share[] = [];
  for (const [variantId, quantity] of wanted) {
    let left = quantity;
    for (const item of items.get(variantId) ?? []) {
      const taken = Math.min(left, item.available);
      if (taken > 0) shares.push({ item, quantity: taken });
      left -= taken;
    }
    if (left > 0) return { shares: [], short: { variantId, available: quantity - left } };
  }
  return { shares };
}

/** By variant, the warehouse to take from first in front. Warehouses are looked at only where there is a choice. */
async function inOrder(ctx: Ctx, items: StockItem[]): Promise<Map<string, StockItem[]>> {
  const byVariant = Map.groupBy(items, ({ variantId }) => variantId);
  if ([...byVariant.values()].every(({ length }) => length === 1)) return byVariant;
  const ids = [...new Set(items.map(({ warehouseId }) => warehouseId))];
  const warehouses = await ctx.models.Warehouse.find({ _id: { $in: ids } }, { priority: 1 }).lean();
  const priority = new Map(warehouses.map((each) => [each._id, each.priority]));
  const rank = ({ warehouseId }: StockItem) => priority.get(warehouseId) ?? Number.MAX_SAFE_INTEGER;
  const compare = (a: StockItem, b: StockItem) => rank(a) - rank(b) || (a.warehouseId < b.warehouseId ? -1 : 1);
  for (const [variantId, own] of byVariant) byVariant.set(variantId, own.toSorted(compare));
  return byVariant;
}

/** Reservations past their time hold nothing, also before the job has come round. */
async function freeOverdue(ctx: Ctx, variantIds: string[]): Promise<boolean> {
  const held = { state: 'HELD', expiresAt: { $lte: ctx.now() }, 'lines.variantId': { $in: variantIds } } as const;
  const overdue = await ctx.models.Reservation.find(held, null, { comment: 'plan: overdue reservations are few, the job ends them' })
    .sort({ expiresAt: 1 })
    .limit(MAX_OVERDUE)
    .lean();
  for (const reservation of overdue) await endHold(ctx, reservation, { state: 'EXPIRED' });
  return overdue.length > 0;
}

const lineOf = ({ item, quantity }: Share): ReservationLine => ({
  variantId: item.variantId,
  stockItemId: item._id,
  warehouseId: item.warehouseId,
  quantity,
  returned: 0,
});

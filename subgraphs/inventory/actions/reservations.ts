import type { z } from 'zod';
import { Problem } from '#shared/base/errors.ts';
import { outsideTransactions } from '#shared/store/mongo.ts';
import { commitReservation, extendReservation, releaseReservation, restockReservation } from '../contract.ts';
import type { Ctx } from '../loaders.ts';
import type { Reservation } from '../model.ts';
import { endHold, forgetAt } from './end.ts';
import { itemsOf, putBack, type Piece } from './items.ts';
import { merge } from './merge.ts';
import { move } from './move.ts';

/** Prolongs a hold; a shorter time than is left changes nothing. */
export async function extend(ctx: Ctx, { reference, ttlSeconds }: z.infer<typeof extendReservation.input>) {
  const now = ctx.now();
  const reservation = await ctx.models.Reservation.findOneAndUpdate(
    { reference, state: 'HELD', expiresAt: { $gt: now } },
    { $max: { expiresAt: new Date(now.getTime() + ttlSeconds * 1_000) } },
    { returnDocument: 'after' },
  ).lean();
  if (!reservation) throw reservationEnded();
  return { expiresAt: reservation.expiresAt.toISOString() };
}

/** The goods leave the shelf. An expired reservation cannot be committed, whether the job has seen it or not. */
export async function commit(ctx: Ctx, { reference }: z.infer<typeof commitReservation.input>) {
  await waitForTurn(ctx, reference);
  const now = ctx.now();
  const reservation = await ctx.models.Reservation.findOneAndUpdate(
    { reference, state: 'HELD', expiresAt: { $gt: now } },
    { $set: { state: 'COMMITTED', committedAt: now } },
  ).lean();
  if (reservation) {
    const items = await itemsOf(ctx, reservation.lines);
    const moves = reservation.lines.map(({ stockItemId, quantity }) => ({
      item: items.get(stockItemId)!,
      cause: 'COMMITTED' as const,
      onHand: -quantity,
      reserved: -quantity,
    }));
    await move(ctx, moves, { reference });
  } else if (!(await ctx.models.Reservation.exists({ reference, state: 'COMMITTED' }))) {
    throw reservationEnded();
  }
  return { committed: true as const };
}

/** Undoes whatever there is: held pieces are free, sold ones back on hand. A reservation that has not come yet will find itself released. */
export async function release(ctx: Ctx, { reference, reason }: z.infer<typeof releaseReservation.input>) {
  await waitForTurn(ctx, reference);
  const { Reservation } = ctx.models;
  const reservation = await Reservation.findOne({ reference }).lean();
  const now = ctx.now();
  if (!reservation) {
    await Reservation.create([
      { reference, state: 'RELEASED', lines: [], expiresAt: now, createdAt: now, endedAt: now, reason, forgetAt: forgetAt(now) },
    ]);
  } else if (reservation.state === 'HELD') {
    await endHold(ctx, reservation, { state: 'RELEASED', reason });
  } else if (reservation.state === 'COMMITTED') {
    await Reservation.updateOne({ _id: reservation._id, state: 'COMMITTED' }, { $set: { state: 'RELEASED', endedAt: now, reason } });
    const rest = reservation.lines.map(({ stockItemId, quantity, returned }) => ({ stockItemId, quantity: quantity - returned }));
    await putBack(ctx, rest, { reference, reason });
  }
  return { released: true as const };
}

/** Sold pieces come back, once for each `returnId`, never more than were sold. */
export async function restock(ctx: Ctx, { reference, returnId, lines, reason }: z.infer<typeof restockReservation.input>) {
  await waitForTurn(ctx, reference);
  const reservation = await ctx.models.Reservation.findOne({ reference }).lean();
  if (reservation?.returnIds.includes(returnId)) return { restocked: true as const };
  if (reservation?.state !== 'COMMITTED')
    throw new Problem('RESERVATION_NOT_COMMITTED', 'Nothing was sold by this reservation.', { reference });
  const pieces: Piece[] = [];
  for (const [variantId, quantity] of merge(lines)) pieces.push(...piecesOf(reservation, variantId, quantity));
  const cameBack = new Map(pieces.map(({ stockItemId, quantity }) => [stockItemId, quantity]));
  const returned = reservation.lines.map((line) => line.returned + (cameBack.get(line.stockItemId) ?? 0));
  await ctx.models.Reservation.updateOne(
    { _id: reservation._id, state: 'COMMITTED', returnIds: { $ne: returnId } },
    { $set: Object.fromEntries(returned.map((count, index) => [`lines.${index}.returned`, count])), $push: { returnIds: returnId } },
  );
  await putBack(ctx, pieces, { reference, reason });
  return { restocked: true as const };
}

export const reservationEnded = (): Problem => new Problem('RESERVATION_ENDED', 'Nothing is held for this reference any more.');

/** In which places the pieces that come back were, the first first. */
function piecesOf({ lines }: Reservation, variantId: string, quantity: number): Piece[] {
  const pieces: Piece[] = [];
  let left = quantity;
  for (const line of lines.filter((each) => each.variantId === variantId)) {
    const taken = Math.min(left, line.quantity - line.returned);
    if (taken > 0) pieces.push({ stockItemId: line.stockItemId, quantity: taken });
    left -= taken;
  }
  if (left === 0) return pieces;
  throw new Problem('RETURN_EXCEEDS_SOLD', 'More would come back than was sold.', {
    path: ['lines'],
    variantId,
    returnable: quantity - left,
  });
}

/**
 * Before all who only want to hold: what is held already must not wait for them. Looks outside the transaction what it is about, so that the
 * wait comes before its first read. What it is about never changes.
 */
async function waitForTurn(ctx: Ctx, reference: string): Promise<void> {
  const found = await outsideTransactions(() => ctx.models.Reservation.findOne({ reference }, { lines: 1 }).lean().exec());
  const variantIds = found?.lines.map(({ variantId }) => variantId) ?? [];
  await ctx.providers.locks.acquire(ctx.session!, [`reference ${reference}`, ...variantIds], { deadline: ctx.deadline, first: true });
}

import { reservationExpired } from '../contract.ts';
import type { Ctx } from '../loaders.ts';
import type { Reservation } from '../model.ts';
import { itemsOf } from './items.ts';
import { move } from './move.ts';

const REMEMBERED_MS = 90 * 24 * 3_600_000;

interface Ending {
  state: 'RELEASED' | 'EXPIRED';
  reason?: string;
}

/** What nothing was sold by is remembered this long: late calls for the same reference still find it ended. */
export const forgetAt = (now: Date): Date => new Date(now.getTime() + REMEMBERED_MS);

/** Sets free what a reservation holds. False when it holds nothing (any more). */
export async function endHold(ctx: Ctx, { _id, reference, lines, expiresAt }: Reservation, { state, reason }: Ending): Promise<boolean> {
  const now = ctx.now();
  const ended = await ctx.models.Reservation.updateOne(
    // One that was prolonged meanwhile has not expired.
    { _id, state: 'HELD', ...(state === 'EXPIRED' && { expiresAt }) },
    { $set: { state, endedAt: now, reason: reason || null, forgetAt: forgetAt(now) } },
  );
  if (ended.modifiedCount === 0) return false;
  const items = await itemsOf(ctx, lines);
  const cause = state === 'EXPIRED' ? 'EXPIRED' : 'RELEASED';
  await move(
    ctx,
    lines.map(({ stockItemId, quantity }) => ({ item: items.get(stockItemId)!, cause, reserved: -quantity })),
    { reference, reason },
  );
  if (state === 'EXPIRED') ctx.publish(reservationExpired({ reservationId: _id, reference }));
  return true;
}

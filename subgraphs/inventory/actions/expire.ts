import type { JobRun } from '#shared/kit/define-job.ts';
import type { Ctx } from '../loaders.ts';
import type { Reservation } from '../model.ts';
import { endHold } from './end.ts';

const BATCH = 100;

/** Sets free what nobody paid for in time, each reservation in a transaction of its own, until none is overdue or the run is told to end. */
export async function expireReservations(ctx: Ctx, { signal }: Pick<JobRun, 'signal'>): Promise<{ expired: number; failed: number }> {
  const failed: string[] = [];
  let expired = 0;
  for (;;) {
    const overdue = await ctx.models.Reservation.find({ state: 'HELD', expiresAt: { $lte: ctx.now() }, _id: { $nin: failed } })
      .sort({ expiresAt: 1 })
      .limit(BATCH)
      .lean();
    for (const reservation of overdue) {
      if (signal.aborted) return { expired, failed: failed.length };
      if (await expireOne(ctx, reservation)) expired += 1;
      else failed.push(reservation._id);
    }
    if (overdue.length < BATCH) return { expired, failed: failed.length };
  }
}

/** One that cannot be ended must not keep the others from ending: it is logged and comes up again in the next run. */
async function expireOne(ctx: Ctx, reservation: Reservation): Promise<boolean> {
  try {
    await ctx.transaction(async (inner) => {
      await inner.providers.locks.acquire(
        inner.session!,
        reservation.lines.map(({ variantId }) => variantId),
        { deadline: inner.deadline, first: true },
      );
      await endHold(inner, reservation, { state: 'EXPIRED' });
    });
    return true;
  } catch (error) {
    ctx.log.error({ err: error, reservationId: reservation._id }, 'a reservation could not be ended');
    return false;
  }
}

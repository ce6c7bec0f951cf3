import { z } from 'zod';
import { Problem } from '../../../shared/errors.ts';
import { vendorReinstated, vendorSuspended } from '../contract.ts';
import type { Ctx } from '../loaders.ts';
import type { Vendor } from '../model/vendor.ts';
import { reason } from './inputs.ts';
import { requireVendor } from './rights.ts';

export const SuspendVendor = z.object({ id: z.string(), reason });

/** Suspending twice is the same as suspending once: the first reason stays. */
export async function suspendVendor(ctx: Ctx, { id, reason: why }: z.infer<typeof SuspendVendor>) {
  const vendor = await suspend(ctx, { id, reason: why, actorId: ctx.viewer?.id ?? null });
  return { vendor: vendor ?? (await requireVendor(ctx, { id, field: 'id' })) };
}

export const ReinstateVendor = z.object({ id: z.string(), reason: reason.nullish() });

/** A store without an owner stays closed: nobody could answer for it. */
export async function reinstateVendor(ctx: Ctx, { id, reason: why = null }: z.infer<typeof ReinstateVendor>) {
  const at = ctx.now();
  const vendor = await ctx.models.Vendor.findOneAndUpdate(
    { _id: id, state: 'SUSPENDED', ownerCount: { $gt: 0 } },
    {
      $set: { state: 'ACTIVE', stateReason: null },
      $push: { timeline: { at, state: 'ACTIVE', reason: why, actorId: ctx.viewer?.id ?? null } },
    },
    { returnDocument: 'after' },
  ).lean<Vendor>();
  if (vendor) {
    ctx.publish(vendorReinstated({ vendorId: id, timestamp: at.toISOString() }));
    return { vendor };
  }
  const current = await requireVendor(ctx, { id, field: 'id' });
  if (current.state === 'SUSPENDED') throw new Problem('NO_OWNER', 'The store has no owner: appoint one first.', { path: ['input', 'id'] });
  return { vendor: current };
}

/** Null when there was nothing to suspend. */
export async function suspend(
  ctx: Ctx,
  { id, reason: why, actorId }: { id: string; reason: string; actorId: string | null },
): Promise<Vendor | null> {
  const at = ctx.now();
  const vendor = await ctx.models.Vendor.findOneAndUpdate(
    { _id: id, state: 'ACTIVE' },
    { $set: { state: 'SUSPENDED', stateReason: why }, $push: { timeline: { at, state: 'SUSPENDED', reason: why, actorId } } },
    { returnDocument: 'after' },
  ).lean<Vendor>();
  if (vendor) ctx.publish(vendorSuspended({ vendorId: id, reason: why, timestamp: at.toISOString() }));
  return vendor;
}

import { z } from 'zod';
import { forbidden, invalid, Problem } from '#shared/base/errors.ts';
import { textKey } from '#shared/base/text.ts';
import { findUnfinishedParts } from '../../orders/contract.ts';
import { refuseInactive, vendorClosed, vendorReinstated, vendorSuspended } from '../contract.ts';
import type { Ctx } from '../loaders.ts';
import type { Vendor } from '../model/vendor.ts';
import { reason } from './inputs.ts';
import { requireVendor, roleIn } from './rights.ts';

export const SuspendVendor = z.object({ id: z.string(), reason });

/** Suspending twice is the same as suspending once: the first reason stays. */
export async function suspendVendor(ctx: Ctx, { id, reason: why }: z.infer<typeof SuspendVendor>) {
  const suspended = await suspend(ctx, { id, reason: why, actorId: ctx.viewer?.id ?? null });
  const vendor = suspended ?? (await requireVendor(ctx, { id, field: 'id' }));
  if (vendor.state === 'CLOSED') refuseInactive(vendor.state, ['input', 'id']);
  return { vendor };
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
    ctx.publish(vendorReinstated({ vendorId: id }));
    return { vendor };
  }
  const current = await requireVendor(ctx, { id, field: 'id' });
  if (current.state === 'CLOSED') refuseInactive(current.state, ['input', 'id']);
  if (current.state === 'SUSPENDED') throw new Problem('NO_OWNER', 'The store has no owner: appoint one first.', { path: ['input', 'id'] });
  return { vendor: current };
}

export const CloseVendor = z.object({ id: z.string(), confirmName: z.string().max(1_000), reason: reason.nullish() });

/**
 * Gives a store up for good, while none of its orders is under way: whoever bought must get the goods first. An order that slips in at this
 * very moment can still be finished by the members. Runs its own transaction: the orders are asked before.
 */
export async function closeVendor(ctx: Ctx, { id, confirmName, reason: why = null }: z.infer<typeof CloseVendor>) {
  const current = await requireVendor(ctx, { id, field: 'id' });
  if ((await roleIn(ctx, id)) !== 'OWNER') throw forbidden();
  if (current.state === 'CLOSED') return { vendor: current };
  if (textKey(confirmName) !== textKey(current.name)) throw invalid(['input', 'confirmName'], 'This is not the name of the store.');
  const { vendorOrderIds } = await ctx.call(findUnfinishedParts, { vendorId: id });
  if (vendorOrderIds.length > 0)
    throw new Problem('ORDERS_UNDER_WAY', 'Orders are under way: finish or cancel them first.', { path: ['input', 'id'] });
  return ctx.transaction(async (inner) => ({ vendor: (await close(inner, id, why)) ?? (await requireVendor(inner, { id, field: 'id' })) }));
}

/** Null when it was closed already. */
async function close(ctx: Ctx, id: string, why: string | null): Promise<Vendor | null> {
  const at = ctx.now();
  const actorId = ctx.viewer?.id ?? null;
  const vendor = await ctx.models.Vendor.findOneAndUpdate(
    { _id: id, state: { $ne: 'CLOSED' } },
    { $set: { state: 'CLOSED', stateReason: why }, $push: { timeline: { at, state: 'CLOSED', reason: why, actorId } } },
    { returnDocument: 'after' },
  ).lean<Vendor>();
  if (!vendor) return null;
  await ctx.models.Invitation.updateMany({ vendorId: id, status: 'PENDING' }, { $set: { status: 'REVOKED' } });
  ctx.publish(vendorClosed({ vendorId: id }));
  return vendor;
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
  if (vendor) ctx.publish(vendorSuspended({ vendorId: id, reason: why }));
  return vendor;
}

import { isProblem, Problem } from '#shared/base/errors.ts';
import { findMemberships, refuseInactive } from '../../vendors/contract.ts';
import type { Ctx } from '../loaders.ts';
import { seesPrivate } from '../visibility.ts';

/** An import or export, if the viewer may edit products of its vendor; to others there is none. */
export async function findJob<T extends { vendorId: string }>(
  ctx: Ctx,
  loader: { load(id: string): Promise<T | null> },
  id: string,
): Promise<T | null> {
  const found = await loader.load(id);
  return found && (await seesPrivate(ctx, found.vendorId)) ? found : null;
}

/** Why a job was given up, for its owner. What is no refusal is our fault, and nobody is told more of it than that. */
export const failureOf = (error: unknown): { code: string; message: string } => ({
  code: 'JOB_FAILED',
  message: isProblem(error)
    ? error.message
    : 'Something went wrong on our side, and the rest was not done. It was noted down; try again later.',
});

interface Started {
  startedBy: string;
  vendorId: string;
}

/** Asked before each part: the person who started a job may have lost the right to it since. Undefined while the job may go on. */
export const whyNotRead = async (ctx: Ctx, job: Started): Promise<Problem | undefined> =>
  (await membershipOf(ctx, job)) ? undefined : noLongerAllowed();

/** The same of a job that changes products: a store can also be suspended or closed in the meantime. */
export async function whyNotEdit(ctx: Ctx, job: Started): Promise<Problem | undefined> {
  const membership = await membershipOf(ctx, job);
  if (!membership) return noLongerAllowed();
  try {
    refuseInactive(membership.state);
    return undefined;
  } catch (error) {
    if (isProblem(error)) return error;
    throw error;
  }
}

async function membershipOf(ctx: Ctx, { startedBy, vendorId }: Started) {
  const { memberships } = await ctx.call(findMemberships, { userId: startedBy });
  return memberships.find((membership) => membership.vendorId === vendorId && membership.permissions.includes('PRODUCTS'));
}

const noLongerAllowed = (): Problem =>
  new Problem('JOB_FAILED', 'Whoever started this may not edit products of the vendor any more, so the rest was not done.');

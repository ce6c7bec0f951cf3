import { isProblem, Problem } from '#shared/base/errors.ts';
import { findMemberships, refuseInactive } from '../../vendors/contract.ts';
import type { Ctx } from '../loaders.ts';

/** Why a job was given up, for its owner. What is no refusal is our fault, and nobody is told more of it than that. */
export const failureOf = (error: unknown): { code: string; message: string } => ({
  code: 'JOB_FAILED',
  message: isProblem(error) ? error.message : OUR_FAULT,
});

const OUR_FAULT = 'Something went wrong on our side, and the rest was not done. It was noted down; try again later.';
/** Codes of runs that no refusal ended. */
const NOT_TOLD = new Set(['INTERNAL_SERVER_ERROR', 'TIMEOUT', 'CRASHED']);

/** The same of a run that was given up before. */
export const messageFor = ({ code, message }: { code: string; message: string }): string => (NOT_TOLD.has(code) ? OUR_FAULT : message);

const MISTAKES = new Set(['RangeError', 'TypeError', 'ReferenceError', 'SyntaxError', 'BSONError', 'MongoInvalidArgumentError']);
/** By which the store says that a document is too large. */
const TOO_LARGE = new Set<unknown>([10_334, 17_280]);

/** What would come again at each attempt, while the vendor's next imports wait. A request that fails on its way is a TypeError with a cause. */
const isOurMistake = (error: unknown): boolean =>
  error instanceof Error && ((MISTAKES.has(error.name) && error.cause === undefined) || TOO_LARGE.has((error as { code?: unknown }).code));

/** What to throw: a mistake of ours comes again at each attempt, so its run is given up at once. */
export const finalOf = (error: unknown): unknown => (isOurMistake(error) ? new Problem('JOB_FAILED', OUR_FAULT, { cause: error }) : error);

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

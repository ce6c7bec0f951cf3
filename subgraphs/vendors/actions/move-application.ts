import { notFound, Problem } from '#shared/base/errors.ts';
import { vendorApplicationMoved } from '../contract.ts';
import type { Ctx } from '../loaders.ts';
import { actionsFrom, isAdminAction, isFinal, nextStatuses, sourcesOf, statusAfter, type ApplicationAction } from '../machine.ts';
import type { ActorRole, Application } from '../model/application.ts';
import { isAdmin } from './rights.ts';

interface Move {
  id: string;
  action: Exclude<ApplicationAction, 'UPDATE'>;
  actorRole: ActorRole;
  reason?: string | null | undefined;
  /** What else is different from then on. */
  set?: Partial<Application>;
}

/** Moves an application one step on, if it stands where that is possible: of two who move it at once, one is refused. */
export async function moveApplication(ctx: Ctx, { id, action, actorRole, reason = null, set = {} }: Move): Promise<Application> {
  const at = ctx.now();
  const sources = sourcesOf(action);
  const status = statusAfter(sources[0]!, action)!;
  const step = { at, status, reason, actorRole, actorId: ctx.viewer?.id ?? null };
  const moved = await ctx.models.Application.findOneAndUpdate(
    { _id: id, status: { $in: sources }, ...ownOnly(ctx, actorRole) },
    {
      $set: { ...set, status },
      ...(isFinal(status) && { $unset: { openKey: 1 } }),
      $push: { timeline: step },
      $inc: { version: 1 },
    },
    { returnDocument: 'after' },
  ).lean<Application>();
  if (!moved) throw wrongStatus(await requireApplication(ctx, id, { actorRole }));
  ctx.publish(vendorApplicationMoved({ applicationId: id, applicantId: moved.applicantId, status }));
  return moved;
}

/** The application, for its applicant or an admin; whoever else asks learns nothing. */
export async function requireApplication(
  ctx: Ctx,
  id: string,
  { actorRole, field = 'id' }: { actorRole: ActorRole; field?: string },
): Promise<Application> {
  const found = await ctx.models.Application.findOne({ _id: id, ...ownOnly(ctx, actorRole) }).lean<Application>();
  if (!found) throw notFound('VendorApplication', id, ['input', field]);
  return found;
}

/** Touches an application that the applicant may still change, so that it cannot be submitted at the same moment. */
export async function touchApplication(ctx: Ctx, id: string): Promise<Application> {
  const touched = await ctx.models.Application.findOneAndUpdate(
    { _id: id, status: { $in: sourcesOf('UPDATE') }, ...ownOnly(ctx, 'APPLICANT') },
    { $inc: { version: 1 } },
    { returnDocument: 'after' },
  ).lean<Application>();
  if (!touched) throw wrongStatus(await requireApplication(ctx, id, { actorRole: 'APPLICANT', field: 'applicationId' }), 'applicationId');
  return touched;
}

export const wrongStatus = ({ status }: Application, field = 'id'): Problem =>
  new Problem('APPLICATION_STATUS', `This cannot be done: the application is ${status}. ${possibleFrom(status)}`, {
    path: ['input', field],
    typename: 'ApplicationStatusError',
    status,
    nextStatuses: nextStatuses(status),
  });

function possibleFrom(status: Application['status']): string {
  const actions = actionsFrom(status);
  return actions.length > 0 ? `Possible from there: ${actions.join(', ')}.` : 'Nothing more can be done with it.';
}

/** Null for whoever may not know of it. */
export async function findApplication(ctx: Ctx, id: string): Promise<Application | null> {
  const found = await ctx.loaders.application.load(id);
  return found && (isAdmin(ctx) || found.applicantId === ctx.viewer?.id) ? found : null;
}

/** What the viewer may do with it now: the applicant his part, admins theirs. */
export const availableActions = (ctx: Ctx, { applicantId, status }: Application): ApplicationAction[] =>
  actionsFrom(status).filter((action) => (isAdminAction(action) ? isAdmin(ctx) : applicantId === ctx.viewer?.id));

/** An applicant moves only what is his own; admins and the system move everybody's. */
const ownOnly = (ctx: Ctx, actorRole: ActorRole): { applicantId?: string } =>
  actorRole === 'APPLICANT' ? { applicantId: ctx.viewer?.id ?? '' } : {};

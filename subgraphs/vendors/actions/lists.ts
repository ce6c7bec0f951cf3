import { connection, type ListArguments } from '#shared/store/pagination.ts';
import { forbidden } from '#shared/base/errors.ts';
import { textKey } from '#shared/base/text.ts';
import type { Ctx } from '../loaders.ts';
import type { Application, ChecklistItem } from '../model/application.ts';
import type { Invitation, Member, Vendor } from '../model/vendor.ts';
import { isAdmin, requireInsider, requireVendor, viewerId } from './rights.ts';

/** The arguments of a list as the schema names them. */
const VENDOR_FIELDS = {
  id: { kind: 'id', path: '_id' },
  name: { kind: 'text', path: 'searchName', as: textKey },
  slug: 'text',
  city: { kind: 'text', path: 'address.city' },
  country: { kind: 'text', path: 'address.country' },
  currency: 'text',
  state: 'enum',
  createdAt: 'date',
} as const;
const VENDOR_SORTS = { NAME: 'searchName', CREATED_AT: 'createdAt' } as const;

const APPLICATION_FIELDS = {
  status: 'enum',
  applicantId: 'id',
  vendorId: 'id',
  storeName: 'text',
  createdAt: 'date',
  submittedAt: 'date',
} as const;
const APPLICATION_SORTS = { CREATED_AT: 'createdAt', STORE_NAME: 'storeName' } as const;

/** Conditions are joined at will; what they are asked of is counted in thousands at most. */
const planOf = ({ where }: ListArguments): string | undefined => (where ? 'any conditions, on stores and those who want one' : undefined);

/** Stores that may sell; all of them for admins. */
export const listStores = (ctx: Ctx, args: ListArguments) =>
  connection<Vendor>(ctx.models.Vendor, {
    ...args,
    filter: isAdmin(ctx) ? {} : { state: 'ACTIVE' },
    fields: VENDOR_FIELDS,
    sorts: VENDOR_SORTS,
    defaultSort: { field: 'NAME', direction: 'ASC' },
    plan: planOf(args),
  });

/** The viewer's own applications; everybody's for admins. */
export const listApplications = (ctx: Ctx, args: ListArguments) =>
  connection<Application>(ctx.models.Application, {
    ...args,
    filter: isAdmin(ctx) ? {} : { applicantId: viewerId(ctx) },
    fields: APPLICATION_FIELDS,
    sorts: APPLICATION_SORTS,
    defaultSort: { field: 'CREATED_AT', direction: 'DESC' },
    plan: planOf(args),
  });

export const latestApplication = (ctx: Ctx): Promise<Application | null> =>
  ctx.models.Application.findOne({ applicantId: viewerId(ctx) })
    .sort({ createdAt: -1, _id: -1 })
    .lean<Application>()
    .exec();

export async function listMembers(ctx: Ctx, vendorId: string, args: ListArguments) {
  await requireInsider(ctx, vendorId);
  return connection<Member>(ctx.models.Member, {
    ...args,
    filter: { vendorId },
    sorts: { JOINED_AT: 'joinedAt' },
    defaultSort: { field: 'JOINED_AT', direction: 'ASC' },
  });
}

export async function listInvitations(ctx: Ctx, vendorId: string, args: ListArguments) {
  await requireVendor(ctx, { id: vendorId, field: 'vendorId', permission: 'MEMBERS' });
  return connection<Invitation>(ctx.models.Invitation, {
    ...args,
    filter: { vendorId },
    sorts: { CREATED_AT: 'createdAt' },
    defaultSort: { field: 'CREATED_AT', direction: 'DESC' },
  });
}

/** The stores the viewer works in, by name. */
export async function listOwnStores(ctx: Ctx): Promise<Vendor[]> {
  const ids = (await ctx.loaders.memberships.all()).map(({ vendorId }) => vendorId);
  return ctx.models.Vendor.find({ _id: { $in: ids } })
    .sort({ searchName: 1, _id: 1 })
    .lean<Vendor[]>();
}

/** What applicants are asked for today; with the retired items for admins who want them. */
export async function listChecklist(ctx: Ctx, includeInactive: boolean): Promise<ChecklistItem[]> {
  if (includeInactive && !isAdmin(ctx)) throw forbidden();
  const items = await ctx.loaders.checklist();
  return includeInactive ? items : items.filter(({ isActive }) => isActive);
}

import type { AnyContext, Context } from '#shared/kit/context.ts';
import { byId, manyBy } from '#shared/store/loaders.ts';
import type { Uploads } from '#shared/uploads/uploads.ts';
import { createMemberships } from './contract.ts';
import { readMemberships } from './memberships.ts';
import type { Application, ApplicationDocument, ChecklistItem } from './model/application.ts';
import type { Member, Vendor } from './model/vendor.ts';
import type { Models } from './model.ts';

export const loaders = (models: Models, { viewer }: Pick<AnyContext, 'viewer'>) => {
  let items: Promise<ChecklistItem[]> | undefined;
  // The rights of others' contexts come by command; here they lie next door.
  const call = ((_command: unknown, { userId }: { userId: string }) => readMemberships(models, userId)) as AnyContext['call'];
  return {
    vendor: byId<Vendor>(models.Vendor),
    member: byId<Member>(models.Member),
    application: byId<Application>(models.Application),
    documentsOf: manyBy<ApplicationDocument>(models.ApplicationDocument, 'applicationId', { sort: { uploadedAt: 1, _id: 1 } }),
    membersByUser: manyBy<Member>(models.Member, 'userId', { sort: { joinedAt: 1, _id: 1 } }),
    /** All items, retired ones too, in their order: there are at most 100. */
    checklist: (): Promise<ChecklistItem[]> =>
      (items ??= models.ChecklistItem.find().sort({ order: 1, _id: 1 }).lean<ChecklistItem[]>().exec()),
    memberships: createMemberships({ viewer, call }),
  };
};

export interface Providers {
  uploads: Uploads;
}

export type Ctx = Context<Models, ReturnType<typeof loaders>, Providers>;

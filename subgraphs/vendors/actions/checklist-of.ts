import type { Ctx } from '../loaders.ts';
import { sourcesOf } from '../machine.ts';
import type { Application, ApplicationDocument, ChecklistItem } from '../model/application.ts';

export interface ChecklistEntry {
  item: ChecklistItem;
  isSatisfied: boolean;
  isConfirmed: boolean;
  documents: ApplicationDocument[];
}

/** What is wanted of this application: the items of today while it can be changed, those of its last submission afterwards. */
export async function checklistOf(ctx: Ctx, application: Application): Promise<ChecklistEntry[]> {
  const items = await ctx.loaders.checklist();
  const documents = await documentsOf(ctx, application);
  const { demandedItems } = application;
  const isStillWritten = sourcesOf('UPDATE').includes(application.status);
  const wanted =
    isStillWritten || !demandedItems ? items.filter(({ isActive }) => isActive) : items.filter(({ _id }) => demandedItems.includes(_id));
  return wanted.map((item) => {
    const own = documents.filter(({ checklistKey }) => checklistKey === item.key);
    const isConfirmed = application.confirmedItems.includes(item.key);
    return { item, isConfirmed, documents: own, isSatisfied: own.length > 0 || (!item.documentRequired && isConfirmed) };
  });
}

export const documentsOf = async (ctx: Ctx, { _id }: Application): Promise<ApplicationDocument[]> =>
  (await ctx.loaders.documentsOf.load(_id)).filter(({ state }) => state === 'ATTACHED');

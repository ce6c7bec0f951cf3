import { z } from 'zod';
import { Problem } from '#shared/base/errors.ts';
import { longText, slug, text } from '#shared/base/input.ts';
import { isDuplicateKey } from '#shared/store/mongo.ts';
import { updateVersioned } from '#shared/store/versioned-update.ts';
import type { Ctx } from '../loaders.ts';
import type { ChecklistItem } from '../model/application.ts';
import { given } from './inputs.ts';

const MAX_ITEMS = 100;

const label = text({ min: 1, max: 200 });
const description = longText({ max: 2_000 }).nullish();
const order = z.int().min(0, 'must be at least 0').max(1_000_000, 'must be at most 1000000').optional();

export const CreateVendorChecklistItem = z.object({
  key: slug(),
  label,
  description,
  documentRequired: z.boolean().default(true),
  isActive: z.boolean().default(true),
  order,
});

/** A new item at the end, unless `order` says otherwise. Applications under way need it as well until they are submitted. */
export async function createVendorChecklistItem(ctx: Ctx, { order: wanted, ...fields }: z.infer<typeof CreateVendorChecklistItem>) {
  const items = await ctx.loaders.checklist();
  if (items.length >= MAX_ITEMS)
    throw new Problem('CHECKLIST_LIMIT', `There are ${MAX_ITEMS} items already: change a retired one.`, { path: ['input'] });
  const last = items.at(-1)?.order ?? -1;
  try {
    const [item] = await ctx.models.ChecklistItem.create([{ ...fields, order: wanted ?? last + 1 }]);
    return { item: item!.toObject<ChecklistItem>() };
  } catch (error) {
    if (isDuplicateKey(error)) throw new Problem('CHECKLIST_KEY_TAKEN', 'Another item has this key already.', { path: ['input', 'key'] });
    throw error;
  }
}

export const UpdateVendorChecklistItem = z.object({
  id: z.string(),
  expectedVersion: z.int(),
  label: label.optional(),
  description,
  documentRequired: z.boolean().optional(),
  isActive: z.boolean().optional(),
  order,
});

/** Changes or retires an item. What was submitted before keeps what it was asked for. */
export async function updateVendorChecklistItem(ctx: Ctx, { id, expectedVersion, ...fields }: z.infer<typeof UpdateVendorChecklistItem>) {
  const change = { id, expectedVersion, set: given(fields), noun: 'item', type: 'VendorChecklistItem' };
  return { item: await updateVersioned<ChecklistItem>(ctx.models.ChecklistItem, change) };
}

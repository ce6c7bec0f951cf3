import { z } from 'zod';
import { defineCommand } from '#shared/kit/define-command.ts';
import { defineEvent } from '#shared/kit/define-event.ts';

const timestamp = z.iso.datetime();
const categoryId = z.string();
/** The lists around a category change with it, so that caches forget the whole tree. */
const tags = (): string[] => ['Category'];
const key = (event: { categoryId: string }): string => event.categoryId;

export const categoryCreated = defineEvent('Category.Created', z.object({ categoryId, parentId: z.string().nullable(), timestamp }), {
  key,
  tags,
});

/** `changes` names the fields that are different now. */
export const categoryUpdated = defineEvent('Category.Updated', z.object({ categoryId, changes: z.array(z.string()), timestamp }), {
  key,
  tags,
});

/** The category stands elsewhere in the tree now, and all its descendants with it. */
export const categoryMoved = defineEvent('Category.Moved', z.object({ categoryId, parentId: z.string().nullable(), timestamp }), {
  key,
  tags,
});

export const categoryDeleted = defineEvent('Category.Deleted', z.object({ categoryId, timestamp }), { key, tags });

const CategoryCopy = z.object({ id: categoryId, name: z.string(), slug: z.string(), ancestorIds: z.array(categoryId) });

/** The categories that exist among these ids, in any order. At most 250. */
export const findCategories = defineCommand('categories', 'findCategories', {
  input: z.object({ ids: z.array(categoryId).max(250) }),
  output: z.object({ categories: z.array(CategoryCopy) }),
});

/** A category and everything below it. Empty when there is no such category. */
export const findSubtree = defineCommand('categories', 'findSubtree', {
  input: z.object({ id: categoryId }),
  output: z.object({ ids: z.array(categoryId) }),
});

import DataLoader from 'dataloader';
import type { AnyContext, Context } from '#shared/kit/context.ts';
import { byId, manyBy } from '#shared/store/loaders.ts';
import { TREE } from './cache.ts';
import type { Category, Models } from './model.ts';

/** A change forgets the tree at once; the time is the backstop. */
const KEPT_SECONDS = 300;
const IN_ORDER = { order: 1, _id: 1 } as const;

export const loaders = (models: Models, ctx: Context<Models, unknown>) => ({
  category: byId<Category>(models.Category),
  childrenOf: childrenOf(models, ctx),
  topLevel: () =>
    ctx.cache.cached<Category[]>('top', KEPT_SECONDS, () => models.Category.find({ parentId: null }).sort(IN_ORDER).lean(), {
      groups: [TREE],
      tags: ['Category'],
    }),
});

export type Ctx = Context<Models, ReturnType<typeof loaders>>;

function childrenOf(models: Models, { cache }: Pick<AnyContext, 'cache'>): DataLoader<string, Category[]> {
  const stored = manyBy<Category>(models.Category, 'parentId', { sort: IN_ORDER });
  const load = (ids: string[]): Promise<Category[][]> => Promise.all(ids.map((id) => stored.load(id)));
  const kept = { key: (id: string) => `children:${id}`, ttlSeconds: KEPT_SECONDS, groups: [TREE], tagsOf: () => ['Category'], load };
  return new DataLoader(async (ids) => (await cache.cachedMany<Category[]>(ids, kept)) as Category[][]);
}

import DataLoader from 'dataloader';
import type { AnyContext, Context } from '#shared/kit/context.ts';
import { byId, manyBy } from '#shared/store/loaders.ts';
import { TREE } from './cache.ts';
import type { Category, Models } from './model.ts';
import { settings } from './settings.ts';

const IN_ORDER = { order: 1, _id: 1 } as const;

export const loaders = (models: Models, ctx: Context<Models, unknown>) => ({
  category: byId<Category>(models.Category),
  childrenOf: childrenOf(models, ctx),
  topLevel: async () =>
    ctx.cache.cached<Category[]>(
      'top',
      await ctx.settings.get(settings.cacheSeconds),
      () => models.Category.find({ parentId: null }).sort(IN_ORDER).lean(),
      {
        groups: [TREE],
        tags: ['Category'],
      },
    ),
});

export type Ctx = Context<Models, ReturnType<typeof loaders>>;

function childrenOf(models: Models, ctx: Pick<AnyContext, 'cache' | 'settings'>): DataLoader<string, Category[]> {
  const stored = manyBy<Category>(models.Category, 'parentId', { sort: IN_ORDER });
  const load = (ids: string[]): Promise<Category[][]> => Promise.all(ids.map((id) => stored.load(id)));
  const kept = { key: (id: string) => `children:${id}`, groups: [TREE], tagsOf: () => ['Category'], load };
  return new DataLoader(async (ids) => {
    const ttlSeconds = await ctx.settings.get(settings.cacheSeconds);
    return (await ctx.cache.cachedMany<Category[]>(ids, { ...kept, ttlSeconds })) as Category[][];
  });
}

import type { Context } from '../../shared/context.ts';
import { byId, manyBy } from '../../shared/loaders.ts';
import type { Category, Models } from './model.ts';

export const loaders = ({ Category }: Models) => ({
  category: byId<Category>(Category),
  childrenOf: manyBy<Category>(Category, 'parentId', { sort: { order: 1, _id: 1 } }),
  topLevel: () => Category.find({ parentId: null }).sort({ order: 1, _id: 1 }).lean(),
});

export type Ctx = Context<Models, ReturnType<typeof loaders>>;

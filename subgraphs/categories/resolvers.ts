import { mutation } from '#shared/kit/mutation.ts';
import {
  CreateCategory,
  createCategory,
  DeleteCategory,
  deleteCategory,
  findByPath,
  MoveCategory,
  moveCategory,
  UpdateCategory,
  updateCategory,
} from './actions.ts';
import type { Ctx } from './loaders.ts';
import type { Category } from './model.ts';

export const resolvers = {
  Query: {
    category: (_root: unknown, { id }: { id: string }, { loaders }: Ctx) => loaders.category.load(id),
    categoryByPath: (_root: unknown, { path }: { path: string }, ctx: Ctx) => findByPath(ctx, path),
    categoryTree: (_root: unknown, _args: unknown, { loaders }: Ctx) => loaders.topLevel(),
  },
  Mutation: {
    createCategory: mutation(CreateCategory, createCategory),
    updateCategory: mutation(UpdateCategory, updateCategory),
    moveCategory: mutation(MoveCategory, moveCategory),
    deleteCategory: mutation(DeleteCategory, deleteCategory),
  },
  Category: {
    __resolveReference: ({ id }: { id: string }, { loaders }: Ctx) => loaders.category.load(id),
    id: (category: Category) => category._id,
    parent: ({ parentId }: Category, _args: unknown, { loaders }: Ctx) => parentId && loaders.category.load(parentId),
    ancestors: ({ ancestorIds }: Category, _args: unknown, { loaders }: Ctx) => loaders.category.loadMany(ancestorIds),
    children: ({ _id }: Category, _args: unknown, { loaders }: Ctx) => loaders.childrenOf.load(_id),
  },
};

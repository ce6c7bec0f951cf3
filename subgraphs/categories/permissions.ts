import { allow, hasRole } from '#shared/kit/permissions.ts';

const isAdmin = hasRole('admin');

export const permissions = {
  Query: { category: allow, categoryByPath: allow, categoryTree: allow },
  Mutation: { createCategory: isAdmin, updateCategory: isAdmin, moveCategory: isAdmin, deleteCategory: isAdmin },
  Category: { '*': allow },
};

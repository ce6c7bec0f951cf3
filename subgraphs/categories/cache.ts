import type { AnyContext } from '#shared/kit/context.ts';

/** Cache group of everything about the tree: one invalidation drops it all. */
export const TREE = 'tree';

/** Call it after every change of a category. */
export const invalidateTree = (ctx: Pick<AnyContext, 'afterCommit' | 'cache'>): void =>
  ctx.afterCommit(() => ctx.cache.invalidateGroup(TREE));

import type { AnyContext } from '#shared/kit/context.ts';

/** What of the tree is kept in the cache is forgotten together. */
export const TREE = 'tree';

/** Called by whatever changes a category. */
export const forgetTree = (ctx: Pick<AnyContext, 'afterCommit' | 'cache'>): void => ctx.afterCommit(() => ctx.cache.invalidateGroup(TREE));

import DataLoader from 'dataloader';
import type { AnyContext } from '#shared/kit/context.ts';

/** How long an order's details are kept; a change forgets them at once. */
const KEPT_SECONDS = 300;

export const orderKey = (id: string): string => `order:${id}`;
export const partsKey = (id: string): string => `order:${id}:parts`;

/** Reads through the cache, but never inside a transaction, which must see its own snapshot. Who may see it is decided on what comes out. */
export function kept<T>(
  ctx: Pick<AnyContext, 'session' | 'cache'>,
  key: (id: string) => string,
  source: DataLoader<string, T>,
): DataLoader<string, T> {
  if (ctx.session) return source;
  const load = (ids: string[]): Promise<T[]> => Promise.all(ids.map((id) => source.load(id)));
  return new DataLoader(async (ids) => (await ctx.cache.cachedMany<T>(ids, { key, ttlSeconds: KEPT_SECONDS, load })) as T[]);
}

/** Called by whatever changes an order or a part of it. */
export function forgetOrder(ctx: Pick<AnyContext, 'afterCommit' | 'cache'>, ...orderIds: string[]): void {
  ctx.afterCommit(() => ctx.cache.invalidate(orderIds.flatMap((id) => [orderKey(id), partsKey(id)])));
}

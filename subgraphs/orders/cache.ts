import DataLoader from 'dataloader';
import type { AnyContext } from '#shared/kit/context.ts';
import { settings } from './settings.ts';

export const orderKey = (id: string): string => `order:${id}`;
export const vendorOrdersKey = (id: string): string => `order:${id}:parts`;

/** Reads through the cache, but never inside a transaction, which must see its own snapshot. Authorization is checked on the result. */
export function cachedLoader<T>(
  ctx: Pick<AnyContext, 'session' | 'cache' | 'settings'>,
  key: (id: string) => string,
  source: DataLoader<string, T>,
): DataLoader<string, T> {
  if (ctx.session) return source;
  const load = (ids: string[]): Promise<T[]> => Promise.all(ids.map((id) => source.load(id)));
  return new DataLoader(async (ids) => {
    const ttlSeconds = await ctx.settings.get(settings.cacheSeconds);
    return (await ctx.cache.cachedMany<T>(ids, { key, ttlSeconds, load })) as T[];
  });
}

/** Call it after every change of an order or of one of its vendor orders. */
export function invalidateOrder(ctx: Pick<AnyContext, 'afterCommit' | 'cache'>, ...orderIds: string[]): void {
  ctx.afterCommit(() => ctx.cache.invalidate(orderIds.flatMap((id) => [orderKey(id), vendorOrdersKey(id)])));
}

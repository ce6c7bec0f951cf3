import type { Cache } from '../cache/cache.ts';
import { Problem } from '../base/errors.ts';

/** The tools of one request, available while its client is connected. */
export interface RequestScope {
  /** Returns the tool, or throws a Problem once the client has disconnected: GraphQL itself does not stop between two fields. */
  whileConnected: <T>(tool: T) => T;
  /** The shared cache, for this request. */
  cache: Cache;
}

/** Other requests may wait for a load into the shared cache, so a load runs to its end after a disconnect. */
export function createRequestScope(sharedCache: Cache, signal: AbortSignal | undefined): RequestScope {
  if (!signal) return { whileConnected: (tool) => tool, cache: sharedCache };
  let shared = 0;
  const countShared =
    <A extends unknown[], T>(load: (...args: A) => Promise<T>) =>
    async (...args: A): Promise<T> => {
      shared += 1;
      try {
        return await load(...args);
      } finally {
        shared -= 1;
      }
    };
  return {
    whileConnected(tool) {
      if (signal.aborted && shared === 0) throw new Problem('TIMEOUT', 'The client has disconnected.');
      return tool;
    },
    cache: {
      ...sharedCache,
      cached: (key, ttlSeconds, load, keeping) => sharedCache.cached(key, ttlSeconds, countShared(load), keeping),
      cachedMany: (ids, many) => sharedCache.cachedMany(ids, { ...many, load: countShared(many.load) }),
    },
  };
}

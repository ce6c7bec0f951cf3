import type { Cache } from '../cache/cache.ts';
import { Problem } from '../base/errors.ts';

/** Hands a request its tools as long as somebody waits for its answer. */
export interface Lending {
  /** Throws a Problem once its client has left: GraphQL itself does not stop between two fields. */
  lend: <T>(tool: T) => T;
  /** The cache of everybody, for this request. */
  cache: Cache;
}

/** What a request loads into a cache is waited for by others too, so that is loaded to its end whoever leaves. */
export function createLending(everybodys: Cache, signal: AbortSignal | undefined): Lending {
  if (!signal) return { lend: (tool) => tool, cache: everybodys };
  let shared = 0;
  const forEverybody =
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
    lend(tool) {
      if (signal.aborted && shared === 0) throw new Problem('TIMEOUT', 'Nobody waits for the answer any more.');
      return tool;
    },
    cache: {
      ...everybodys,
      cached: (key, ttlSeconds, load, keeping) => everybodys.cached(key, ttlSeconds, forEverybody(load), keeping),
      cachedMany: (ids, many) => everybodys.cachedMany(ids, { ...many, load: forEverybody(many.load) }),
    },
  };
}

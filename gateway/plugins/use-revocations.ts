import { LRUCache } from 'lru-cache';
import type { Log } from '#shared/base/log.ts';
import type { Viewer } from '#shared/base/identity.ts';

/** True when the session was ended before its access tokens expired. */
export type IsRevoked = (sessionId: string) => Promise<boolean>;

interface RevocationOptions {
  redis: { exists: (key: string) => Promise<number> };
  /** Key prefix in Redis. Default none. */
  prefix?: string;
  log: Log;
}

/** How long a lookup is cached. */
const CACHE_MS = 2_000;
const MAX_CACHED_SESSIONS = 50_000;

/**
 * Looks ended sessions up under `sessions:revoked:<sid>`. When Redis fails, sessions stay valid: access tokens live for minutes only, and
 * the next refresh fails without Redis anyway.
 */
export function useRevocations({ redis, prefix = '', log }: RevocationOptions): IsRevoked {
  const lookups = new LRUCache<string, Promise<boolean>>({ max: MAX_CACHED_SESSIONS, ttl: CACHE_MS });
  const lookUp = async (sessionId: string): Promise<boolean> => {
    try {
      return (await redis.exists(`${prefix}sessions:revoked:${sessionId}`)) > 0;
    } catch (error) {
      log.warn({ err: error }, 'ended sessions cannot be looked up; they are let in until their tokens expire');
      return false;
    }
  };
  return (sessionId) => {
    let lookup = lookups.get(sessionId);
    if (!lookup) lookups.set(sessionId, (lookup = lookUp(sessionId)));
    return lookup;
  };
}

export const isEnded = async (viewer: Viewer | null, isRevoked: IsRevoked | undefined): Promise<boolean> =>
  viewer?.sessionId !== undefined && isRevoked !== undefined && isRevoked(viewer.sessionId);

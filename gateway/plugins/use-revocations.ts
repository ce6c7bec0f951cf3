import { LRUCache } from 'lru-cache';
import type { Log } from '#shared/base/log.ts';
import type { Viewer } from '#shared/base/identity.ts';

/** True when the session was ended before its access tokens expired. */
export type IsRevoked = (sessionId: string) => Promise<boolean>;

interface RevocationOptions {
  redis: { exists: (key: string) => Promise<number> };
  /** Goes before every key. Default none. */
  prefix?: string;
  log: Log;
}

/** How long an answer is taken for granted. */
const CACHE_MS = 2_000;
const REMEMBERED = 50_000;

/**
 * Looks ended sessions up under `sessions:revoked:<sid>`. When Redis does not answer, nobody is locked out: an access token lives for
 * minutes only, and without Redis the refresh that would follow is refused anyway.
 */
export function useRevocations({ redis, prefix = '', log }: RevocationOptions): IsRevoked {
  const answers = new LRUCache<string, Promise<boolean>>({ max: REMEMBERED, ttl: CACHE_MS });
  const ask = async (sessionId: string): Promise<boolean> => {
    try {
      return (await redis.exists(`${prefix}sessions:revoked:${sessionId}`)) > 0;
    } catch (error) {
      log.warn({ err: error }, 'ended sessions cannot be looked up; they are let in until their tokens expire');
      return false;
    }
  };
  return (sessionId) => {
    let answer = answers.get(sessionId);
    if (!answer) answers.set(sessionId, (answer = ask(sessionId)));
    return answer;
  };
}

export const isEnded = async (viewer: Viewer | null, isRevoked: IsRevoked | undefined): Promise<boolean> =>
  viewer?.sessionId !== undefined && isRevoked !== undefined && isRevoked(viewer.sessionId);

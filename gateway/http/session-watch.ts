import { isEnded, type IsRevoked } from '../plugins/use-revocations.ts';
import type { Session } from '../plugins/use-viewer.ts';

interface WatchOptions {
  isRevoked?: IsRevoked | undefined;
  /** Interval of the revocation check. */
  everyMs: number;
}

export interface SessionWatch {
  /** Calls `end` once the access token has expired or the session was ended. Returns a function that stops watching. */
  watch: (session: Session, end: (reason: string) => void) => () => void;
  stop: () => void;
}

/** setTimeout takes 32 bits. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Ends everything that stays open when its access token expires or its session ends. */
export function createSessionWatch({ isRevoked, everyMs }: WatchOptions): SessionWatch {
  const watched = new Map<(reason: string) => void, Session>();
  const endAll = (): void => {
    for (const [end, { viewer }] of watched) {
      void isEnded(viewer, isRevoked).then((ended) => ended && watched.has(end) && end('The session has ended'));
    }
  };
  const timer = setInterval(endAll, everyMs).unref();

  return {
    watch(session, end) {
      watched.set(end, session);
      const expiry = at(session.expiresAt, () => end('The access token has expired'));
      return () => {
        clearTimeout(expiry);
        watched.delete(end);
      };
    },
    stop: () => clearInterval(timer),
  };
}

function at(time: number, act: () => void): NodeJS.Timeout | undefined {
  const wait = time - Date.now();
  return wait > MAX_TIMER_MS ? undefined : setTimeout(act, Math.max(0, wait)).unref();
}

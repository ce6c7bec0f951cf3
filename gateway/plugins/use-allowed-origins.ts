import type { IncomingHttpHeaders } from 'node:http';
import type { Log } from '#shared/base/log.ts';

/** In the list it stands for pages of this machine, on any port. */
export const LOCALHOST = 'localhost';

const LOCAL_NAMES = new Set([LOCALHOST, '127.0.0.1', '[::1]']);
/** Refused origins that are logged. Browsers repeat preflight requests, and origins can be made up. */
const MAX_LOGGED_ORIGINS = 100;

/**
 * Allows the pages that the gateway serves itself, and the listed origins. Programs send no origin and always pass; a browser cannot leave
 * it out. Each refused origin is logged once.
 */
export function useAllowedOrigins(allowed: readonly string[], log?: Pick<Log, 'warn'>): (headers: IncomingHttpHeaders) => boolean {
  const list = new Set(allowed.filter((origin) => origin !== LOCALHOST).map((origin) => new URL(origin).origin));
  const allowsLocal = allowed.includes(LOCALHOST);
  const logged = new Set<string>();

  const isAllowed = (origin: string, host: string | undefined): boolean =>
    list.has(origin) || (allowsLocal && isLocal(origin)) || (host !== undefined && isSame(origin, host));

  return ({ origin, host }) => {
    if (origin === undefined || isAllowed(origin, host)) return true;
    if (log && !logged.has(origin) && logged.size < MAX_LOGGED_ORIGINS) {
      logged.add(origin);
      log.warn({ origin }, 'CORS: a web page of this origin was refused; CORS_ORIGINS lists the origins that may call');
    }
    return false;
  };
}

const isSame = (origin: string, host: string): boolean => URL.canParse(origin) && new URL(origin).host === host.toLowerCase();

const isLocal = (origin: string): boolean =>
  URL.canParse(origin) && /^https?:$/.test(new URL(origin).protocol) && LOCAL_NAMES.has(new URL(origin).hostname);

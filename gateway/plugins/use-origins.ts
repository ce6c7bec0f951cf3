import type { IncomingHttpHeaders } from 'node:http';

/**
 * Which web pages may talk to the gateway: those it serves itself, and those on the list. Programs send no origin and are not concerned;
 * a browser cannot leave it out.
 */
export function useOrigins(allowed: readonly string[]): (headers: IncomingHttpHeaders) => boolean {
  const list = new Set(allowed.map((origin) => new URL(origin).origin));
  return ({ origin, host }) => origin === undefined || list.has(origin) || (host !== undefined && isSame(origin, host));
}

const isSame = (origin: string, host: string): boolean => URL.canParse(origin) && new URL(origin).host === host.toLowerCase();

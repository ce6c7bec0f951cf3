import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import type { Identity } from '../../shared/identity.ts';

const LONGEST_USER_AGENT = 300;

/**
 * Address and user agent of who is at the other end. `x-forwarded-for` counts only as far as `trustedProxies` of our own have added to
 * it, seen from its end; anything before that is what the client wrote itself.
 */
export function useClient({ trustedProxies }: { trustedProxies: number }): (request: IncomingMessage) => NonNullable<Identity['client']> {
  return ({ headers, socket }) => {
    const added = trustedProxies > 0 ? addressesIn(headers['x-forwarded-for']).slice(-trustedProxies)[0] : undefined;
    return { ip: added ?? socket.remoteAddress, userAgent: headers['user-agent']?.slice(0, LONGEST_USER_AGENT) };
  };
}

const addressesIn = (forwarded: string | string[] | undefined): string[] =>
  String(forwarded ?? '')
    .split(',')
    .map((part) => part.trim())
    .filter((part) => isIP(part) !== 0);

import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import type { Identity } from '#shared/base/identity.ts';
import type { Log } from '#shared/base/log.ts';

const MAX_USER_AGENT_LENGTH = 300;

/**
 * Address and user agent of the client. Only the last `trustedProxies` entries of `x-forwarded-for` count; the client may have written any
 * before them.
 */
export function useClient({ trustedProxies }: { trustedProxies: number }): (request: IncomingMessage) => NonNullable<Identity['client']> {
  return ({ headers, socket }) => {
    const added = trustedProxies > 0 ? addressIn(entriesIn(headers['x-forwarded-for']).slice(-trustedProxies)[0]) : undefined;
    return { ip: added ?? socket.remoteAddress, userAgent: headers['user-agent']?.slice(0, MAX_USER_AGENT_LENGTH) };
  };
}

const UNTRUSTED =
  'requests come through a proxy, and TRUST_PROXY is 0: all callers look like one address, and its limits of guesses and registrations are those of everybody. Set TRUST_PROXY to the number of your proxies.';

/** A hook that warns once, on the first forwarded request, that no proxy is trusted. */
export function proxyWarning(log: Pick<Log, 'warn'>) {
  let isSaid = false;
  return ({ headers }: Pick<IncomingMessage, 'headers'>, _reply: unknown, done: () => void): void => {
    if (!isSaid && (headers['x-forwarded-for'] || headers['forwarded'])) {
      isSaid = true;
      log.warn(UNTRUSTED);
    }
    done();
  };
}

const entriesIn = (forwarded: string | string[] | undefined): string[] =>
  String(forwarded ?? '')
    .split(',')
    .map((part) => part.trim())
    .filter(Boolean);

/** Some proxies add the port: `203.0.113.7:4100`, `[2001:db8::1]:4100`. Undefined for what is no address. */
function addressIn(entry: string | undefined): string | undefined {
  const bare = entry?.replace(/^\[(.*)\](?::\d+)?$/, '$1').replace(/^(\d+\.\d+\.\d+\.\d+):\d+$/, '$1');
  return bare !== undefined && isIP(bare) !== 0 ? bare : undefined;
}

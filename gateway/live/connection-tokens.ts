import { randomBytes } from 'node:crypto';
import { Problem } from '#shared/base/errors.ts';
import { SharedConnection } from './shared-connection.ts';

/** The owner of a connection. */
interface ConnectionOwner {
  /** Only this principal may use the connection. */
  principal: string;
  /** Connections are counted per caller. */
  caller: string;
}

/** Reserved connections by token. */
export interface ConnectionTokens {
  /** Returns a token that cannot be guessed; calls `onClose` when its connection is over. Throws a Problem when the caller has too many. */
  make: (party: ConnectionOwner, onClose?: () => void) => string;
  /** Undefined when the token is unknown, has expired, or belongs to another principal. */
  find: (token: string, principal: string) => SharedConnection | undefined;
}

const TOKEN_BYTES = 24;
/** Many clients may share an address. */
const MAX_CONNECTIONS_PER_CALLER = 50;
/** A client opens its stream right after it got the token, or not at all. */
export const MAX_UNUSED_MS = 30_000;

export function createConnectionTokens(): ConnectionTokens {
  const reserved = new Map<string, { principal: string; connection: SharedConnection }>();
  const counts = new Map<string, number>();
  const count = (caller: string, by: 1 | -1): void => {
    const now = (counts.get(caller) ?? 0) + by;
    if (now === 0) counts.delete(caller);
    else counts.set(caller, now);
  };

  return {
    make({ principal, caller }, onClose = () => undefined) {
      if ((counts.get(caller) ?? 0) >= MAX_CONNECTIONS_PER_CALLER) {
        onClose();
        throw new Problem('TOO_MANY_OPERATIONS', `A caller has at most ${MAX_CONNECTIONS_PER_CALLER} connections.`, { retryable: true });
      }
      const token = randomBytes(TOKEN_BYTES).toString('base64url');
      const connection = new SharedConnection(() => {
        clearTimeout(expiry);
        reserved.delete(token);
        count(caller, -1);
        onClose();
      });
      const expiry = setTimeout(() => connection.isOpen || connection.close(), MAX_UNUSED_MS).unref();
      reserved.set(token, { principal, connection });
      count(caller, 1);
      return token;
    },
    find(token, principal) {
      const found = reserved.get(token);
      return found?.principal === principal ? found.connection : undefined;
    },
  };
}

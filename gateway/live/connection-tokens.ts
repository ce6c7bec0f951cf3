import { randomBytes } from 'node:crypto';
import { Problem } from '#shared/base/errors.ts';
import { SharedConnection } from './shared-connection.ts';

/** Who may have a connection. */
interface Party {
  /** It is theirs alone. */
  principal: string;
  /** Whose connections are counted together. */
  caller: string;
}

/** Connections that clients have asked for, by what they show to get theirs. */
export interface ConnectionTokens {
  /** A token that nobody can guess; `onClose` is called when its connection is over. Throws a Problem when the caller has too many. */
  make: (party: Party, onClose?: () => void) => string;
  /** Undefined when there is none any more, or it is another principal's. */
  find: (token: string, principal: string) => SharedConnection | undefined;
}

const TOKEN_BYTES = 24;
/** An address may stand for many people. */
const MOST_PER_CALLER = 50;
/** A client comes at once, or not at all. */
export const UNUSED_MS = 30_000;

export function keepConnectionTokens(): ConnectionTokens {
  const reserved = new Map<string, { principal: string; connection: SharedConnection }>();
  const counts = new Map<string, number>();
  const count = (caller: string, by: 1 | -1): void => {
    const now = (counts.get(caller) ?? 0) + by;
    if (now === 0) counts.delete(caller);
    else counts.set(caller, now);
  };

  return {
    make({ principal, caller }, onClose = () => undefined) {
      if ((counts.get(caller) ?? 0) >= MOST_PER_CALLER)
        throw new Problem('TOO_MANY_OPERATIONS', `A caller has at most ${MOST_PER_CALLER} connections.`, { retryable: true });
      const token = randomBytes(TOKEN_BYTES).toString('base64url');
      const connection = new SharedConnection(() => {
        clearTimeout(expiry);
        reserved.delete(token);
        count(caller, -1);
        onClose();
      });
      const expiry = setTimeout(() => connection.isOpen || connection.close(), UNUSED_MS).unref();
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

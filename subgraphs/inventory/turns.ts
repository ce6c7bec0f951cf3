import type { ClientSession } from 'mongoose';
import { unavailable } from '#shared/base/errors.ts';

interface Asking {
  deadline: number;
  /** Goes before all that wait without it: for what gives pieces back, or ends what others wait behind. Default false. */
  first?: boolean;
}

export interface Turns {
  /**
   * Waits until every transaction of this process that asked before for one of these keys has ended, and holds the keys until the session
   * ends. Call it before the first read of the transaction: the snapshot is then as young as can be. A repeated attempt keeps its turn.
   */
  take(session: ClientSession, keys: string[], asking: Asking): Promise<void>;
}

interface Waiting {
  keys: ReadonlySet<string>;
  begin: () => void;
}

/**
 * Transactions that want the same pieces go one after the other instead of failing on each other and trying again. This saves time only: no
 * promise hangs on it. Between processes, the filters of the updates and the store's write conflicts decide.
 */
export function createTurns(): Turns {
  const taken = new WeakSet<ClientSession>();
  const held = new Set<string>();
  const [first, others] = [new Set<Waiting>(), new Set<Waiting>()];

  /** All keys of one are given in one step, so that no two wait for each other in a circle; nobody is passed by who came later. */
  function give(): void {
    const blocked = new Set(held);
    for (const line of [first, others]) {
      for (const waiting of line) {
        const isFree = blocked.isDisjointFrom(waiting.keys);
        for (const key of waiting.keys) blocked.add(key);
        if (!isFree) continue;
        line.delete(waiting);
        for (const key of waiting.keys) held.add(key);
        waiting.begin();
      }
    }
  }

  return {
    async take(session, keys, { deadline, first: goesFirst = false }) {
      if (taken.has(session)) return;
      taken.add(session);
      const line = goesFirst ? first : others;
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const waiting: Waiting = { keys: new Set(keys), begin: resolve };
      line.add(waiting);
      session.once('ended', () => {
        if (!line.delete(waiting)) for (const key of waiting.keys) held.delete(key);
        give();
      });
      give();
      if (!line.has(waiting)) return;
      // A turn that comes after the caller has given up is worth nothing.
      const timer = setTimeout(() => reject(unavailable('stock')), Math.max(0, deadline - Date.now()));
      await promise.finally(() => clearTimeout(timer));
    },
  };
}

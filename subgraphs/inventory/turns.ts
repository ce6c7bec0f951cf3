import type { ClientSession } from 'mongoose';
import { unavailable } from '../../shared/errors.ts';

export interface Turns {
  /**
   * Waits until every transaction of this process that asked before for one of these keys has ended, and holds the keys until the session
   * ends. Call it before the first read of the transaction: the snapshot is then as young as can be. A repeated attempt keeps its turn.
   */
  take(session: ClientSession, keys: string[], deadline: number): Promise<void>;
}

/**
 * Transactions that want the same pieces go one after the other instead of failing on each other and trying again. This saves time only: no
 * promise hangs on it. Between processes, the filters of the updates and the store's write conflicts decide.
 */
export function createTurns(): Turns {
  const last = new Map<string, Promise<void>>();
  const holding = new WeakSet<ClientSession>();

  return {
    async take(session, keys, deadline) {
      if (holding.has(session)) return;
      holding.add(session);
      const wanted = [...new Set(keys)];
      const before = Promise.all(wanted.map(async (key) => last.get(key)));
      const ended = new Promise<void>((resolve) => session.once('ended', () => resolve()));
      // All keys are asked for in one step, so that no two wait for each other in a circle.
      const mine = Promise.all([before, ended]).then(() => undefined);
      for (const key of wanted) last.set(key, mine);
      void mine.then(() => {
        for (const key of wanted) if (last.get(key) === mine) last.delete(key);
      });
      await within(before, deadline);
    },
  };
}

/** A turn that comes after the caller has given up is worth nothing. */
async function within(turn: Promise<unknown>, deadline: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(unavailable('stock')), Math.max(0, deadline - Date.now()));
  });
  try {
    await Promise.race([turn, late]);
  } finally {
    clearTimeout(timer);
  }
}

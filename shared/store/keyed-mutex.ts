import type { ClientSession } from 'mongoose';
import { unavailable } from '../base/errors.ts';

interface AcquireOptions {
  deadline: number;
  /** True: passes all waiters without it. For a transaction that frees what others wait for. Default false. */
  first?: boolean;
}

export interface KeyedMutex {
  /**
   * Waits until every earlier transaction of this process with one of these keys has ended, then holds the keys until the session ends. Call it
   * before the first read of the transaction, so that the snapshot is as young as possible. A repeated attempt keeps the keys.
   */
  acquire(session: ClientSession, keys: string[], asking: AcquireOptions): Promise<void>;
}

interface Waiter {
  keys: ReadonlySet<string>;
  begin: () => void;
}

/**
 * An in-process lock by key: transactions with a common key run one after the other, instead of failing on write conflicts and retrying. This
 * saves time and promises nothing: between processes, the filters of the updates and the store's write conflicts decide. `noun` names what is
 * locked in the `unavailable` Problem of a waiter whose deadline passes.
 */
export function createKeyedMutex(noun: string): KeyedMutex {
  const taken = new WeakSet<ClientSession>();
  const held = new Set<string>();
  const [first, others] = [new Set<Waiter>(), new Set<Waiter>()];

  /** A waiter gets all its keys in one step, so that no two wait for each other in a circle. A later waiter never overtakes one with a common key. */
  function grant(): void {
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
    async acquire(session, keys, { deadline, first: goesFirst = false }) {
      if (taken.has(session)) return;
      taken.add(session);
      const line = goesFirst ? first : others;
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const waiting: Waiter = { keys: new Set(keys), begin: resolve };
      line.add(waiting);
      session.once('ended', () => {
        if (!line.delete(waiting)) for (const key of waiting.keys) held.delete(key);
        grant();
      });
      grant();
      if (!line.has(waiting)) return;
      // After the deadline the caller does not need the lock.
      const timer = setTimeout(() => reject(unavailable(noun)), Math.max(0, deadline - Date.now()));
      await promise.finally(() => clearTimeout(timer));
    },
  };
}

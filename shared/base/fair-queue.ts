/** Who waits, by caller: they are taken in turn, so that what one of them has waiting keeps no other back. */
export interface FairQueue<T> {
  readonly size: number;
  sizeOf(caller: string): number;
  add(caller: string, item: T): void;
  /** The next of the caller whose turn it is. */
  take(): T | undefined;
  /** False when it does not wait any more. */
  remove(caller: string, item: T): boolean;
  /** All that wait; none of them do any more. */
  drain(): T[];
}

export function createFairQueue<T>(): FairQueue<T> {
  /** Whose turn comes next is first. */
  const waiting = new Map<string, Set<T>>();
  let size = 0;

  const remove = (caller: string, item: T): boolean => {
    const own = waiting.get(caller);
    if (!own?.delete(item)) return false;
    size -= 1;
    if (own.size === 0) waiting.delete(caller);
    return true;
  };

  return {
    get size() {
      return size;
    },
    sizeOf: (caller) => waiting.get(caller)?.size ?? 0,
    add(caller, item) {
      const own = waiting.get(caller);
      if (own) own.add(item);
      else waiting.set(caller, new Set([item]));
      size += 1;
    },
    take() {
      for (const [caller, own] of waiting) {
        const [item] = own;
        remove(caller, item!);
        if (waiting.delete(caller)) waiting.set(caller, own);
        return item;
      }
      return undefined;
    },
    remove,
    drain() {
      const all = [...waiting.values()].flatMap((own) => [...own]);
      waiting.clear();
      size = 0;
      return all;
    },
  };
}

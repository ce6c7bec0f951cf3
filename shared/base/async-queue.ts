export interface Channel<T> {
  /** Hands a value over; nothing happens after the end. */
  push: (value: T) => void;
  /** Ends after what is queued and, if given, one last value. */
  end: (last?: T) => void;
  readonly values: AsyncGenerator<T, void, void>;
}

interface ChannelOptions<T> {
  /** Values that may wait for a slow reader. */
  limit: number;
  /** The last value a reader gets who was too slow; what still waited is dropped. */
  tooSlow: () => T;
  /** Called once, when the reader leaves or the channel ends: the source may stop. */
  onDone: () => void;
}

/** Turns pushes into an async generator. Bounded, so that a slow reader loses its stream instead of the process its memory. */
export function createChannel<T>({ limit, tooSlow, onDone }: ChannelOptions<T>): Channel<T> {
  let queue: T[] = [];
  let ended = false;
  let waiting: ((result: IteratorResult<T, void>) => void)[] = [];

  const finish = (): void => {
    if (ended) return;
    ended = true;
    for (const resolve of waiting) resolve({ done: true, value: undefined });
    waiting = [];
    onDone();
  };
  const deliver = (value: T): void => {
    const next = waiting.shift();
    if (next) next({ done: false, value });
    else queue.push(value);
  };
  const leave = async (): Promise<IteratorResult<T, void>> => {
    queue = [];
    finish();
    return { done: true, value: undefined };
  };

  const values: AsyncGenerator<T, void, void> = {
    [Symbol.asyncIterator]: () => values,
    [Symbol.asyncDispose]: async () => void (await leave()),
    next() {
      if (queue.length > 0) return Promise.resolve({ done: false, value: queue.shift() as T });
      if (ended) return Promise.resolve({ done: true, value: undefined });
      return new Promise((resolve) => waiting.push(resolve));
    },
    return: leave,
    throw: async (error: unknown) => {
      await leave();
      throw error;
    },
  };

  return {
    values,
    push(value) {
      if (ended) return;
      if (queue.length < limit) return deliver(value);
      queue = [tooSlow()];
      finish();
    },
    end(last) {
      if (ended) return;
      if (last !== undefined) deliver(last);
      finish();
    },
  };
}

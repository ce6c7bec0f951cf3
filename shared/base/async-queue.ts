export interface AsyncQueue<T> {
  /** Adds a value; ignored after the end. */
  push: (value: T) => void;
  /** Ends the queue after the waiting values and, if given, one last value. */
  end: (last?: T) => void;
  readonly values: AsyncGenerator<T, void, void>;
}

interface AsyncQueueOptions<T> {
  /** Maximum of waiting values. */
  limit: number;
  /** Makes the last value of a slow reader, in place of the waiting ones. */
  overflow: () => T;
  /** Called once, when the reader returns or the queue ends: the source may stop. */
  onDone: () => void;
}

/** Turns pushes into an async generator. Bounded, so that a slow reader loses its stream instead of the process its memory. */
export function createAsyncQueue<T>({ limit, overflow, onDone }: AsyncQueueOptions<T>): AsyncQueue<T> {
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
      queue = [overflow()];
      finish();
    },
    end(last) {
      if (ended) return;
      if (last !== undefined) deliver(last);
      finish();
    },
  };
}

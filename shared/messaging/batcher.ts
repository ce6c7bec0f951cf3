interface Waiting<T> {
  item: T;
  resolve(): void;
  reject(error: unknown): void;
}

interface BatcherOptions<T> {
  max: number;
  waitMs: number;
  /** Handles a batch; all of it or nothing. */
  run(items: T[]): Promise<void>;
}

/**
 * Collects items into batches of at most `max`, which begin after `waitMs` at the latest, one at a time. When a batch fails, its items are
 * handled one by one, and each promise ends as its own item did.
 */
export function createBatcher<T>({ max, waitMs, run }: BatcherOptions<T>) {
  const waiting: Waiting<T>[] = [];
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> = Promise.resolve();

  function flush(): void {
    clearTimeout(timer);
    timer = undefined;
    const batch = waiting.splice(0, max);
    if (batch.length > 0) running = running.then(() => handle(batch));
    if (waiting.length > 0) timer = setTimeout(flush, waitMs);
  }

  async function handle(batch: Waiting<T>[]): Promise<void> {
    try {
      await run(batch.map(({ item }) => item));
      for (const { resolve } of batch) resolve();
    } catch (error) {
      if (batch.length === 1) batch[0]!.reject(error);
      else for (const each of batch) await handle([each]);
    }
  }

  return {
    add: (item: T): Promise<void> =>
      new Promise((resolve, reject) => {
        waiting.push({ item, resolve, reject });
        if (waiting.length >= max) flush();
        else timer ??= setTimeout(flush, waitMs);
      }),
  };
}

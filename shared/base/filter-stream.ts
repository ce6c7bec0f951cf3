/** A stream that can say where it begins. */
export interface Positioned {
  /** The cursor before the first entry; undefined when there is none. */
  position(): Promise<string | undefined>;
}

type Source<T> = AsyncIterableIterator<T> & Partial<Positioned>;

/**
 * Only the entries that `keep` lets through; what it throws ends the stream. Unlike a generator it can be ended at once, while it waits for the
 * next one.
 */
export function filtered<T>(source: Source<T>, keep: (entry: T) => boolean | Promise<boolean>): AsyncIterableIterator<T> & Positioned {
  return {
    [Symbol.asyncIterator]() {
      return this;
    },
    position: async () => source.position?.(),
    async next() {
      for (;;) {
        const result = await source.next();
        if (result.done) return result;
        try {
          if (await keep(result.value)) return result;
        } catch (error) {
          await source.return?.();
          throw error;
        }
      }
    },
    async return() {
      await source.return?.();
      return { done: true, value: undefined };
    },
  };
}

/** A stream that knows its start. */
export interface Positioned {
  /** The cursor before the first entry; undefined when there is none. */
  position(): Promise<string | undefined>;
}

type Source<T> = AsyncIterableIterator<T> & Partial<Positioned>;

/**
 * The entries that pass `keep`; an error in it ends the stream. Unlike a generator, the stream can be ended while it waits for an entry.
 */
export function filterStream<T>(source: Source<T>, keep: (entry: T) => boolean | Promise<boolean>): AsyncIterableIterator<T> & Positioned {
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

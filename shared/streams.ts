/** A stream that can say where it begins. */
export interface Positioned {
  /** The cursor before the first entry; undefined when there is none. */
  position(): Promise<string | undefined>;
}

/** Only the entries that `keep` lets through. Unlike a generator it can be ended at once, while it waits for the next one. */
export function filtered<T>(
  source: AsyncIterableIterator<T> & Partial<Positioned>,
  keep: (entry: T) => boolean,
): AsyncIterableIterator<T> & Positioned {
  return {
    [Symbol.asyncIterator]() {
      return this;
    },
    position: async () => source.position?.(),
    async next() {
      for (;;) {
        const result = await source.next();
        if (result.done || keep(result.value)) return result;
      }
    },
    async return() {
      await source.return?.();
      return { done: true, value: undefined };
    },
  };
}

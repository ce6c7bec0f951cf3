/** Only the entries that `keep` lets through. Unlike a generator it can be ended at once, while it waits for the next one. */
export function filtered<T>(source: AsyncIterableIterator<T>, keep: (entry: T) => boolean): AsyncIterableIterator<T> {
  return {
    [Symbol.asyncIterator]() {
      return this;
    },
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

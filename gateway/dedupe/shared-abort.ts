/** One abort signal for several callers that wait for the same work. */
export class SharedAbort {
  readonly #controller = new AbortController();
  #waiting = 0;

  /** Aborted when the last caller has disconnected. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Adds a caller. A caller without a signal never disconnects, so the work is never aborted. */
  add(signal: AbortSignal | undefined): void {
    this.#waiting += 1;
    if (signal?.aborted) this.#remove();
    else signal?.addEventListener('abort', () => this.#remove(), { once: true });
  }

  #remove(): void {
    this.#waiting -= 1;
    if (this.#waiting === 0) this.#controller.abort();
  }
}

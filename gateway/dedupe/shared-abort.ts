/** Those who wait for one thing. */
export class Audience {
  readonly #controller = new AbortController();
  #present = 0;

  /** Aborted when the last of them has gone. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Someone who has no signal never goes. */
  add(signal: AbortSignal | undefined): void {
    this.#present += 1;
    if (signal?.aborted) this.#leave();
    else signal?.addEventListener('abort', () => this.#leave(), { once: true });
  }

  #leave(): void {
    this.#present -= 1;
    if (this.#present === 0) this.#controller.abort();
  }
}

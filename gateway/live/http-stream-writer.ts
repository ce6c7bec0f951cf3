import type { ServerResponse } from 'node:http';
import { Problem } from '#shared/base/errors.ts';
import type { Format } from './formats.ts';
import type { ClosableSink } from './stream-response.ts';

/** How long a client may take to read the error before its connection is destroyed. */
const CLOSE_GRACE_MS = 5_000;

/** Writes a stream into one HTTP response. */
export class HttpStreamWriter implements ClosableSink {
  readonly #response: ServerResponse;
  readonly #format: Format;
  /** Errors as clients see them, serialised. */
  readonly #describe: (reason: Error) => string;

  constructor(response: ServerResponse, format: Format, describe: (reason: Error) => string) {
    this.#response = response;
    this.#format = format;
    this.#describe = describe;
    response.write(format.start);
  }

  get unsentBytes(): number {
    return this.#response.writableLength;
  }

  /** `writable` of a response, unlike that of other streams, does not say whether it has ended. */
  get #isOpen(): boolean {
    return !this.#response.writableEnded && !this.#response.destroyed;
  }

  send(text: string, onSent?: () => void): void {
    if (this.#isOpen) this.#response.write(this.#format.event(text), onSent);
  }

  heartbeat(): void {
    // A client with unread data gets no heartbeat: it knows that the stream is alive.
    if (this.#isOpen && this.unsentBytes === 0) this.#response.write(this.#format.heartbeat);
  }

  end(): void {
    if (this.#isOpen) this.#response.end(this.#format.end);
  }

  /** Sends the reason to the client and ends the stream. */
  fail(reason: Error): void {
    if (!this.#isOpen) return;
    this.#response.end(`${this.#format.failure(this.#describe(reason))}${this.#format.end}`);
    setTimeout(() => this.#response.destroy(), CLOSE_GRACE_MS).unref();
  }

  closeSlow(): void {
    this.fail(
      new Problem('SLOW_CONSUMER', 'The stream was read too slowly; resume it after the last cursor you have.', { retryable: true }),
    );
  }

  /** Ends the response without the end of the stream. */
  destroy(): void {
    this.#response.destroy();
  }

  /** Calls back when nothing can be written any more, whichever side ended the stream. */
  closed(act: () => void): void {
    if (this.#response.closed) act();
    else this.#response.once('close', act);
  }
}

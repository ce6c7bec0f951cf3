import type { ServerResponse } from 'node:http';
import { Problem } from '#shared/base/errors.ts';
import type { Format } from './formats.ts';
import type { ClosableLine } from './stream-response.ts';

/** How long a client that was told off may take to read it. */
const GOODBYE_MS = 5_000;

/** A stream in the response of one request. */
export class HttpLine implements ClosableLine {
  readonly #response: ServerResponse;
  readonly #format: Format;
  /** Errors as clients get them, serialised. */
  readonly #describe: (reason: Error) => string;

  constructor(response: ServerResponse, format: Format, describe: (reason: Error) => string) {
    this.#response = response;
    this.#format = format;
    this.#describe = describe;
    response.write(format.start);
  }

  get waiting(): number {
    return this.#response.writableLength;
  }

  /** Other than of streams, `writable` of a response says nothing of whether it has ended. */
  get #isOpen(): boolean {
    return !this.#response.writableEnded && !this.#response.destroyed;
  }

  send(text: string, taken?: () => void): void {
    if (this.#isOpen) this.#response.write(this.#format.event(text), taken);
  }

  beat(): void {
    // Who does not keep up knows already that the stream is alive.
    if (this.#isOpen && this.waiting === 0) this.#response.write(this.#format.heartbeat);
  }

  end(): void {
    if (this.#isOpen) this.#response.end(this.#format.end);
  }

  /** Tells the client why the stream ends, and ends it. */
  fail(reason: Error): void {
    if (!this.#isOpen) return;
    this.#response.end(`${this.#format.failure(this.#describe(reason))}${this.#format.end}`);
    setTimeout(() => this.#response.destroy(), GOODBYE_MS).unref();
  }

  cut(): void {
    this.fail(
      new Problem('SLOW_CONSUMER', 'The stream was read too slowly; resume it after the last cursor you have.', { retryable: true }),
    );
  }

  /** Ends the response without the end of the stream. */
  breakOff(): void {
    this.#response.destroy();
  }

  /** Calls back once nothing can be written any more, whoever ended it. */
  closed(act: () => void): void {
    if (this.#response.closed) act();
    else this.#response.once('close', act);
  }
}

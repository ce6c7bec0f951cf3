import { Problem } from '#shared/base/errors.ts';
import type { ClosableSink } from './stream-response.ts';
import { completeOf, nextOf } from './formats.ts';
import type { HttpStreamWriter } from './http-stream-writer.ts';

/** Bytes that may wait for a client before its connection is closed. Send queues hold events back long before. */
const MAX_UNREAD_BYTES = 4 * 1024 * 1024;
/** The same before the client has opened the stream. */
const MAX_EARLY_BYTES = 256 * 1024;

interface OperationOptions {
  maxOperations: number;
  /** Errors as clients see them, serialised. */
  describe: (reason: Error) => string;
}

/** Carries the operations of many requests over one response. The response may be opened after the first operation. */
export class SharedConnection {
  readonly #operations = new Map<string, OperationSink>();
  readonly #onClose: () => void;
  readonly #early: [text: string, onSent?: () => void][] = [];
  #earlyLength = 0;
  #sink: HttpStreamWriter | undefined;
  #isClosed = false;

  constructor(onClose: () => void) {
    this.#onClose = onClose;
  }

  get isOpen(): boolean {
    return this.#sink !== undefined;
  }

  get ids(): Iterable<string> {
    return this.#operations.keys();
  }

  /** Bytes the client has not taken yet; infinite until the stream is open. */
  get unsentBytes(): number {
    return this.#sink?.unsentBytes ?? Number.POSITIVE_INFINITY;
  }

  /** Connects the client's stream. */
  open(sink: HttpStreamWriter): void {
    this.#sink = sink;
    sink.closed(() => this.close());
    for (const [text, onSent] of this.#early.splice(0)) sink.send(text, onSent);
  }

  /** Starts an operation. Throws a Problem when its id is in use or the connection is full. */
  startOperation(id: string, { maxOperations, describe }: OperationOptions): OperationSink {
    if (this.#operations.has(id)) throw new Problem('BAD_REQUEST', 'There is an operation of this id already.');
    if (this.#operations.size >= maxOperations)
      throw new Problem('TOO_MANY_OPERATIONS', `A connection carries at most ${maxOperations} operations at a time.`, { retryable: true });
    const operation = new OperationSink(id, this, describe);
    this.#operations.set(id, operation);
    operation.closed(() => this.#operations.delete(id));
    return operation;
  }

  /** The client stops an operation. */
  stop(id: string): void {
    this.#operations.get(id)?.close();
  }

  write(text: string, onSent?: () => void): void {
    if (this.#sink ? this.#sink.unsentBytes > MAX_UNREAD_BYTES : this.#earlyLength + text.length > MAX_EARLY_BYTES) return this.closeSlow();
    if (this.#sink) return this.#sink.send(text, onSent);
    this.#early.push([text, onSent]);
    this.#earlyLength += text.length;
  }

  /** The client reads too slowly, or never opened its stream. */
  closeSlow(): void {
    if (this.#sink) this.#sink.closeSlow();
    else this.close();
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const operation of this.#operations.values()) operation.close();
    this.#onClose();
  }
}

/** One operation on a shared connection. */
export class OperationSink implements ClosableSink {
  readonly #id: string;
  readonly #connection: SharedConnection;
  readonly #describe: (reason: Error) => string;
  #acts: (() => void)[] | undefined = [];

  constructor(id: string, connection: SharedConnection, describe: (reason: Error) => string) {
    this.#id = id;
    this.#connection = connection;
    this.#describe = describe;
  }

  get unsentBytes(): number {
    return this.#connection.unsentBytes;
  }

  send(text: string, onSent?: () => void): void {
    if (this.#acts) this.#connection.write(nextOf(this.#id, text), onSent);
  }

  end(): void {
    if (this.#acts) this.#connection.write(completeOf(this.#id));
    this.close();
  }

  fail(reason: Error): void {
    this.send(`{"errors":${this.#describe(reason)}}`);
    this.end();
  }

  closeSlow(): void {
    this.#connection.closeSlow();
  }

  closed(act: () => void): void {
    if (this.#acts) this.#acts.push(act);
    else act();
  }

  /** Ends the operation without a message, not even its completion. */
  close(): void {
    const acts = this.#acts ?? [];
    this.#acts = undefined;
    for (const act of acts) act();
  }
}

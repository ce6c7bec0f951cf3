import { Problem } from '#shared/base/errors.ts';
import type { ClosableLine } from './stream-response.ts';
import { completeOf, nextOf } from './formats.ts';
import type { HttpLine } from './http-stream-writer.ts';

/** Bytes of answers that wait for a client before it is left. Events are held back long before that. */
const MOST_UNREAD = 4 * 1024 * 1024;
/** The same before the client listens: nobody has shown that it will. */
const MOST_EARLY = 256 * 1024;

interface Beginning {
  /** Operations at a time. */
  most: number;
  /** Errors as clients get them, serialised. */
  describe: (reason: Error) => string;
}

/** What one client asks for by many requests, and is answered over one response, which may come later than what is asked. */
export class SharedConnection {
  readonly #operations = new Map<string, OperationLine>();
  readonly #onClose: () => void;
  readonly #early: [text: string, taken?: () => void][] = [];
  #earlyLength = 0;
  #line: HttpLine | undefined;
  #isClosed = false;

  constructor(onClose: () => void) {
    this.#onClose = onClose;
  }

  get isOpen(): boolean {
    return this.#line !== undefined;
  }

  get ids(): Iterable<string> {
    return this.#operations.keys();
  }

  /** Bytes the client has not taken yet. Before it listens, it keeps up with nothing. */
  get waiting(): number {
    return this.#line?.waiting ?? Number.POSITIVE_INFINITY;
  }

  /** Here is where the client listens. */
  open(line: HttpLine): void {
    this.#line = line;
    line.closed(() => this.close());
    for (const [text, taken] of this.#early.splice(0)) line.send(text, taken);
  }

  /** Where the answers to another operation go. Throws a Problem when its id is taken, or it is one too many. */
  begin(id: string, { most, describe }: Beginning): OperationLine {
    if (this.#operations.has(id)) throw new Problem('BAD_REQUEST', 'There is an operation of this id already.');
    if (this.#operations.size >= most)
      throw new Problem('TOO_MANY_OPERATIONS', `A connection carries at most ${most} operations at a time.`, { retryable: true });
    const operation = new OperationLine(id, this, describe);
    this.#operations.set(id, operation);
    operation.closed(() => this.#operations.delete(id));
    return operation;
  }

  /** The client does not want to hear of an operation any more. */
  stop(id: string): void {
    this.#operations.get(id)?.close();
  }

  write(text: string, taken?: () => void): void {
    if (this.#line ? this.#line.waiting > MOST_UNREAD : this.#earlyLength + text.length > MOST_EARLY) return this.cut();
    if (this.#line) return this.#line.send(text, taken);
    this.#early.push([text, taken]);
    this.#earlyLength += text.length;
  }

  /** The client reads too slowly, or has not come to read. */
  cut(): void {
    if (this.#line) this.#line.cut();
    else this.close();
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const operation of this.#operations.values()) operation.close();
    this.#onClose();
  }
}

/** The part of one operation in a shared connection. */
export class OperationLine implements ClosableLine {
  readonly #id: string;
  readonly #connection: SharedConnection;
  readonly #describe: (reason: Error) => string;
  #acts: (() => void)[] | undefined = [];

  constructor(id: string, connection: SharedConnection, describe: (reason: Error) => string) {
    this.#id = id;
    this.#connection = connection;
    this.#describe = describe;
  }

  get waiting(): number {
    return this.#connection.waiting;
  }

  send(text: string, taken?: () => void): void {
    if (this.#acts) this.#connection.write(nextOf(this.#id, text), taken);
  }

  end(): void {
    if (this.#acts) this.#connection.write(completeOf(this.#id));
    this.close();
  }

  fail(reason: Error): void {
    this.send(`{"errors":${this.#describe(reason)}}`);
    this.end();
  }

  cut(): void {
    this.#connection.cut();
  }

  closed(act: () => void): void {
    if (this.#acts) this.#acts.push(act);
    else act();
  }

  /** Nothing more is said of it, not even that it is over. */
  close(): void {
    const acts = this.#acts ?? [];
    this.#acts = undefined;
    for (const act of acts) act();
  }
}

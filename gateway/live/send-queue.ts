import type { Operation } from '../engine/types.ts';
import type { Counters } from './counters.ts';

/** Where the messages of one client go. */
export interface Sink {
  /** Bytes written but not taken by the client yet. */
  readonly unsentBytes: number;
  /** `onSent` is called when the client has taken this message and all before it. */
  send(text: string, onSent?: () => void): void;
  /** No message follows. */
  end(): void;
  /** Tells the client that it reads too slowly, and closes the connection. */
  closeSlow(): void;
}

/** A subscription that receives the results of a stream. */
export interface Listener {
  readonly operation: Operation;
  /** The next result, serialised. */
  next(text: string): void;
  /** No result follows. */
  end(): void;
  /** Set while the client lags; resolves when it has caught up or is gone. */
  readonly ready: Promise<void> | undefined;
}

interface SendQueueOptions {
  operation: Operation;
  sink: Sink;
  counters: Counters;
  /** True when a lagging client may skip to the latest event. */
  coalesces: boolean;
}

/** Bytes that may wait in the socket. Further messages wait here, where they can be coalesced and cost no copy. */
const MAX_UNSENT_BYTES = 64 * 1024;
const MAX_QUEUED_MESSAGES = 1_000;
const MAX_QUEUED_CHARACTERS = 1024 * 1024;

/** Bounded queue in front of one client. It keeps the order, and a slow client delays nobody else. */
export class SendQueue implements Listener {
  readonly operation: Operation;
  readonly #sink: Sink;
  readonly #counters: Counters;
  readonly #coalesces: boolean;
  /** `held` until the client may receive messages, `full` while it lags. */
  #state: 'held' | 'open' | 'full' | 'done' = 'held';
  #queue: string[] = NONE;
  #characters = 0;
  #ending = false;
  #readiness: PromiseWithResolvers<void> | undefined;

  constructor({ operation, sink, counters, coalesces }: SendQueueOptions) {
    this.operation = operation;
    this.#sink = sink;
    this.#counters = counters;
    this.#coalesces = coalesces;
    counters.open += 1;
  }

  get ready(): Promise<void> | undefined {
    if (this.#state !== 'full') return undefined;
    return (this.#readiness ??= Promise.withResolvers<void>()).promise;
  }

  /** Sends the messages received so far, and from now on each one at once. */
  start(): void {
    if (this.#state === 'held') this.#resume();
  }

  next(text: string): void {
    if (this.#state === 'open') this.#send(text);
    else if (this.#state !== 'done') this.#keep(text);
  }

  end(): void {
    if (this.#state === 'open') this.#finish();
    else this.#ending = true;
  }

  /** Drops the queue; nothing is sent any more. */
  stop(): void {
    if (this.#state === 'done') return;
    if (this.#state === 'full') this.#counters.lagging -= 1;
    this.#counters.open -= 1;
    this.#state = 'done';
    this.#queue = NONE;
    this.#readiness?.resolve();
  }

  #send(text: string): void {
    this.#counters.sent += 1;
    if (this.#sink.unsentBytes < MAX_UNSENT_BYTES) return this.#sink.send(text);
    this.#state = 'full';
    this.#counters.lagging += 1;
    this.#sink.send(text, () => this.#catchUp());
  }

  #keep(text: string): void {
    if (this.#coalesces) this.#drop();
    if (this.#queue === NONE) this.#queue = [];
    this.#queue.push(text);
    this.#characters += text.length;
    if (this.#queue.length <= MAX_QUEUED_MESSAGES && this.#characters <= MAX_QUEUED_CHARACTERS) return;
    this.#drop();
    this.stop();
    this.#sink.closeSlow();
  }

  #drop(): void {
    this.#counters.dropped += this.#queue.length;
    this.#queue = NONE;
    this.#characters = 0;
  }

  #catchUp(): void {
    if (this.#state !== 'full') return;
    this.#counters.lagging -= 1;
    this.#resume();
  }

  #resume(): void {
    this.#state = 'open';
    const waiting = this.#queue;
    this.#queue = NONE;
    this.#characters = 0;
    for (const text of waiting) this.next(text);
    // Sending the queue may have filled the sink again.
    if (this.#isOpen()) {
      this.#readiness?.resolve();
      this.#readiness = undefined;
      if (this.#ending) this.#finish();
    }
  }

  #finish(): void {
    this.stop();
    this.#sink.end();
  }

  // A method, because the compiler does not see that sending changes the state.
  #isOpen(): boolean {
    return this.#state === 'open';
  }
}

/** Most queues stay empty. Never written to. */
const NONE: string[] = [];

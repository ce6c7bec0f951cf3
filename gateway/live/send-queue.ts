import type { Operation } from '../engine/types.ts';
import type { Counters } from './counters.ts';

/** What carries texts to one client. */
export interface Line {
  /** Bytes the client has not taken yet. */
  readonly waiting: number;
  /** `taken` is called when the client has taken this and everything before it. */
  send(text: string, taken?: () => void): void;
  /** Nothing follows. */
  end(): void;
  /** Tells the client that it reads too slowly, and leaves it. */
  cut(): void;
}

/** Who listens to a stream. */
export interface Listener {
  readonly operation: Operation;
  /** The next answer, serialised. */
  next(text: string): void;
  /** Nothing follows. */
  end(): void;
  /** Set while the client does not keep up; resolves when it does again, or is gone. */
  readonly ready: Promise<void> | undefined;
}

interface OutletOptions {
  operation: Operation;
  line: Line;
  counters: Counters;
  /** True when a client that does not keep up may skip to the latest. */
  coalesces: boolean;
}

/** Bytes that may be on their way to a client before the rest is held back here, where it can still be coalesced and costs no copy. */
const MOST_ON_THE_WAY = 64 * 1024;
const MOST_WAITING = 1_000;
const MOST_WAITING_CHARACTERS = 1024 * 1024;

/** The end of a stream at one client: in order, bounded, and at nobody's cost but its own. */
export class Outlet implements Listener {
  readonly operation: Operation;
  readonly #line: Line;
  readonly #counters: Counters;
  readonly #coalesces: boolean;
  /** `held` until the client may be sent anything, `full` while it does not keep up. */
  #state: 'held' | 'open' | 'full' | 'done' = 'held';
  #queue: string[] = NONE;
  #characters = 0;
  #ending = false;
  #readiness: PromiseWithResolvers<void> | undefined;

  constructor({ operation, line, counters, coalesces }: OutletOptions) {
    this.operation = operation;
    this.#line = line;
    this.#counters = counters;
    this.#coalesces = coalesces;
    counters.open += 1;
  }

  get ready(): Promise<void> | undefined {
    if (this.#state !== 'full') return undefined;
    return (this.#readiness ??= Promise.withResolvers<void>()).promise;
  }

  /** From now on the client may be sent what comes, and what came so far. */
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

  /** Nothing is sent any more. */
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
    if (this.#line.waiting < MOST_ON_THE_WAY) return this.#line.send(text);
    this.#state = 'full';
    this.#counters.lagging += 1;
    this.#line.send(text, () => this.#catchUp());
  }

  #keep(text: string): void {
    if (this.#coalesces) this.#drop();
    if (this.#queue === NONE) this.#queue = [];
    this.#queue.push(text);
    this.#characters += text.length;
    if (this.#queue.length <= MOST_WAITING && this.#characters <= MOST_WAITING_CHARACTERS) return;
    this.#drop();
    this.stop();
    this.#line.cut();
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
    // Sending what waited may have filled the line once more.
    if (this.#isOpen()) {
      this.#readiness?.resolve();
      this.#readiness = undefined;
      if (this.#ending) this.#finish();
    }
  }

  #finish(): void {
    this.stop();
    this.#line.end();
  }

  // A method, because the compiler does not see that sending changes the state.
  #isOpen(): boolean {
    return this.#state === 'open';
  }
}

/** Most outlets never hold anything back. Never written to. */
const NONE: string[] = [];

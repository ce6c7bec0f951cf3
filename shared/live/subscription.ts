import { setTimeout as delay } from 'node:timers/promises';
import { isProblem, Problem, unavailable } from '../base/errors.ts';
import type { Positioned } from '../base/filter-stream.ts';
import type { Listener } from './channels.ts';

export interface LiveEntry<T = unknown> {
  cursor: string;
  payload: T;
}

/** Where the entries of one topic come from. */
export interface Source {
  position(): Promise<string>;
  read(last: string, count: number): Promise<LiveEntry[]>;
  listen(listener: Listener): () => void;
  onEnd(): void;
}

interface Waiter<T> {
  resolve(result: IteratorResult<LiveEntry<T>>): void;
  reject(error: unknown): void;
}

const PAGE = 100;
const MAX_WAITING = 1_000;
const READ_ATTEMPTS = 8;
const FIRST_PAUSE_MS = 100;
const CURSOR = /^(?:0|[1-9]\d{0,14})-(?:0|[1-9]\d{0,14})$/;

/**
 * Reads the stream until it is level with what is announced, then passes announcements on. While it reads, an announcement only says
 * "read once more": so there is one order, and nothing to merge.
 */
export class LiveSubscription<T = unknown> implements AsyncIterableIterator<LiveEntry<T>>, Listener, Positioned {
  #source: Source;
  #phase: 'opening' | 'reading' | 'live' | 'ended' = 'opening';
  /** Where it begins, asked for at once: "from now on" means from the call, not from when Redis has answered it. */
  #begin: Promise<string>;
  #last: string | undefined;
  #again = false;
  #failure: unknown;
  #buffer: LiveEntry<T>[] = [];
  #waiters: Waiter<T>[] = [];
  #emptied: (() => void) | undefined;
  #started = Promise.withResolvers<string | undefined>();
  #stopListening: (() => void) | undefined;

  constructor(source: Source, after: string | undefined) {
    this.#source = source;
    this.#last = after;
    this.#begin = after === undefined ? source.position() : Promise.resolve(after);
    this.#begin.catch(() => undefined);
  }

  start(): void {
    if (this.#last !== undefined && !CURSOR.test(this.#last)) {
      this.#end(new Problem('INVALID_CURSOR', 'This cursor was not given by a live stream.', { path: ['after'] }));
    } else {
      this.#stopListening = this.#source.listen(this);
    }
  }

  /** The cursor before its first entry, known once nothing after it can be missed any more; undefined when it ends before. */
  position(): Promise<string | undefined> {
    return this.#started.promise;
  }

  /** For the channel: it is heard, for the first time or again after a break. */
  ready(): void {
    if (this.#phase === 'reading') this.#again = true;
    else if (this.#phase !== 'ended') this.#catchUp().catch((error: unknown) => this.#end(error));
  }

  /** For the channel: an entry was announced. */
  message(entry: LiveEntry): void {
    if (this.#phase === 'reading') this.#again = true;
    if (this.#phase !== 'live' || !isAfter(entry.cursor, this.#last)) return;
    this.#deliver(entry as LiveEntry<T>);
    if (this.#buffer.length <= MAX_WAITING) return;
    this.#buffer = [];
    const message = 'The stream was read too slowly; resume it after the last cursor you have.';
    this.#end(new Problem('SLOW_CONSUMER', message, { retryable: true }));
  }

  next(): Promise<IteratorResult<LiveEntry<T>>> {
    return new Promise((resolve, reject) => {
      const entry = this.#buffer.shift();
      if (entry && this.#buffer.length === 0) this.#emptied?.();
      if (entry) resolve({ done: false, value: entry });
      else if (this.#hasEnded()) this.#settle({ resolve, reject });
      else this.#waiters.push({ resolve, reject });
    });
  }

  return(): Promise<IteratorResult<LiveEntry<T>>> {
    this.#buffer = [];
    this.#end();
    return Promise.resolve({ done: true, value: undefined });
  }

  throw(error: unknown): Promise<never> {
    void this.return();
    return Promise.reject(error);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  async #catchUp(): Promise<void> {
    this.#phase = 'reading';
    let full = false;
    do {
      // A reader who is far behind sets the pace: one page waits for it, not the whole past.
      if (this.#buffer.length > 0) await new Promise<void>((resolve) => (this.#emptied = resolve));
      this.#again = false;
      const entries = await this.#read();
      if (this.#hasEnded()) return;
      for (const entry of entries) this.#deliver(entry);
      full = entries.length === PAGE;
    } while (this.#again || full);
    this.#phase = 'live';
  }

  async #read(): Promise<LiveEntry<T>[]> {
    for (let attempt = 1; !this.#hasEnded(); attempt += 1) {
      try {
        this.#last ??= await this.#begin;
        const entries = (await this.#source.read(this.#last, PAGE)) as LiveEntry<T>[];
        this.#started.resolve(this.#last);
        return entries;
      } catch (error) {
        if (isProblem(error)) throw error;
        if (attempt === READ_ATTEMPTS) throw unavailable('live stream', error);
        if (this.#last === undefined) this.#begin = this.#source.position();
        this.#begin.catch(() => undefined);
        await delay(FIRST_PAUSE_MS * 2 ** (attempt - 1), undefined, { ref: false });
      }
    }
    return [];
  }

  #deliver(entry: LiveEntry<T>): void {
    this.#last = entry.cursor;
    const waiter = this.#waiters.shift();
    if (waiter) waiter.resolve({ done: false, value: entry });
    else this.#buffer.push(entry);
  }

  #end(error?: unknown): void {
    if (this.#hasEnded()) return;
    this.#phase = 'ended';
    this.#failure = error;
    this.#started.resolve(undefined);
    this.#stopListening?.();
    this.#emptied?.();
    for (const waiter of this.#waiters.splice(0)) this.#settle(waiter);
    this.#source.onEnd();
  }

  /** What follows the last entry: the failure, once, then nothing. */
  #settle(waiter: Waiter<T>): void {
    const error = this.#failure;
    this.#failure = undefined;
    if (error === undefined) waiter.resolve({ done: true, value: undefined });
    else waiter.reject(error);
  }

  // A method, because the compiler does not see that whoever is awaited may end it.
  #hasEnded(): boolean {
    return this.#phase === 'ended';
  }
}

function isAfter(cursor: string, last: string | undefined): boolean {
  const [milliseconds = 0, sequence = 0] = cursor.split('-').map(Number);
  const [lastMilliseconds = 0, lastSequence = 0] = (last ?? '0-0').split('-').map(Number);
  return milliseconds > lastMilliseconds || (milliseconds === lastMilliseconds && sequence > lastSequence);
}

import { setTimeout as delay } from 'node:timers/promises';
import type { ExecutionResult, GraphQLError } from 'graphql';
import { isStart, type Engine, type Operation } from '../engine/types.ts';
import type { Listener } from './send-queue.ts';
import type { Topic } from './topics.ts';

export interface StreamOptions {
  topic: Topic;
  /** The current engine. */
  engine: () => Engine;
  /** A result as clients see it. */
  serialise: (result: ExecutionResult, operation: Operation) => string;
  timeoutMs: number;
  /** How long a lost subgraph is retried. */
  patienceMs: number;
  /** The stream has reached another cursor. */
  onMove: (stream: Stream) => void;
  onEnd: (stream: Stream) => void;
}

type Upstream = AsyncGenerator<ExecutionResult, void, void>;

const MIN_PAUSE_MS = 100;
const MAX_PAUSE_MS = 2_000;
/** A client that takes nothing for this long is not waited for. */
const MAX_WAIT_FOR_READER_MS = 10_000;
const MAX_WAIT_FOR_START_MS = 1_000;
/** Replayed events arrive at once. After a pause of this length the stream has caught up. */
const REPLAY_ENDS_AFTER_MS = 200;

/**
 * One upstream for all listeners: each event is executed and serialised once. After the loss of a subgraph, or on another engine, the
 * stream resumes from the last cursor, and listeners notice only a delay.
 */
export class Stream {
  readonly listeners = new Set<Listener>();
  /** Everything up to this cursor was delivered. Undefined until a subgraph reports one. */
  cursor: string | undefined;
  /** Resolves when the stream has started; with the result when it could not. */
  readonly opened: Promise<ExecutionResult | undefined>;
  readonly #options: StreamOptions;
  readonly #opener: Operation;
  #upstream: Upstream | undefined;
  #isReplay: boolean;
  #lost: { since: number; attempts: number } | undefined;
  #onFirstMove: (() => void) | undefined;
  #ended = false;

  constructor(options: StreamOptions, opener: Listener) {
    const { after } = options.topic;
    this.#options = options;
    this.#opener = opener.operation;
    this.cursor = after;
    this.#isReplay = after !== undefined;
    this.listeners.add(opener);
    this.opened = this.#begin();
  }

  /** Closes the upstream without a message to listeners. */
  close(): void {
    this.#ended = true;
    leave(this.#upstream);
  }

  /** Moves to the current engine if its schema still allows the subscription. Without a cursor, events during the change may be lost. */
  async replan(check: (operation: Operation) => readonly GraphQLError[]): Promise<void> {
    if (this.#options.topic.resumes && this.cursor === undefined) await this.#standing();
    const old = this.#upstream;
    if (!old) return; // It is being opened, on the new engine.
    const errors = check(this.#options.topic.operationAfter(this.cursor, this.#opener));
    if (errors.length > 0) this.#stop({ errors });
    else if (this.#canResume()) this.#upstream = undefined;
    else await this.#overlap();
    leave(old);
  }

  /** Waits for the first cursor of a stream that was just opened. Not every subgraph reports one. */
  async #standing(): Promise<void> {
    const moved = new Promise<void>((resolve) => (this.#onFirstMove = resolve));
    await Promise.race([moved, delay(MAX_WAIT_FOR_START_MS, undefined, { ref: false })]);
  }

  /** Reads the old upstream until the new one is open. */
  async #overlap(): Promise<void> {
    const next = await this.#subscribe();
    if (!isUpstream(next)) this.#stop(next);
    else if (this.#ended) leave(next);
    else this.#upstream = next;
  }

  async #begin(): Promise<ExecutionResult | undefined> {
    const first = await this.#subscribe();
    if (!isUpstream(first)) {
      this.#end();
      return first;
    }
    this.#run(first).catch((error: unknown) => this.#stop({ errors: [error as never] }));
    return undefined;
  }

  async #run(first: Upstream): Promise<void> {
    let upstream: Upstream | undefined = first;
    while (upstream && !this.#ended) upstream = await this.#follow(upstream);
    if (this.#ended) leave(upstream);
    else this.#end();
  }

  /** Delivers events until this upstream ends; returns the one to continue with. */
  async #follow(upstream: Upstream): Promise<Upstream | undefined> {
    this.#upstream = upstream;
    for (;;) {
      const { done, value } = await this.#next(upstream);
      if (this.#ended) return undefined;
      if (this.#upstream !== upstream) return this.#upstream ?? this.#reopen();
      if (done) return undefined;
      if (isStart(value)) this.#move(value);
      else if (this.#canResume() && isLost(value)) return this.#resume(value);
      else this.#deliver(value);
      if (this.#ended) return undefined;
    }
  }

  /** A replay delivers as fast as it is read, so the listeners set the pace. Live events wait for nobody. */
  async #next(upstream: Upstream): Promise<IteratorResult<ExecutionResult, void>> {
    if (!this.#isReplay) return upstream.next();
    for (const { ready } of this.listeners) {
      if (ready) await Promise.race([ready, delay(MAX_WAIT_FOR_READER_MS, undefined, { ref: false })]);
    }
    const since = performance.now();
    const result = await upstream.next();
    if (performance.now() - since > REPLAY_ENDS_AFTER_MS) this.#isReplay = false;
    return result;
  }

  #deliver(result: ExecutionResult): void {
    const text = this.#options.serialise(result, this.#opener);
    for (const listener of this.listeners) listener.next(text);
    this.#move(result);
  }

  #move({ extensions }: ExecutionResult): void {
    this.#lost = undefined;
    const cursor = extensions?.['cursor'];
    if (typeof cursor === 'string') {
      this.cursor = cursor;
      this.#options.onMove(this);
    }
    this.#onFirstMove?.();
  }

  #canResume(): boolean {
    return this.#options.topic.resumes && this.cursor !== undefined;
  }

  async #resume(lost: ExecutionResult): Promise<Upstream | undefined> {
    leave(this.#upstream);
    this.#upstream = undefined;
    this.#lost ??= { since: Date.now(), attempts: 0 };
    if (Date.now() - this.#lost.since > this.#options.patienceMs) return this.#stop(lost);
    const pause = Math.min(MAX_PAUSE_MS, MIN_PAUSE_MS * 2 ** this.#lost.attempts);
    this.#lost.attempts += 1;
    // Random, since all streams of a subgraph are lost at the same moment.
    await delay(pause * (0.5 + Math.random() / 2), undefined, { ref: false });
    return this.#ended ? undefined : this.#reopen();
  }

  async #reopen(): Promise<Upstream | undefined> {
    const next = await this.#subscribe();
    if (isUpstream(next)) return next;
    return isLost(next) ? this.#resume(next) : this.#stop(next);
  }

  /** For a current listener: the one that opened the stream may have left. */
  async #subscribe(): Promise<Upstream | ExecutionResult> {
    const { topic, engine, timeoutMs } = this.#options;
    for (;;) {
      const now = engine();
      const [listener] = this.listeners;
      const operation = topic.operationAfter(this.cursor, listener?.operation ?? this.#opener);
      const next = await now.subscribe({ ...operation, deadline: Date.now() + timeoutMs });
      if (now === engine() || !isUpstream(next)) return next;
      leave(next);
    }
  }

  /** Delivers the last result and ends the stream. */
  #stop(result: ExecutionResult): undefined {
    if (this.#ended) return;
    this.#deliver(result);
    this.#end();
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    for (const listener of this.listeners) listener.end();
    this.listeners.clear();
    this.#options.onEnd(this);
  }
}

const isUpstream = (result: Upstream | ExecutionResult): result is Upstream => Symbol.asyncIterator in result;

/** A failure to close concerns no listener. */
const leave = (upstream: Upstream | undefined): void => void upstream?.return().catch(() => undefined);

/** True when the root field failed for a temporary reason: the stream behind it is gone. */
function isLost({ data, errors = [] }: ExecutionResult): boolean {
  if (Object.values(data ?? {}).some((value) => value !== null)) return false;
  return errors.some(({ path = [], extensions }) => path.length <= 1 && extensions['retryable'] === true);
}

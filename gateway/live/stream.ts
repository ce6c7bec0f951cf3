import { setTimeout as delay } from 'node:timers/promises';
import type { ExecutionResult, GraphQLError } from 'graphql';
import { isStart, type Engine, type Operation } from '../engine/types.ts';
import type { Listener } from './send-queue.ts';
import type { Topic } from './topics.ts';

export interface StreamOptions {
  topic: Topic;
  /** The engine there is now. */
  engine: () => Engine;
  /** A result as clients get it. */
  serialise: (result: ExecutionResult, operation: Operation) => string;
  timeoutMs: number;
  /** How long a lost subgraph is waited for. */
  patienceMs: number;
  /** The stream stands at another cursor. */
  onMove: (stream: Stream) => void;
  onEnd: (stream: Stream) => void;
}

type Upstream = AsyncGenerator<ExecutionResult, void, void>;

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 2_000;
/** Who does not take anything for so long is not waited for. */
const LONGEST_WAIT_FOR_READER_MS = 10_000;
const LONGEST_WAIT_FOR_START_MS = 1_000;
/** What comes at once has been there before; who waited this long has heard everything so far. */
const LEVEL_AFTER_MS = 200;

/**
 * One upstream for all who listen: each event is executed and serialised once. When the subgraph is lost, it goes on after the last cursor
 * and its listeners notice a delay; so it does on another engine.
 */
export class Stream {
  readonly listeners = new Set<Listener>();
  /** Where it stands: everything up to here was delivered. Undefined until it is known. */
  cursor: string | undefined;
  /** Resolves when it has begun; with the refusal when it could not. */
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

  /** Leaves the upstream; nobody is told. */
  close(): void {
    this.#ended = true;
    leave(this.#upstream);
  }

  /** Goes on on the engine there is now, if its schema still has what is listened to. Without a cursor to go on from, what happens in the moment of the change may be lost. */
  async replan(check: (operation: Operation) => readonly GraphQLError[]): Promise<void> {
    if (this.#options.topic.resumes && this.cursor === undefined) await this.#standing();
    const old = this.#upstream;
    if (!old) return; // It is being opened, and will be on the new one.
    const errors = check(this.#options.topic.operationAfter(this.cursor, this.#opener));
    if (errors.length > 0) this.#stop({ errors });
    else if (this.#canResume()) this.#upstream = undefined;
    else await this.#overlap();
    leave(old);
  }

  /** Who was opened a moment ago is about to say where it stands. Not every subgraph can. */
  async #standing(): Promise<void> {
    const moved = new Promise<void>((resolve) => (this.#onFirstMove = resolve));
    await Promise.race([moved, delay(LONGEST_WAIT_FOR_START_MS, undefined, { ref: false })]);
  }

  /** The old upstream is read until the new one is there. */
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

  /** Delivers what comes until this upstream ends, and answers the one to go on with. */
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

  /** What is replayed comes as fast as it is read, so its readers set the pace. What happens now waits for nobody. */
  async #next(upstream: Upstream): Promise<IteratorResult<ExecutionResult, void>> {
    if (!this.#isReplay) return upstream.next();
    for (const { ready } of this.listeners) {
      if (ready) await Promise.race([ready, delay(LONGEST_WAIT_FOR_READER_MS, undefined, { ref: false })]);
    }
    const asked = performance.now();
    const result = await upstream.next();
    if (performance.now() - asked > LEVEL_AFTER_MS) this.#isReplay = false;
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
    const pause = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** this.#lost.attempts);
    this.#lost.attempts += 1;
    // Not all at once, since all were lost at once.
    await delay(pause * (0.5 + Math.random() / 2), undefined, { ref: false });
    return this.#ended ? undefined : this.#reopen();
  }

  async #reopen(): Promise<Upstream | undefined> {
    const next = await this.#subscribe();
    if (isUpstream(next)) return next;
    return isLost(next) ? this.#resume(next) : this.#stop(next);
  }

  /** For whoever listens now: who opened it may have left. */
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

  /** The last result of all. */
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

const isUpstream = (answer: Upstream | ExecutionResult): answer is Upstream => Symbol.asyncIterator in answer;

/** Its own failure to stop concerns nobody who listens. */
const leave = (upstream: Upstream | undefined): void => void upstream?.return().catch(() => undefined);

/** True when the field itself has failed for a reason that may pass: then the stream behind it is gone. */
function isLost({ data, errors = [] }: ExecutionResult): boolean {
  if (Object.values(data ?? {}).some((value) => value !== null)) return false;
  return errors.some(({ path = [], extensions }) => path.length <= 1 && extensions['retryable'] === true);
}

import type { ClientSession, Connection } from 'mongoose';
import type { Redis } from 'ioredis';
import type { Logger } from 'pino';
import type { Cache } from '../cache/cache.ts';
import type { Command } from './define-command.ts';
import type { Said } from './define-event.ts';
import type { Identity, Viewer } from '../base/identity.ts';
import type { Live } from '../live/live.ts';
import type { Saga, SagaRow, SagaStart } from './define-saga.ts';

/**
 * Everything an action may use of the outside world, so that a test can replace it. `M` models, `L` loaders, `P` ports (third parties).
 * Made for each request, event, command and job; inside `transaction` a child with fresh loaders.
 */
export interface Context<M, L, P = Record<never, never>> {
  readonly subgraph: string;
  readonly identity: Identity;
  readonly viewer: Viewer | null;
  readonly correlationId: string;
  /** Epoch milliseconds after which nobody waits for the answer any more; infinite in jobs and events, where each transaction has its own. */
  readonly deadline: number;
  /** Of a mutation: aborted when nobody waits for the answer any more. Only for what has not begun. */
  readonly departure: AbortSignal | undefined;
  readonly log: Logger;
  readonly db: Connection;
  readonly redis: Redis;
  /** Goes before every key in Redis. */
  readonly redisPrefix: string;
  readonly cache: Cache;
  readonly live: Live;
  readonly models: M;
  readonly loaders: L;
  readonly ports: P;
  /** Set inside a transaction; models take it by themselves. */
  readonly session: ClientSession | undefined;
  /** Set while a mutation with an idempotency key runs: the same for every attempt of the same caller with the same key. */
  readonly requestKey: string | undefined;
  /** Set beside it: a keyed hash of the mutation's input. An action that knows a key for longer than a day keeps it, and compares. */
  readonly requestHash: string | undefined;
  /** The only clock of the domain. */
  now(): Date;
  /** Says events (and work items) in the running transaction: they leave when it commits, and only then. */
  publish(...said: Said<any>[]): void;
  /**
   * Work for after the running transaction's commit, done before its caller goes on: forgetting what a cache holds, say. A crash or a
   * failure may leave it out, so nothing may depend on it.
   */
  afterCommit(work: () => Promise<unknown>): void;
  /** Asks another subgraph (or this one) and waits, with its timeout, retries and breaker. Rejects with the callee's `Problem`. */
  call<I, O>(command: Command<I, O>, input: I, options?: { idempotencyKey?: string }): Promise<O>;
  /**
   * Runs `work` in one MongoDB transaction (snapshot reads, majority writes). It may run more than once, so it must change nothing outside
   * the store but through `publish`. Await inside it one thing after the other: a session has no parallel operations. Joins a running one.
   */
  transaction<T>(work: (ctx: this) => Promise<T>): Promise<T>;
  /** Writes a saga's row in the running transaction; `runSaga` or the sweeper moves it on after the commit. */
  startSaga<I>(saga: Saga<I, any>, start: SagaStart<I>): Promise<string>;
  /** Moves a saga on here and now, until it is final, waits for an event, or the deadline is near; answers its row. */
  runSaga(id: string): Promise<SagaRow>;
  /** The saga of this kind and key, if one was started. */
  findSaga<I>(saga: Saga<I, any>, key: string): Promise<SagaRow<I> | null>;
  /** Tells a saga that an event it waits for (or will wait for) has come. */
  signalSaga(saga: Saga<any, any>, key: string, signal: string, data?: unknown): Promise<void>;
  /** Forgets what the loaders hold, after something was changed. */
  clearLoaders(): void;
}

export type AnyContext = Context<any, any, any>;

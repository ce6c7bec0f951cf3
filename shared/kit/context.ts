import type { ClientSession, Connection } from 'mongoose';
import type { Redis } from 'ioredis';
import type { Logger } from 'pino';
import type { AuditEntry } from './audit.ts';
import type { Cache } from '../cache/cache.ts';
import type { Command } from './define-command.ts';
import type { EventDefinition, PublishedMessage } from './define-event.ts';
import type { EnqueueOptions, FoundRun, JobDefinition, JobMessage } from './define-job.ts';
import type { Identity, Viewer } from '../base/identity.ts';
import type { Limits } from '../limits/limits.ts';
import type { Live } from '../live/live.ts';
import type { MessageInput } from './send-message.ts';
import type { Sources, Template } from '../templates/define-templates.ts';
import type { Saga, SagaRow, SagaStart } from './define-saga.ts';
import type { Flag, FlagAttributes } from '../settings/definitions.ts';
import type { FlagEvaluation } from '../settings/evaluate-flag.ts';
import type { SettingsSource } from '../settings/settings-client.ts';

/**
 * Everything an action may use of the outside world, so that a test can replace it. `M` models, `L` loaders, `P` providers (third parties).
 * Each request, event, command and job has its own; `transaction` makes a child with fresh loaders.
 */
export interface Context<M, L, P = Record<never, never>> {
  readonly subgraph: string;
  /** Names of all subgraphs of the system. */
  readonly subgraphs: readonly string[];
  readonly identity: Identity;
  readonly viewer: Viewer | null;
  readonly correlationId: string;
  /** Epoch milliseconds after which the result is no longer needed; infinite in jobs and events, where each transaction has its own. */
  readonly deadline: number;
  /** Set for a mutation: fires when the client disconnects. It stops only work that has not begun. */
  readonly disconnectSignal: AbortSignal | undefined;
  readonly log: Logger;
  readonly db: Connection;
  readonly redis: Redis;
  /** Goes before every key in Redis. */
  readonly redisPrefix: string;
  readonly cache: Cache;
  readonly live: Live;
  readonly models: M;
  readonly loaders: L;
  readonly providers: P;
  /** Values that admins change while the process runs. A read of known values does no I/O. */
  readonly settings: SettingsSource;
  /** Limits of how often something may be done, declared with `defineLimit`. */
  readonly limits: Limits;
  /** Decisions of now about features. The viewer's id is the attribute `user`, and the `targetingKey` unless one is given. */
  readonly flags: FlagsReader;
  /** Set inside a transaction; models take it by themselves. */
  readonly session: ClientSession | undefined;
  /** Set while a mutation with an idempotency key runs: equal for every attempt of one caller with one key. */
  readonly requestKey: string | undefined;
  /** Set beside it: a keyed hash of the mutation's input. An action that remembers a key for longer than a day stores it and compares. */
  readonly requestHash: string | undefined;
  /** The only clock of the domain. */
  now(): Date;
  /** Publishes events in the running transaction: the outbox sends them when it commits, and only then. */
  publish(...messages: PublishedMessage<any>[]): void;
  /** A run of one of this subgraph's jobs, with its input as it was enqueued; null when it is not kept any more. */
  findRun<T, R>(job: JobDefinition<T, R>, id: string): Promise<FoundRun<T, R> | null>;
  /** Cancels a run: one that waits at once, one that runs a moment later. Refused with JOB_NOT_OPEN when it has ended. */
  cancelRun(job: JobDefinition<any, any>, id: string): Promise<void>;
  /** Enqueues a job in the running transaction: it runs when that commits, and only then. Returns the id of its run. */
  enqueue(message: JobMessage<any>, options?: EnqueueOptions): string;
  /**
   * Sends a message in the running transaction: it leaves when that commits, and only then. Throws a MessageParamsError for params that the
   * template does not take. Returns the id of the run that sends it.
   */
  send<T>(template: Template<T>, message: MessageInput<T>): string;
  /** The texts of a template of any subgraph, for the one subgraph that sends messages; the newest ones without a version. */
  templateSources(name: string, version?: string): Promise<Sources | undefined>;
  /**
   * Runs `work` after the commit and before `transaction` returns: a cache invalidation, say. A crash or a failure may skip it, so nothing
   * may depend on it.
   */
  afterCommit(work: () => Promise<unknown>): void;
  /**
   * Adds a row to the audit: within a transaction with its commit, otherwise at once. `action` gets the name of the subgraph before it. For reads
   * of personal data, commands and jobs; mutations and the operations API are audited by themselves.
   */
  audit(action: string, entry?: AuditEntry): Promise<void>;
  /** Sends a command to its subgraph and awaits the reply, with the timeout, retries and breaker of that subgraph. Rejects with its `Problem`. */
  call<I, O>(command: Command<I, O>, input: I, options?: { idempotencyKey?: string }): Promise<O>;
  /**
   * Runs `work` in one MongoDB transaction (snapshot reads, majority writes), or joins the running one. `work` may run more than once, so it
   * changes things outside the store through `publish` only. It awaits one operation at a time: a session has no parallel operations.
   */
  transaction<T>(work: (ctx: this) => Promise<T>): Promise<T>;
  /** Writes a saga's row in the running transaction; `runSaga` or the sweeper moves it on after the commit. */
  startSaga<I>(saga: Saga<I, any>, start: SagaStart<I>): Promise<string>;
  /** Runs a saga until it is final, waits for an event, or the deadline is near. Returns its row. */
  runSaga(id: string): Promise<SagaRow>;
  /** The saga of this kind and key, if one was started. */
  findSaga<I>(saga: Saga<I, any>, key: string): Promise<SagaRow<I> | null>;
  /** Records an event on the saga that waits, or will wait, for it. */
  signalSaga(saga: Saga<any, any>, key: string, signal: string, data?: unknown): Promise<void>;
  /**
   * Sends the events of this type since then to a consumer of this subgraph once more: they have their effect again. Only those that the
   * producer's outbox still holds, 7 days. `consumer`: the name of a batch handler; default: the handlers of single events.
   */
  replay(event: EventDefinition<any>, options: { since: Date; consumer?: string }): Promise<void>;
  /**
   * Signs the path of a download for this viewer: `/files/reports/1?viewer=...&expires=...&signature=...`. Whoever has the address gets the file as
   * this viewer, as long as the rule of the route still allows it. At most 7 days; for longer than 15 minutes without roles and scopes.
   */
  signedPath(path: string, options: { expiresInSeconds: number }): string;
  /** Clears the loaders after a change. */
  clearLoaders(): void;
}

export interface FlagsReader {
  isOn<K extends string>(flag: Flag<K>, attributes?: FlagAttributes<K>): Promise<boolean>;
  /** The decision with the rule that made it. */
  evaluate<K extends string>(flag: Flag<K>, attributes?: FlagAttributes<K>): Promise<FlagEvaluation>;
}

export type AnyContext = Context<any, any, any>;

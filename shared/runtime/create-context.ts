import type { ClientSession, Connection } from 'mongoose';
import type { Logger } from 'pino';
import { auditRow, writeAudit, type AuditRow } from '../audit/rows.ts';
import type { AuditWriter } from '../audit/writer.ts';
import type { AuditEntry } from '../kit/audit.ts';
import { createCache } from '../cache/cache.ts';
import type { Command } from '../kit/define-command.ts';
import type { AnyContext } from '../kit/context.ts';
import type { EventDefinition, PublishedMessage } from '../kit/define-event.ts';
import type { EnqueueOptions, JobDefinition, JobMessage } from '../kit/define-job.ts';
import type { Identity } from '../base/identity.ts';
import { newId } from '../base/ids.ts';
import { messageFor, type EnqueuedJob, type Jobs } from '../jobs/jobs.ts';
import { consumerQueue } from '../messaging/consumers.ts';
import { writeOutbox } from '../messaging/outbox.ts';
import { createRequestScope } from './request-scope.ts';
import { createLimits } from '../limits/limits.ts';
import { createFlagsReader } from './flags-reader.ts';
import type { OrphanedSessions } from '../store/orphaned-sessions.ts';
import type { Live } from '../live/live.ts';
import { epochKey, type Relay } from '../messaging/outbox-relay.ts';
import type { SagaRunner } from '../sagas/runner.ts';
import type { HostServices } from './runtime.ts';
import { invalidateTags } from '../cache/cache-tags.ts';
import type { Subgraph } from '../kit/define-subgraph.ts';
import { messageJob, type MessageInput } from '../kit/send-message.ts';
import { signAddress } from '../kit/signed-address.ts';
import type { Template } from '../templates/define-templates.ts';
import { inTransaction, outsideTransactions } from '../store/mongo.ts';

interface ContextsOptions {
  subgraph: Subgraph;
  db: Connection;
  models: unknown;
  providers: unknown;
  host: HostServices;
  log: Logger;
  relay: Relay;
  sagas: () => SagaRunner;
  jobs: () => Jobs;
  orphanedSessions: OrphanedSessions;
  audit: AuditWriter;
}

interface Origin {
  identity: Identity;
  correlationId: string;
  /** Set for requests and commands. Jobs, events and saga steps have none: each of their calls and transactions has its own. */
  deadline?: number;
  /** Fires when the client disconnects, or when a job has lost its lease. */
  signal?: AbortSignal | undefined;
  /** The same for a mutation. */
  disconnectSignal?: AbortSignal | undefined;
}

/** Time limit of one transaction, or one run of a saga, where the whole has no deadline. */
const PIECE_MS = 30_000;
/** A transaction that begins shortly before the deadline gets this long, for retries after a conflict. */
const MIN_TRANSACTION_MS = 5_000;

/** Makes the contexts of one subgraph: one for each request, event, command, job and saga step. */
export function createContexts(options: ContextsOptions) {
  const { subgraph, db, models, providers, host, log, relay, sagas, jobs, orphanedSessions, audit } = options;
  const sharedCache = createCache(host.redis, { prefix: `${host.redisPrefix}:${subgraph.name}`, tagPrefix: host.redisPrefix });

  const limits = createLimits({ redis: host.redis, prefix: `${host.redisPrefix}:${subgraph.name}`, settings: host.settings });
  const mark = epochKey(host.redisPrefix, subgraph.name);
  const live: Live = { ...host.live, subscribe: (topic, options) => host.live.subscribe(topic, { mark, ...options }) };

  function create({ identity, correlationId, deadline = Number.POSITIVE_INFINITY, signal, disconnectSignal }: Origin): AnyContext {
    const { whileConnected, cache } = createRequestScope(sharedCache, signal);
    const ctx = {
      subgraph: subgraph.name,
      subgraphs: host.subgraphNames,
      identity,
      viewer: identity.viewer,
      correlationId,
      deadline,
      disconnectSignal,
      log: log.child({ correlationId }),
      db,
      redis: host.redis,
      redisPrefix: host.redisPrefix,
      get cache() {
        return whileConnected(cache);
      },
      live,
      get models() {
        return whileConnected(models);
      },
      providers,
      settings: host.settings,
      limits,
      get flags() {
        return createFlagsReader(host.settings, identity.viewer, host.now);
      },
      session: undefined,
      requestKey: undefined,
      requestHash: undefined,
      now: host.now,
      publish(): void {
        throw new Error('Events are published inside a transaction');
      },
      enqueue(): string {
        throw new Error('Jobs are enqueued inside a transaction');
      },
      send(): string {
        throw new Error('Messages are sent inside a transaction');
      },
      templateSources: (name: string, version?: string) => host.templates.sourcesOf(name, version),
      afterCommit(): void {
        throw new Error('afterCommit is called inside a transaction');
      },
      audit(this: AnyContext, action: string, entry?: AuditEntry) {
        return audit.write(auditRow(writerOf(this), action, entry));
      },
      call(this: AnyContext, command: Command, input: unknown, options: { idempotencyKey?: string } = {}) {
        return whileConnected(call)(this, command, input, options);
      },
      transaction(this: AnyContext, work: (inner: AnyContext) => Promise<unknown>) {
        if (this.session) return work(this);
        // Throws after a disconnect, so that nothing is committed.
        return runTransaction(this, async (inner) => whileConnected(await work(inner)));
      },
      startSaga(this: AnyContext, saga: never, start: never) {
        return sagas().start(this, saga, start);
      },
      runSaga(this: AnyContext, id: string) {
        return sagas().run(id, ownDeadline(this) - 1_000);
      },
      findSaga(saga: never, key: string) {
        return sagas().byKey(saga, key);
      },
      signalSaga(this: AnyContext, saga: never, key: string, signal: string, data?: unknown) {
        return sagas().signal(saga, key, signal, data, this);
      },
      replay({ type, version }: EventDefinition<any>, { since, consumer }: { since: Date; consumer?: string }) {
        const queue = consumerQueue(subgraph.name, consumer);
        return host.registry.requestReplay({ _id: newId('rpl'), queue, type, version, since, at: new Date() });
      },
      signedPath: (path: string, { expiresInSeconds }: { expiresInSeconds: number }) =>
        signAddress(path, identity.viewer, { now: host.now(), expiresInSeconds }),
      findRun(job: JobDefinition, id: string) {
        return jobs().find(job, id);
      },
      cancelRun(job: JobDefinition, id: string) {
        return jobs().cancel(job, id);
      },
      clearLoaders(this: AnyContext) {
        withLoaders(this);
      },
    };
    return withLoaders(ctx as unknown as AnyContext);
  }

  /** Loaders cache what they read, so each context and each transaction has its own; created on first use. */
  function withLoaders(ctx: AnyContext): AnyContext {
    let made: unknown;
    const get = (): unknown => {
      const scoped: unknown = ctx.models; // Read on every access: throws once the client has disconnected.
      return (made ??= subgraph.loaders(scoped, ctx as never));
    };
    Object.defineProperty(ctx, 'loaders', { configurable: true, get });
    return ctx;
  }

  const writerOf = ({ identity, correlationId }: AnyContext) => ({ subgraph: subgraph.name, identity, correlationId, now: host.now() });

  async function runTransaction(outer: AnyContext, work: (inner: AnyContext) => Promise<unknown>): Promise<unknown> {
    let published: PublishedMessage[] = [];
    let enqueued: EnqueuedJob[] = [];
    let written: Awaited<ReturnType<Jobs['write']>> = [];
    let afterCommits: (() => Promise<unknown>)[] = [];
    let audited: AuditRow[] = [];
    const deadline = ownDeadline(outer);
    const run = async (session: ClientSession): Promise<unknown> => {
      await orphanedSessions.record(session);
      published = [];
      enqueued = [];
      afterCommits = [];
      audited = [];
      const enqueue = (message: JobMessage, options: EnqueueOptions = {}): string => {
        const facts = jobs().factsOf(options);
        enqueued.push({ message, facts });
        return facts.id;
      };
      const inner = withLoaders(
        Object.create(outer, {
          session: { value: session },
          deadline: { value: deadline },
          publish: { value: (...more: PublishedMessage[]) => void published.push(...more) },
          audit: { value: async (...args: [string, AuditEntry?]) => void audited.push(auditRow(writerOf(outer), ...args)) },
          enqueue: { value: enqueue },
          send: { value: (template: Template, message: MessageInput<never>) => enqueue(messageJob(template, message)) },
          afterCommit: { value: (work: () => Promise<unknown>) => void afterCommits.push(work) },
        }) as AnyContext,
      );
      const result = await work(inner);
      const [own, foreign] = partition(enqueued, ({ message }) => jobs().handles(message.job.type));
      written = await jobs().write(own, outer.correlationId, session);
      const messages = [...published, ...foreign.map(messageFor)];
      await writeOutbox(db, messages, { session, correlationId: outer.correlationId, now: host.now() });
      await writeAudit(db, audited, session);
      return result;
    };
    const answer = await inTransaction(db, run, Math.max(deadline, Date.now() + MIN_TRANSACTION_MS));
    if (published.length > 0 || enqueued.length > written.length) relay.notify();
    if (written.length > 0) afterCommits.push(() => jobs().wake(written));
    // The relay invalidates too, reliably. This serves the next reader, above all the caller.
    afterCommits.push(() =>
      invalidateTags(host.redis, host.redisPrefix, [
        ...published.flatMap(({ definition, data }) => definition.tags(data)),
        ...enqueued.flatMap(({ message: { job, input } }) => job.tags(input)),
      ]),
    );
    for (const result of await Promise.allSettled(afterCommits.map((each) => each()))) {
      if (result.status === 'rejected') outer.log.warn({ err: result.reason }, 'work after a commit failed');
    }
    outer.clearLoaders();
    return answer;
  }

  async function call(ctx: AnyContext, command: Command, input: unknown, options: { idempotencyKey?: string }): Promise<unknown> {
    const transport = host.peer(command.owner);
    const request = {
      command: command.name,
      input,
      identity: { ...ctx.identity, issuer: subgraph.name },
      correlationId: ctx.correlationId,
      deadline: Math.min(ctx.deadline, Date.now() + command.timeoutMs),
      // A reading command may always be repeated; a changing one only under its caller's key.
      idempotencyKey: options.idempotencyKey ?? (command.changes ? undefined : ctx.correlationId),
    };
    // A subgraph of the same process must not join the caller's transaction.
    const answer = await outsideTransactions(() => transport.call(request));
    return command.output.parse(answer);
  }

  return { create };
}

const partition = <T>(list: readonly T[], isFirst: (each: T) => boolean): [T[], T[]] => [
  list.filter((each) => isFirst(each)),
  list.filter((each) => !isFirst(each)),
];

const ownDeadline = ({ deadline }: AnyContext): number => Math.min(deadline, Date.now() + PIECE_MS);

export type Contexts = ReturnType<typeof createContexts>;

import type { ClientSession, Connection } from 'mongoose';
import type { Logger } from 'pino';
import { createCache } from '../cache/cache.ts';
import type { Command } from '../kit/define-command.ts';
import type { AnyContext } from '../kit/context.ts';
import type { PublishedMessage } from '../kit/define-event.ts';
import type { Identity } from '../base/identity.ts';
import { writeOutbox } from '../messaging/outbox.ts';
import { createLending } from './request-scope.ts';
import type { Orphans } from '../store/orphaned-sessions.ts';
import type { Live } from '../live/live.ts';
import { epochKey, type Relay } from '../messaging/outbox-relay.ts';
import type { SagaRunner } from '../sagas/runner.ts';
import type { Surroundings } from './runtime.ts';
import { renewTags } from '../cache/cache-tags.ts';
import type { Subgraph } from '../kit/define-subgraph.ts';
import { inTransaction, outsideTransactions } from '../store/mongo.ts';

interface ContextsOptions {
  subgraph: Subgraph;
  db: Connection;
  models: unknown;
  ports: unknown;
  around: Surroundings;
  log: Logger;
  relay: Relay;
  sagas: () => SagaRunner;
  orphans: Orphans;
}

interface Origin {
  identity: Identity;
  correlationId: string;
  /** Of a request or a command. Jobs, events and saga steps have none: each call and each transaction of theirs ends by itself. */
  deadline?: number;
  /** Aborted when nobody waits for what is read any more, or when a job has lost its lease. */
  signal?: AbortSignal | undefined;
  /** The same of a mutation. */
  departure?: AbortSignal | undefined;
}

/** Longest time for one transaction, or one drive of a saga, where nobody waits for the whole. */
const PIECE_MS = 30_000;
/** A transaction that begins late may still lose against another one and try again. */
const LEAST_PATIENCE_MS = 5_000;

/** Makes the contexts of one subgraph: one for each request, event, command, job and saga step. */
export function createContexts({ subgraph, db, models, ports, around, log, relay, sagas, orphans }: ContextsOptions) {
  const everybodys = createCache(around.redis, { prefix: `${around.queuePrefix}:${subgraph.name}`, tagPrefix: around.queuePrefix });

  const mark = epochKey(around.queuePrefix, subgraph.name);
  const live: Live = { ...around.live, subscribe: (topic, options) => around.live.subscribe(topic, { mark, ...options }) };

  function create({ identity, correlationId, deadline = Number.POSITIVE_INFINITY, signal, departure }: Origin): AnyContext {
    const { lend, cache } = createLending(everybodys, signal);
    const ctx = {
      subgraph: subgraph.name,
      identity,
      viewer: identity.viewer,
      correlationId,
      deadline,
      departure,
      log: log.child({ correlationId }),
      db,
      redis: around.redis,
      redisPrefix: around.queuePrefix,
      get cache() {
        return lend(cache);
      },
      live,
      get models() {
        return lend(models);
      },
      ports,
      session: undefined,
      requestKey: undefined,
      requestHash: undefined,
      now: around.now,
      publish(): void {
        throw new Error('Events are published inside a transaction');
      },
      afterCommit(): void {
        throw new Error('What follows a commit is named inside its transaction');
      },
      call(this: AnyContext, command: Command, input: unknown, options: { idempotencyKey?: string } = {}) {
        return lend(call)(this, command, input, options);
      },
      transaction(this: AnyContext, work: (inner: AnyContext) => Promise<unknown>) {
        if (this.session) return work(this);
        // Who has left meanwhile commits nothing.
        return runTransaction(this, async (inner) => lend(await work(inner)));
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
      clearLoaders(this: AnyContext) {
        withLoaders(this);
      },
    };
    return withLoaders(ctx as unknown as AnyContext);
  }

  /** Loaders remember what they read, so each context and each transaction has its own; made when first asked for. */
  function withLoaders(ctx: AnyContext): AnyContext {
    let made: unknown;
    const get = (): unknown => {
      const lent: unknown = ctx.models; // Asked for each time: they are not lent to who has left.
      return (made ??= subgraph.loaders(lent, ctx as never));
    };
    Object.defineProperty(ctx, 'loaders', { configurable: true, get });
    return ctx;
  }

  async function runTransaction(outer: AnyContext, work: (inner: AnyContext) => Promise<unknown>): Promise<unknown> {
    let published: PublishedMessage[] = [];
    let later: (() => Promise<unknown>)[] = [];
    const deadline = ownDeadline(outer);
    const run = async (session: ClientSession): Promise<unknown> => {
      await orphans.note(session);
      published = [];
      later = [];
      const inner = withLoaders(
        Object.create(outer, {
          session: { value: session },
          deadline: { value: deadline },
          publish: { value: (...more: PublishedMessage[]) => void published.push(...more) },
          afterCommit: { value: (work: () => Promise<unknown>) => void later.push(work) },
        }) as AnyContext,
      );
      const result = await work(inner);
      await writeOutbox(db, published, { session, correlationId: outer.correlationId, now: around.now(), consumersOf: around.consumersOf });
      return result;
    };
    const answer = await inTransaction(db, run, Math.max(deadline, Date.now() + LEAST_PATIENCE_MS));
    if (published.length > 0) relay.kick();
    // The relay does so too, for certain; this is for whoever reads next, the caller above all.
    later.push(() =>
      renewTags(
        around.redis,
        around.queuePrefix,
        published.flatMap(({ definition, data }) => definition.tags(data)),
      ),
    );
    for (const result of await Promise.allSettled(later.map((each) => each()))) {
      if (result.status === 'rejected') outer.log.warn({ err: result.reason }, 'something that was to follow a commit failed');
    }
    outer.clearLoaders();
    return answer;
  }

  async function call(ctx: AnyContext, command: Command, input: unknown, options: { idempotencyKey?: string }): Promise<unknown> {
    const transport = around.peer(command.owner);
    const request = {
      command: command.name,
      input,
      identity: { ...ctx.identity, issuer: subgraph.name },
      correlationId: ctx.correlationId,
      deadline: Math.min(ctx.deadline, Date.now() + command.timeoutMs),
      // A question may always be repeated; an order only under its caller's key.
      idempotencyKey: options.idempotencyKey ?? (command.changes ? undefined : ctx.correlationId),
    };
    // A subgraph of the same process must not find itself in the caller's transaction.
    const answer = await outsideTransactions(() => transport.call(request));
    return command.output.parse(answer);
  }

  return { create };
}

const ownDeadline = ({ deadline }: AnyContext): number => Math.min(deadline, Date.now() + PIECE_MS);

export type Contexts = ReturnType<typeof createContexts>;

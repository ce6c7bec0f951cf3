import { validate, type DocumentNode, type ExecutionResult, type GraphQLError, type GraphQLSchema } from 'graphql';
import type { Engine, Operation } from '../engine/types.ts';
import { createCounters, type Counters } from './counters.ts';
import { SharedSubscription } from './shared-subscription.ts';
import { SendQueue, type Sink } from './send-queue.ts';
import { createTopics } from './topics.ts';

interface StreamsOptions {
  engine: Engine;
  /** A result as clients see it. */
  format: (result: ExecutionResult, correlationId: string) => unknown;
  /** What of the identity the results depend on. Default: all but the client. */
  scopeOf?: ((operation: Operation) => string) | undefined;
  /** Whether a lagging client may skip to the latest event of a field. Default: never. */
  coalesces?: (field: string) => boolean;
  /** For opening a stream, and for each of its events. */
  timeoutMs: number;
  /** How long the registry retries a lost subgraph before its streams end with the error. Default 30,000. */
  patienceMs?: number | undefined;
}

/** One client's part in a stream. */
export interface Subscription {
  /** Allows writing to the sink. */
  start(): void;
  leave(): void;
}

/**
 * All subscriptions of all clients. Equal ones (same document, variables and effective rights) share one upstream, one execution and one
 * serialised result per event.
 */
export interface Streams {
  /** Returns a result instead when the subscription could not start. */
  join(operation: Operation, sink: Sink): Promise<Subscription | ExecutionResult>;
  /** By subscription field. */
  counters(): Record<string, Counters>;
  /** Moves every stream to the next engine: after its last cursor, where it has one. The old engine may be closed when this resolves. */
  replaceEngine(next: Engine): Promise<void>;
}

const DEFAULT_PATIENCE_MS = 30_000;

export function openStreams(options: StreamsOptions): Streams {
  const { format, coalesces = () => false, scopeOf = identityWithoutClient, timeoutMs, patienceMs = DEFAULT_PATIENCE_MS } = options;
  const shared = new Map<string, SharedSubscription>();
  const counters = createCounters();
  let engine = options.engine;
  let topicOf = createTopics({ schema: engine.schema, scopeOf });

  function subscriptionOf(key: string, fieldCounters: Counters): SharedSubscription {
    let subscription = shared.get(key);
    if (subscription) return subscription;
    subscription = new SharedSubscription({
      engine: () => engine,
      serialise: (result, { correlationId }) => JSON.stringify(format(result, correlationId)),
      timeoutMs,
      patienceMs,
      onStream: (by) => void (fieldCounters.streams += by),
      onEmpty: () => shared.delete(key),
    });
    shared.set(key, subscription);
    return subscription;
  }

  return {
    async join(operation, sink) {
      const topic = topicOf(operation);
      const fieldCounters = counters.of(topic.field);
      const queue = new SendQueue({ operation, sink, counters: fieldCounters, coalesces: coalesces(topic.field) });
      const subscription = subscriptionOf(topic.key, fieldCounters);
      const refusal = await subscription.join(queue, topic).opened;
      if (refusal) {
        queue.stop();
        return refusal;
      }
      return {
        start: () => queue.start(),
        leave() {
          queue.stop();
          subscription.leave(queue);
        },
      };
    },
    counters: counters.all,
    async replaceEngine(next) {
      engine = next;
      topicOf = createTopics({ schema: next.schema, scopeOf });
      const check = createSchemaCheck(next.schema);
      const streams = [...shared.values()].flatMap((subscription) => [...subscription.streams]);
      await Promise.all(streams.map((stream) => stream.replan(check)));
    },
  };
}

/** The client's address and user agent change no result. */
function identityWithoutClient({ identity: { client: _client, ...rest } }: Operation): string {
  return JSON.stringify(rest);
}

/** Validation errors of operations against the schema, computed once per document. */
function createSchemaCheck(schema: GraphQLSchema): (operation: Operation) => readonly GraphQLError[] {
  const known = new Map<DocumentNode, readonly GraphQLError[]>();
  return ({ document }) => {
    let errors = known.get(document);
    if (!errors) known.set(document, (errors = validate(schema, document)));
    return errors;
  };
}

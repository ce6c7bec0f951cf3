import { validate, type DocumentNode, type ExecutionResult, type GraphQLError, type GraphQLSchema } from 'graphql';
import type { Engine, Operation } from '../engine/types.ts';
import { createCounters, type Counters } from './counters.ts';
import { Group } from './shared-subscription.ts';
import { Outlet, type Line } from './send-queue.ts';
import { createTopics } from './topics.ts';

interface StreamsOptions {
  engine: Engine;
  /** A result as clients get it. */
  format: (result: ExecutionResult, correlationId: string) => unknown;
  /** What of the identity the answers depend on. Default: all of it but the client. */
  scopeOf?: ((operation: Operation) => string) | undefined;
  /** Whether a client that does not keep up with a subscription field may skip to its latest event. Default: never. */
  coalesces?: (field: string) => boolean;
  /** For the opening of a stream, and for each of its events. */
  timeoutMs: number;
  /** How long a lost subgraph is waited for before its streams end with the error. Default 30,000. */
  patienceMs?: number | undefined;
}

/** One client's part in a stream. */
export interface Subscription {
  /** From now on the line may be used. */
  start(): void;
  leave(): void;
}

/**
 * All subscriptions of all clients. Equal ones (same document, variables and effective rights) share one upstream, one execution and one
 * serialised answer for each event.
 */
export interface Streams {
  /** The result instead when the subscription could not begin. */
  join(operation: Operation, line: Line): Promise<Subscription | ExecutionResult>;
  /** By subscription field. */
  counters(): Record<string, Counters>;
  /** Every stream goes on on the next engine: after its last cursor, where it has one. The old one may be closed when this resolves. */
  replaceEngine(next: Engine): Promise<void>;
}

const PATIENCE_MS = 30_000;

export function openStreams(options: StreamsOptions): Streams {
  const { format, coalesces = () => false, scopeOf = allButClient, timeoutMs, patienceMs = PATIENCE_MS } = options;
  const groups = new Map<string, Group>();
  const counters = createCounters();
  let engine = options.engine;
  let topicOf = createTopics({ schema: engine.schema, scopeOf });

  function groupOf(key: string, counted: Counters): Group {
    let group = groups.get(key);
    if (group) return group;
    group = new Group({
      engine: () => engine,
      serialise: (result, { correlationId }) => JSON.stringify(format(result, correlationId)),
      timeoutMs,
      patienceMs,
      onStream: (by) => void (counted.streams += by),
      onEmpty: () => groups.delete(key),
    });
    groups.set(key, group);
    return group;
  }

  return {
    async join(operation, line) {
      const topic = topicOf(operation);
      const counted = counters.of(topic.field);
      const outlet = new Outlet({ operation, line, counters: counted, coalesces: coalesces(topic.field) });
      const group = groupOf(topic.key, counted);
      const refusal = await group.join(outlet, topic).opened;
      if (refusal) {
        outlet.stop();
        return refusal;
      }
      return {
        start: () => outlet.start(),
        leave() {
          outlet.stop();
          group.leave(outlet);
        },
      };
    },
    counters: counters.all,
    async replaceEngine(next) {
      engine = next;
      topicOf = createTopics({ schema: next.schema, scopeOf });
      const check = createCheck(next.schema);
      const streams = [...groups.values()].flatMap((group) => [...group.streams]);
      await Promise.all(streams.map((stream) => stream.replan(check)));
    },
  };
}

/** Never the client: where somebody sits changes nothing of what is told. */
function allButClient({ identity: { client: _client, ...rest } }: Operation): string {
  return JSON.stringify(rest);
}

/** Why operations do not fit the schema, found out once a document. */
function createCheck(schema: GraphQLSchema): (operation: Operation) => readonly GraphQLError[] {
  const known = new Map<DocumentNode, readonly GraphQLError[]>();
  return ({ document }) => {
    let errors = known.get(document);
    if (!errors) known.set(document, (errors = validate(schema, document)));
    return errors;
  };
}

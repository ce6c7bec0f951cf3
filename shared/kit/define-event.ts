import type { z } from 'zod';
import type { AnyContext } from './context.ts';
import { decryptFields } from './encrypted-fields.ts';

/*
 * Glossary. Event: a fact of the past that any subgraph may subscribe to. Job: work on one named queue (`define-job.ts`). Both are written to
 * the outbox in the transaction that causes them. Envelope: an event or a job as it travels. Topic: a live stream on which an event also appears.
 */

/** An event as it travels. Every queue and every event uses this shape. */
export interface Envelope<T = unknown> {
  id: string;
  type: string;
  version: number;
  /** The aggregate that the event is about; absent for jobs and for events without a key. */
  key?: string | undefined;
  /** Grows with each event of a key, in the order of the commits, with gaps. Set where `key` is. */
  sequence?: number | undefined;
  occurredAt: string;
  correlationId: string;
  data: T;
  /** Set for a job. */
  job?: JobFacts;
}

/** How an enqueued job travels to the subgraph that handles it. */
export interface JobFacts {
  /** Of its run. */
  id: string;
  /** ISO time before which it is not run. */
  runAt: string;
  priority: 'HIGH' | 'NORMAL' | 'LOW';
  key?: string;
}

/** An event that an action has published, or a job for another subgraph; the outbox stores it when the transaction commits. */
export interface PublishedMessage<T = unknown> {
  definition: EventDefinition<T>;
  data: T;
  job?: JobFacts;
}

/** A publisher may leave out `timestamp`: it is then the time of `occurredAt`. */
export type Published<T> = T extends { timestamp: string } ? Omit<T, 'timestamp'> & { timestamp?: string } : T;

export interface EventDefinition<T = unknown> {
  (data: Published<T>): PublishedMessage<T>;
  type: string;
  version: number;
  schema: z.ZodType<T>;
  /** Ordering key, computed from the payload: events of one key are handled in the order of their commits. */
  key: ((data: T) => string) | undefined;
  /** Live topics the event also appears on, computed from its payload. */
  topics: (data: T) => string[];
  /** Cache tags of what the event changed (`cache-tags.ts`): publishing it invalidates the entries that carry them. */
  tags: (data: T) => string[];
  /** Set for jobs: the one queue whose consumer does the work. */
  queue: string | undefined;
  /** Top-level text fields that hold secrets: they are encrypted from the outbox to the handler. */
  encrypted: readonly string[];
}

interface EventOptions<T> {
  version?: number;
  /** The id of the aggregate. Events of several types may share it: their order then holds across the types. */
  key?: (data: T) => string;
  topics?: (data: T) => string[];
  tags?: (data: T) => string[];
}

/** A fact in the past tense, `Noun.PastParticiple`. Fields are only added; a breaking change is a new version beside the old one. */
export function defineEvent<T>(type: string, schema: z.ZodType<T>, options: EventOptions<T> = {}): EventDefinition<T> {
  const { version = 1, key, topics = none, tags = none } = options;
  return createDefinition(type, schema, { version, key, topics, tags, queue: undefined, encrypted: [] });
}

const none = (): string[] => [];

/** The definition of an event or a job: called with a payload, it makes the message that `ctx.publish` takes. */
export function createDefinition<T>(
  type: string,
  schema: z.ZodType<T>,
  rest: Omit<EventDefinition<T>, 'type' | 'schema'>,
): EventDefinition<T> {
  const create = (data: Published<T>): PublishedMessage<T> => ({ definition: made, data: data as T });
  const made: EventDefinition<T> = Object.assign(create, { type, schema, ...rest });
  return made;
}

/**
 * What an event with a key waits for. BY_KEY: the events before it of its key. NEWEST_WINS: nothing, and it is dropped when a later one of its
 * type and key was handled. ANY: nothing.
 */
export type EventOrdering = 'BY_KEY' | 'NEWEST_WINS' | 'ANY';

export interface EventHandler<C extends AnyContext = AnyContext> {
  kind: 'event';
  event: EventDefinition;
  idempotent: boolean;
  run(ctx: C, data: unknown, envelope: Envelope): Promise<unknown>;
  ordering: EventOrdering;
  /** Informs those who wait for the effect that it will not come. */
  giveUp: ((ctx: C, data: unknown, error: unknown) => Promise<unknown>) | undefined;
}

export interface HandlerOptions<T, C extends AnyContext> {
  /**
   * True for an action that may run twice without harm (one that invalidates a cache, say). It runs without a transaction and an inbox row,
   * which cost the store four commands per event. Default false.
   */
  idempotent?: boolean;
  /** Default BY_KEY. It is without effect on events without a key. */
  ordering?: EventOrdering;
  /** Runs in a transaction with the last error after a delivery became a dead letter. It may run twice. */
  onGivenUp?: (ctx: C, data: T, error: unknown) => Promise<unknown>;
}

/**
 * Subscribes an action to an event. The action runs in one transaction with its inbox row, so each event has its effect once. A `Problem` is
 * final: the delivery becomes a dead letter. Any other error is retried. An event that goes on failing stops holding up its key after ten
 * attempts, about two minutes.
 */
export function onEvent<T, C extends AnyContext>(
  event: EventDefinition<T>,
  action: (ctx: C, data: T, envelope: Envelope<T>) => Promise<unknown>,
  { idempotent = false, ordering = 'BY_KEY', onGivenUp }: HandlerOptions<T, C> = {},
): EventHandler<C> {
  return {
    kind: 'event',
    idempotent,
    ordering,
    event: event as unknown as EventDefinition,
    run: (ctx, data, envelope) => action(ctx, event.schema.parse(decryptFields(event, data)), envelope as Envelope<T>),
    giveUp: onGivenUp && ((ctx, data, error) => informGivenUp(event, onGivenUp, { ctx, data, error })),
  };
}

/** A payload that does not fit the schema has no reader to inform. */
async function informGivenUp<T, C extends AnyContext>(
  event: EventDefinition<T>,
  inform: (ctx: C, data: T, error: unknown) => Promise<unknown>,
  { ctx, data, error }: { ctx: C; data: unknown; error: unknown },
): Promise<void> {
  const read = event.schema.safeParse(decryptFields(event, data));
  if (read.success) await inform(ctx, read.data, error);
}

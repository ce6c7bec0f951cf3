import type { z } from 'zod';
import type { AnyContext } from './context.ts';
import { opened } from './encrypted-fields.ts';

/*
 * Glossary. Event: a fact of the past that others may hear. Work item: a piece of work put on a named queue.
 * Both are written to the outbox in the transaction that causes them. Envelope: what travels. Topic: a live stream it also appears on.
 */

/** What travels: the same shape on every queue, whatever the event. */
export interface Envelope<T = unknown> {
  id: string;
  type: string;
  version: number;
  occurredAt: string;
  correlationId: string;
  data: T;
}

/** Something said inside an action, not yet stored. */
export interface Said<T = unknown> {
  definition: EventDefinition<T>;
  data: T;
}

export interface EventDefinition<T = unknown> {
  (data: T): Said<T>;
  type: string;
  version: number;
  schema: z.ZodType<T>;
  /** Live topics the event also appears on, computed from its payload. */
  topics: (data: T) => string[];
  /** What it changed, as caches name it (`stamps.ts`): once it has left, nobody is given what was kept of that before. */
  tags: (data: T) => string[];
  /** Set for work items: the one queue that does the work. */
  queue: string | undefined;
  /** Top-level texts that are secrets: they are sealed from the outbox to the handler. */
  sealed: readonly string[];
}

interface EventOptions<T> {
  version?: number;
  topics?: (data: T) => string[];
  tags?: (data: T) => string[];
}

/** A fact in the past tense, `Noun.PastParticiple`. Fields are only added; a breaking change is a new version beside the old one. */
export function defineEvent<T>(type: string, schema: z.ZodType<T>, options: EventOptions<T> = {}): EventDefinition<T> {
  const { version = 1, topics = none, tags = none } = options;
  return definition(type, schema, { version, topics, tags, queue: undefined, sealed: [] });
}

/**
 * Work for one named queue. It leaves through the outbox like an event, so it is done once for each time its cause was committed. What
 * `sealed` names is text that nobody can read on the way.
 */
export function defineWork<T>(
  queue: string,
  schema: z.ZodType<T>,
  { sealed: secrets = [], tags = none }: { sealed?: readonly (keyof T & string)[]; tags?: (data: T) => string[] } = {},
): EventDefinition<T> {
  return definition(queue, schema, { version: 1, topics: none, tags, queue, sealed: secrets });
}

const none = (): string[] => [];

function definition<T>(type: string, schema: z.ZodType<T>, rest: Omit<EventDefinition<T>, 'type' | 'schema'>): EventDefinition<T> {
  const create = (data: T): Said<T> => ({ definition: made, data });
  const made: EventDefinition<T> = Object.assign(create, { type, schema, ...rest });
  return made;
}

export interface EventHandler<C extends AnyContext = AnyContext> {
  kind: 'event';
  event: EventDefinition;
  repeatable: boolean;
  run(ctx: C, data: unknown, envelope: Envelope): Promise<unknown>;
  /** Tells whoever waits for the effect that there will be none. */
  giveUp: ((ctx: C, data: unknown, error: unknown) => Promise<unknown>) | undefined;
}

interface HandlerOptions<T, C extends AnyContext> {
  /**
   * True for an action that may run again without harm (it forgets what a cache holds, say): it runs without transaction and inbox, which
   * cost the store four commands for each event. Default false.
   */
  repeatable?: boolean;
  /** Run in a transaction when a delivery became a dead letter, with the last error; it may run again. */
  onGivenUp?: (ctx: C, data: T, error: unknown) => Promise<unknown>;
}

/**
 * Hears an event (or does a work item): the action runs in a transaction together with the inbox record, so its effect happens once.
 * A `Problem` is final and kept as a dead letter; any other error is tried again.
 */
export function on<T, C extends AnyContext>(
  event: EventDefinition<T>,
  action: (ctx: C, data: T, envelope: Envelope<T>) => Promise<unknown>,
  { repeatable = false, onGivenUp }: HandlerOptions<T, C> = {},
): EventHandler<C> {
  return {
    kind: 'event',
    repeatable,
    event: event as unknown as EventDefinition,
    run: (ctx, data, envelope) => action(ctx, event.schema.parse(opened(event, data)), envelope as Envelope<T>),
    giveUp: onGivenUp && ((ctx, data, error) => tellGivenUp(event, onGivenUp, { ctx, data, error })),
  };
}

/** What cannot even be read has nobody who could be told. */
async function tellGivenUp<T, C extends AnyContext>(
  event: EventDefinition<T>,
  tell: (ctx: C, data: T, error: unknown) => Promise<unknown>,
  { ctx, data, error }: { ctx: C; data: unknown; error: unknown },
): Promise<void> {
  const read = event.schema.safeParse(opened(event, data));
  if (read.success) await tell(ctx, read.data, error);
}

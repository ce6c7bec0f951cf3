import type { z } from 'zod';
import type { AnyContext } from './context.ts';
import { createDefinition, onEvent, type Envelope, type EventDefinition, type EventHandler, type HandlerOptions } from './define-event.ts';

interface JobOptions<T> {
  /** Top-level text fields that nobody can read in the outbox, on the queue and in dead letters. */
  encrypted?: readonly (keyof T & string)[];
  tags?: (data: T) => string[];
}

/** A job on one named queue. It leaves through the outbox like an event, so it runs once for each committed cause. */
export function defineJob<T>(queue: string, schema: z.ZodType<T>, options: JobOptions<T> = {}): EventDefinition<T> {
  const { encrypted = [], tags = () => [] } = options;
  return createDefinition(queue, schema, { version: 1, key: undefined, topics: () => [], tags, queue, encrypted });
}

/** Runs an action for each job of a definition, with the promises of `onEvent`. */
export function handleJob<T, C extends AnyContext>(
  definition: EventDefinition<T>,
  action: (ctx: C, data: T, envelope: Envelope<T>) => Promise<unknown>,
  options: HandlerOptions<T, C> = {},
): EventHandler<C> {
  return onEvent(definition, action, options);
}

export type Schedule = { every: number } | { pattern: string; tz: string };

/** One run of a scheduled job under its lease in the store. */
export interface JobRun {
  /** Fires when the lease is lost. From then on the context hands out no models and commits nothing. */
  signal: AbortSignal;
  /** Fencing token: grows with each run, so a store elsewhere can refuse writes of an older run. */
  token: number;
}

export interface ScheduledJob<C extends AnyContext = AnyContext> {
  kind: 'scheduledJob';
  /** The action in kebab-case. */
  name: string;
  schedule: Schedule;
  run(ctx: C, run: JobRun): Promise<unknown>;
}

/**
 * A job on a schedule, on the queue `<subgraph>-jobs`. Its action must be safe to repeat. One run at a time in the whole system: a turn is
 * skipped while the last run continues. A failed run is retried before the next turn, then becomes a dead letter.
 */
export const scheduledJob = <C extends AnyContext>(
  name: string,
  schedule: Schedule,
  run: (ctx: C, run: JobRun) => Promise<unknown>,
): ScheduledJob<C> => ({ kind: 'scheduledJob', name, schedule, run });

import type { Logger } from 'pino';
import type { AnyContext } from '../kit/context.ts';
import { Problem } from '../base/errors.ts';
import { LostLease, type SagaStore } from './store.ts';
import { isAway } from '../store/mongo.ts';
import type { SagaRow, Step, StepArgs } from '../kit/define-saga.ts';

export interface ContextLimits {
  deadline?: number;
  signal?: AbortSignal;
}

export type ContextFor = (row: SagaRow, limits?: ContextLimits) => AnyContext;

/** What running a step needs. */
export interface StepTools {
  store: SagaStore;
  contextFor: ContextFor;
  now(): Date;
  log: Logger;
}

/** Not a fault of the step: the row is another runner's now, or the store is away. */
export const isOfRunner = (error: unknown): boolean => error instanceof LostLease || isAway(error);

type AnyStep = Step<any, any>;

export const argsOf = (row: SagaRow, name: string, suffix = ''): StepArgs<any, any> => ({
  id: row._id,
  key: row.key,
  input: row.input,
  results: row.results,
  signals: row.signals,
  stepKey: `${row._id}:${name}${suffix}`,
  failure: row.refusal,
});

/** The effect of a step: `run`, or its compensation when the row is compensating. */
export function effectOf(step: AnyStep, row: SagaRow): ((ctx: AnyContext) => Promise<unknown>) | undefined {
  const { name, run, compensate } = step;
  if (!row.refusal) return (ctx) => run(ctx, argsOf(row, name));
  return compensate && ((ctx) => compensate(ctx, argsOf(row, name, ':undo')));
}

/** The name of a place for crash tests: `<saga>.<step>:after`, or `...:undo-after`. */
export const placeOf = (row: SagaRow, { name }: { name: string }, side: 'before' | 'after'): string =>
  `${row.saga}.${name}:${row.refusal ? 'undo-' : ''}${side}`;

/** Runs an effect elsewhere. One that is late counts as failed, though it may still happen: its context refuses further work. */
export async function withinTime(
  { name, timeoutMs }: AnyStep,
  contextFor: (limits: ContextLimits) => AnyContext,
  work: (ctx: AnyContext) => Promise<unknown>,
): Promise<unknown> {
  const late = new AbortController();
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    late.abort();
    reject(new Problem('TIMEOUT', `${name} did not end in time.`, { retryable: true }));
  }, timeoutMs);
  try {
    return await Promise.race([work(contextFor({ deadline: Date.now() + timeoutMs, signal: late.signal })), promise]);
  } finally {
    clearTimeout(timer);
  }
}

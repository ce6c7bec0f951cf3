import type { z } from 'zod';
import type { AnyContext } from './context.ts';

/*
 * Glossary. Saga: a process over several subgraphs whose truth is one row. Step: a named part of it, safe to repeat, with its compensation.
 * Wait: a step that ends when an event comes, or fails at its deadline. Signal: such an event, recorded on the row. Compensation: the part of a
 * step that takes it back. Final: done, compensated, or STUCK, when a compensation failed and an operator must decide.
 */

export type SagaState = 'RUNNING' | 'WAITING' | 'COMPENSATING' | 'DONE' | 'COMPENSATED' | 'STUCK';

export const FINAL_STATES: readonly SagaState[] = ['DONE', 'COMPENSATED', 'STUCK'];

export interface SagaEntry {
  step: string;
  outcome: 'DONE' | 'UNDONE' | 'REFUSED' | 'RETRIED' | 'WAITS' | 'TIMED_OUT';
  at: Date;
  message?: string;
}

export interface SagaRow<I = unknown> {
  _id: string;
  saga: string;
  /** The business key: one saga of a kind per key. */
  key: string;
  state: SagaState;
  input: I;
  /** Results of the finished steps, by step name. */
  results: Record<string, unknown>;
  signals: Record<string, unknown>;
  /** Index of the step to run or to compensate, in the definition of the build that wrote it last. */
  at: number;
  /** Name of that step, which finds it after the definition has changed. Older rows have none. */
  step?: string;
  attempts: number;
  /** The sweeper ignores the row before this time. */
  wakeAt: Date;
  /** End of the current wait, by the domain's clock. */
  waitsUntil: Date | null;
  lease: { owner: string; token: number; until: Date };
  /** Why the saga is compensating. */
  refusal: { code: string; message: string; step: string; extensions: Record<string, unknown> } | null;
  history: SagaEntry[];
  correlationId: string;
  identity: unknown;
  startedAt: Date;
  updatedAt: Date;
  /** Wall clock; null while the saga is open or STUCK. Absent in rows older than the retention. */
  finishedAt?: Date | null;
}

export interface SagaStart<I> {
  /** One saga of a kind per key. */
  key: string;
  input: I;
  /** Id of a compensated saga of this key: its row stays, and the new saga takes its key. */
  insteadOf?: string | undefined;
}

/** The arguments of a step: the saga's input, results of earlier steps, and a key that is equal on every attempt. */
export interface StepArgs<I, R> {
  id: string;
  key: string;
  input: I;
  results: Partial<R>;
  signals: Record<string, unknown>;
  /** The `idempotencyKey` for commands of this step. */
  stepKey: string;
  /** Set in a compensation: why the saga is compensating. */
  failure: { code: string; message: string } | null;
}

export interface Step<I, R> {
  kind: 'step';
  name: string;
  /** True: runs in a transaction of this subgraph with the row's progress, so it happens exactly once. False: it calls other subgraphs. */
  local: boolean;
  /** True: retried until there is a response, however long that takes. For effects that may have happened without a response. */
  untilAnswered: boolean;
  run(ctx: AnyContext, args: StepArgs<I, R>): Promise<unknown>;
  /** Must be safe when the step never ran, and when it is repeated. */
  compensate: ((ctx: AnyContext, args: StepArgs<I, R>) => Promise<unknown>) | undefined;
}

export interface Wait<I, R> {
  kind: 'wait';
  name: string;
  withinMs: number;
  /** The wait is skipped when this returns false. */
  when: (args: StepArgs<I, R>) => boolean;
  /** Reads the signal: a thrown Problem starts the compensation. */
  accept: (signal: unknown) => unknown;
}

export interface Saga<I = unknown, R = Record<string, unknown>> {
  name: string;
  input: z.ZodType<I>;
  steps: (Step<I, R> | Wait<I, R>)[];
}

interface StepOptions<C, I, R> {
  local?: boolean;
  untilAnswered?: boolean;
  run(ctx: C, args: StepArgs<I, R>): Promise<unknown>;
  compensate?(ctx: C, args: StepArgs<I, R>): Promise<unknown>;
}

interface WaitOptions<I, R> {
  withinMs: number;
  when?: (args: StepArgs<I, R>) => boolean;
  accept?: (signal: unknown) => unknown;
}

/**
 * A typed saga. `R` names the result of each step. `build` receives `step` and `waitFor` so that their types follow the saga's.
 * Open rows find their step by name: a step may be added or moved. Renaming or removing a step makes the sagas STUCK that are at it or must
 * compensate it. A `Problem` thrown by a step starts the compensation; any other error is retried first.
 */
export function defineSaga<C extends AnyContext, I, R>(
  name: string,
  input: z.ZodType<I>,
  build: (parts: {
    step: (name: string, options: StepOptions<C, I, R>) => Step<I, R>;
    waitFor: (name: string, options: WaitOptions<I, R>) => Wait<I, R>;
  }) => (Step<I, R> | Wait<I, R>)[],
): Saga<I, R> {
  const steps = build({
    step: (stepName, { local = false, untilAnswered = false, run, compensate }) => ({
      kind: 'step',
      name: stepName,
      local,
      untilAnswered,
      run: run as Step<I, R>['run'],
      compensate: compensate as Step<I, R>['compensate'],
    }),
    waitFor: (waitName, { withinMs, when = () => true, accept = (signal) => signal }) => ({
      kind: 'wait',
      name: waitName,
      withinMs,
      when,
      accept,
    }),
  });
  const names = steps.map((step) => step.name);
  if (new Set(names).size < names.length) throw new Error(`The saga ${name} has two steps of one name`);
  return { name, input, steps };
}

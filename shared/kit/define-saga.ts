import type { z } from 'zod';
import type { AnyContext } from './context.ts';

/*
 * Glossary. Saga: a business process over several subgraphs whose truth is one row. Step: one piece of it, safe to repeat, with what undoes
 * it. Wait: a step that ends when an event comes, or fails at its deadline. Signal: such an event, noted on the row. Final: done,
 * compensated, or stuck until a person decides.
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
  /** The business key: one saga of a kind for each. */
  key: string;
  state: SagaState;
  input: I;
  /** What each finished step answered, by its name. */
  results: Record<string, unknown>;
  signals: Record<string, unknown>;
  /** Index of the step to run, or to undo, in the definition of whoever wrote it last. */
  at: number;
  /** Its name, which finds it when the definition has changed. Rows of before have none. */
  step?: string;
  attempts: number;
  /** Not looked at before. */
  wakeAt: Date;
  /** End of the wait it stands in, by the domain's clock. */
  waitsUntil: Date | null;
  lease: { owner: string; token: number; until: Date };
  /** Why it turned back. */
  refusal: { code: string; message: string; step: string; extensions: Record<string, unknown> } | null;
  history: SagaEntry[];
  correlationId: string;
  identity: unknown;
  startedAt: Date;
  updatedAt: Date;
  /** Wall clock; null while it is open or STUCK. Absent in rows from before there was a retention. */
  finishedAt?: Date | null;
}

export interface SagaStart<I> {
  /** One saga of a kind for each key. */
  key: string;
  input: I;
  /** Id of a saga of this key that was turned back: it is kept, but the new one takes its key. */
  insteadOf?: string | undefined;
}

/** What a step sees: the saga's input, what earlier steps answered, and a key that is the same on every attempt. */
export interface StepArgs<I, R> {
  id: string;
  key: string;
  input: I;
  results: Partial<R>;
  signals: Record<string, unknown>;
  /** Give it to commands as `idempotencyKey`. */
  stepKey: string;
  /** Set while undoing: why the saga turned back. */
  refusal: { code: string; message: string } | null;
}

export interface Step<I, R> {
  kind: 'step';
  name: string;
  /** True: runs in a transaction of this subgraph together with the row's progress, so it happens exactly once. False: it calls others. */
  local: boolean;
  /** True: tried until there is an answer, however long the other side is silent. For what may have been done though nobody heard of it. */
  untilAnswered: boolean;
  run(ctx: AnyContext, args: StepArgs<I, R>): Promise<unknown>;
  /** Must be safe when the step never happened, and when it is repeated. */
  undo: ((ctx: AnyContext, args: StepArgs<I, R>) => Promise<unknown>) | undefined;
}

export interface Wait<I, R> {
  kind: 'wait';
  name: string;
  withinMs: number;
  /** Not waited for when it answers false. */
  when: (args: StepArgs<I, R>) => boolean;
  /** Looks at the signal: a thrown Problem turns the saga back. */
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
  undo?(ctx: C, args: StepArgs<I, R>): Promise<unknown>;
}

interface WaitOptions<I, R> {
  withinMs: number;
  when?: (args: StepArgs<I, R>) => boolean;
  accept?: (signal: unknown) => unknown;
}

/**
 * A typed saga. `R` names what each step answers. `build` is given `step` and `wait` so that their types follow the saga's.
 * Rows in flight are found by the names of their steps: a step may be added or moved, but one that is renamed or removed leaves the sagas that
 * stand at it, or must undo it, stuck. A `Problem` thrown by a step turns the saga back; any other error is tried again and turns it back when that does not help.
 */
export function defineSaga<C extends AnyContext, I, R>(
  name: string,
  input: z.ZodType<I>,
  build: (parts: {
    step: (name: string, options: StepOptions<C, I, R>) => Step<I, R>;
    wait: (name: string, options: WaitOptions<I, R>) => Wait<I, R>;
  }) => (Step<I, R> | Wait<I, R>)[],
): Saga<I, R> {
  const steps = build({
    step: (stepName, { local = false, untilAnswered = false, run, undo }) => ({
      kind: 'step',
      name: stepName,
      local,
      untilAnswered,
      run: run as Step<I, R>['run'],
      undo: undo as Step<I, R>['undo'],
    }),
    wait: (waitName, { withinMs, when = () => true, accept = (signal) => signal }) => ({
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

import type { Saga, SagaRow, Step, Wait } from '../kit/define-saga.ts';

type Part = Step<any, any> | Wait<any, any>;

/** Where a row stands in today's definition of its saga. */
export interface Place<P extends Part = Part> {
  steps: Part[];
  index: number;
  step: P;
}

/** Undefined when the definition cannot tell: its step, or one that would have to be undone, is not in it. */
export function placeOf(row: SagaRow, saga: Saga<any, any> | undefined): Place | undefined {
  const steps = saga?.steps ?? [];
  if (row.state === 'COMPENSATING' && Object.keys(row.results).some((name) => !steps.some((step) => step.name === name))) return undefined;
  const index = hasName(row) ? steps.findIndex(({ name }) => name === row.step) : indexOf(row, steps);
  const step = steps[index];
  return step && { steps, index, step };
}

/** A name that is done already was left behind by an older build, which moved the row on by its index alone. */
const hasName = ({ state, step, results }: SagaRow): boolean => step !== undefined && (state === 'COMPENSATING' || !(step in results));

/** An index counts only among the steps it was counted in. */
const indexOf = ({ at, results }: SagaRow, steps: Part[]): number => (steps.slice(0, at).every(({ name }) => name in results) ? at : -1);

export function stepAfter({ steps, index }: Place): Partial<SagaRow> {
  return index + 1 === steps.length ? { at: steps.length, state: 'DONE' } : { ...standingAt(steps, index + 1), state: 'RUNNING' };
}

/** Back to the last one before that was done; what a deploy put between never was. */
export function stepBefore({ steps, index }: Place, { results }: SagaRow): Partial<SagaRow> {
  const before = steps.findLastIndex(({ name }, other) => other < index && name in results);
  return before < 0 ? { state: 'COMPENSATED' } : standingAt(steps, before);
}

const standingAt = (steps: Part[], at: number): Partial<SagaRow> => ({ at, step: steps[at]!.name, attempts: 0, wakeAt: new Date(0) });

import type { Saga, SagaRow, Step, Wait } from '../kit/define-saga.ts';

type Part = Step<any, any> | Wait<any, any>;

/** The position of a row in the current definition of its saga. */
export interface Position<P extends Part = Part> {
  steps: Part[];
  index: number;
  step: P;
}

/** Undefined when the definition lacks the row's step, or a step that it would have to compensate. */
export function positionOf(row: SagaRow, saga: Saga<any, any> | undefined): Position | undefined {
  const steps = saga?.steps ?? [];
  if (row.state === 'COMPENSATING' && Object.keys(row.results).some((name) => !steps.some((step) => step.name === name))) return undefined;
  const index = hasName(row) ? steps.findIndex(({ name }) => name === row.step) : indexOf(row, steps);
  const step = steps[index];
  return step && { steps, index, step };
}

/** The name of a finished step comes from an older build, which advanced the row by its index alone. */
const hasName = ({ state, step, results }: SagaRow): boolean => step !== undefined && (state === 'COMPENSATING' || !(step in results));

/** An index is valid only while the finished steps before it are the same. */
const indexOf = ({ at, results }: SagaRow, steps: Part[]): number => (steps.slice(0, at).every(({ name }) => name in results) ? at : -1);

export function stepAfter({ steps, index }: Position): Partial<SagaRow> {
  return index + 1 === steps.length ? { at: steps.length, state: 'DONE' } : { ...standingAt(steps, index + 1), state: 'RUNNING' };
}

/** The last finished step before this one. A step that a deploy has inserted in between never ran. */
export function stepBefore({ steps, index }: Position, { results }: SagaRow): Partial<SagaRow> {
  const before = steps.findLastIndex(({ name }, other) => other < index && name in results);
  return before < 0 ? { state: 'COMPENSATED' } : standingAt(steps, before);
}

const standingAt = (steps: Part[], at: number): Partial<SagaRow> => ({ at, step: steps[at]!.name, attempts: 0, wakeAt: new Date(0) });

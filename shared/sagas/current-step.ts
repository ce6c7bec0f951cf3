import type { Problem } from '../base/errors.ts';
import type { Refusal, Saga, SagaPart, SagaRow } from '../kit/define-saga.ts';

/** The position of a row in the definition of its version. */
export interface Position<P extends SagaPart = SagaPart> {
  steps: SagaPart[];
  index: number;
  part: P;
}

/** Undefined when the definition cannot say what comes next: another build began the row, or the steps changed under one version. */
export function positionOf(row: SagaRow, saga: Saga<any, any> | undefined): Position | undefined {
  if (!saga || !isOf(row, saga)) return undefined;
  const index = saga.steps.findIndex(({ name }) => name === row.step);
  return { steps: saga.steps, index, part: saga.steps[index]! };
}

/** Whether a row goes on by these steps. One of a build without fingerprints does when it fits them. */
export function isOf(row: SagaRow, { name, version, fingerprint, stepNames }: Omit<Saga, 'input' | 'steps'>): boolean {
  if (row.saga !== name || row.version !== version) return false;
  return row.fingerprint === undefined ? fits(row, stepNames) : row.fingerprint === fingerprint;
}

/** Such rows know no parallel steps. */
function fits({ step, results, refusal }: SagaRow, stepNames: readonly string[]): boolean {
  const index = stepNames.indexOf(step);
  const isKnown = index >= 0 && Object.keys(results).every((name) => stepNames.includes(name));
  return isKnown && (refusal !== null || stepNames.slice(0, index).every((name) => name in results));
}

export function stepAfter({ steps, index }: Position): Partial<SagaRow> {
  return index + 1 === steps.length ? { ...rested(), state: 'DONE' } : { ...standingAt(steps[index + 1]!), state: 'RUNNING' };
}

export function stepBefore({ steps, index }: Position): Partial<SagaRow> {
  return index === 0 ? { ...rested(), state: 'COMPENSATED' } : standingAt(steps[index - 1]!);
}

const standingAt = ({ name }: SagaPart): Partial<SagaRow> => ({ step: name, ...rested() });

/** The failed step is compensated too: its effect before the failure is unknown. */
export const startCompensation = (refusal: Refusal): Partial<SagaRow> => ({ ...rested(), state: 'COMPENSATING', refusal });

export const refusalOf = (step: string, { code, message, extensions, typename }: Problem): Refusal => ({
  code,
  message,
  step,
  extensions: { ...extensions, typename },
});

/** Nothing of the attempts at the last step concerns the next one. */
const rested = (): Partial<SagaRow> => ({ attempts: 0, tryingSince: null, branches: {}, waitsUntil: null, wakeAt: new Date(0) });

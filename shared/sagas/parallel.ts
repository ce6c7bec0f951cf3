import { isProblem } from '../base/errors.ts';
import { crashPoint } from './crash-point.ts';
import { effectOf, isOfRunner, placeOf, withinTime, type StepTools } from './attempt.ts';
import { refusalOf, startCompensation, stepAfter, stepBefore, type Position } from './current-step.ts';
import { COMPENSATION_RETRY, judge, messageOf, nextAttempt } from './retries.ts';
import type { Branch, Parallel, SagaRow, Step } from '../kit/define-saga.ts';

interface ParallelOptions extends StepTools {
  halt(row: SagaRow, state: 'STUCK', step: string, reason: string): Promise<SagaRow>;
}

type AnyStep = Step<any, any>;

const NEW: Branch = { attempts: 0, tryingSince: null, wakeAt: new Date(0), refusal: null, isUndone: false };

/**
 * Runs parallel steps, or their compensations, in rounds: each round tries all that are due side by side and records each by itself, so that
 * a crash repeats only what was not recorded. The saga goes on, or turns back, when all are settled.
 */
export function createParallel({ store, contextFor, now, log, halt }: ParallelOptions) {
  const { save } = store;

  /** The code of a compensation that was refused: an operator must decide. */
  async function attempt(row: SagaRow, step: AnyStep): Promise<string | undefined> {
    const { name } = step;
    const before = branchOf(row, name);
    const record = (change: Partial<Branch>) => ({ [`branches.${name}`]: { ...before, ...change } });
    const work = effectOf(step, row);
    crashPoint(placeOf(row, step, 'before'));
    try {
      const result = work && (await withinTime(step, (limits) => contextFor(row, limits), work));
      crashPoint(placeOf(row, step, 'after'));
      if (!row.refusal) await save(row, { [`results.${name}`]: result ?? null }, { step: name, outcome: 'DONE' });
      else await save(row, record({ isUndone: true }), work && { step: name, outcome: 'UNDONE' });
    } catch (error) {
      if (isOfRunner(error)) throw error;
      log.warn({ err: error, saga: row._id, step: name, correlationId: row.correlationId }, 'a parallel step of a saga failed');
      const retried = { step: name, outcome: 'RETRIED', message: messageOf(error) } as const;
      if (row.refusal) {
        if (isProblem(error) && !error.retryable) return error.code;
        await save(row, record(nextAttempt(before, COMPENSATION_RETRY, now())), retried);
        return undefined;
      }
      const verdict = judge(step, before, error, now());
      if (verdict.again) await save(row, record(verdict.again), retried);
      else
        await save(row, record({ refusal: refusalOf(name, verdict.problem) }), { step: name, outcome: 'REFUSED', message: verdict.note });
    }
    return undefined;
  }

  return async function advance(row: SagaRow, place: Position<Parallel<any, any>>): Promise<SagaRow> {
    const { steps } = place.part;
    const pending = steps.filter((step) => !isSettled(row, step));
    if (pending.length === 0) return save(row, settled(row, place));
    const round = await Promise.allSettled(pending.filter((step) => isDue(row, step)).map((step) => attempt(row, step)));
    for (const result of round) if (result.status === 'rejected') throw result.reason;
    const latest = await store.reload(row);
    const stuck = round.find((result) => result.status === 'fulfilled' && result.value !== undefined);
    if (stuck?.status === 'fulfilled') return halt(latest, 'STUCK', place.part.name, stuck.value!);
    const left = steps.filter((step) => !isSettled(latest, step)).map(({ name }) => branchOf(latest, name).wakeAt.getTime());
    return left.length === 0 ? latest : save(latest, { wakeAt: new Date(Math.min(...left)) });
  };
}

const branchOf = ({ branches }: SagaRow, name: string): Branch => branches[name] ?? NEW;

function isSettled(row: SagaRow, { name }: AnyStep): boolean {
  const { isUndone, refusal } = branchOf(row, name);
  return row.refusal ? isUndone : name in row.results || refusal !== null;
}

/** A row that is to run at once runs all of its branches: it has just come here, or an admin asked. */
const isDue = (row: SagaRow, { name }: AnyStep): boolean =>
  row.wakeAt.getTime() === 0 || branchOf(row, name).wakeAt.getTime() <= Date.now();

function settled(row: SagaRow, place: Position<Parallel<any, any>>): Partial<SagaRow> {
  if (row.refusal) return stepBefore(place);
  const refused = place.part.steps.map(({ name }) => branchOf(row, name).refusal).find((refusal) => refusal !== null);
  return refused ? startCompensation(refused) : stepAfter(place);
}

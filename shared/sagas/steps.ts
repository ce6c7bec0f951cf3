import type { Logger } from 'pino';
import type { AnyContext } from '../kit/context.ts';
import { crashPoint } from './crash-point.ts';
import { isProblem, Problem } from '../base/errors.ts';
import { positionOf, stepAfter, stepBefore, type Position } from './current-step.ts';
import { LostLease, type SagaStore } from './store.ts';
import type { Saga, SagaRow, Step, StepArgs, Wait } from '../kit/define-saga.ts';
import { isAway } from '../store/mongo.ts';

/** 8 attempts, 100 ms doubling to 2 s: about 5 s. Then the saga compensates, unless the step is `untilAnswered`. */
const ATTEMPTS = 8;
const MIN_RETRY_MS = 100;
const MAX_RETRY_MS = 2_000;
/** A compensation is retried until it succeeds. */
const MAX_COMPENSATION_RETRY_MS = 30_000;
const NOW = new Date(0);

interface StepsOptions {
  store: SagaStore;
  /** Undefined when this build knows no saga of that name. */
  definitionOf(name: string): Saga<any, any> | undefined;
  contextFor(row: SagaRow): AnyContext;
  now(): Date;
  log: Logger;
}

/** The failed step is compensated too: its effect before the failure is unknown. */
export const startCompensation = (step: string, problem: Problem): Partial<SagaRow> => ({
  state: 'COMPENSATING',
  attempts: 0,
  wakeAt: NOW,
  waitsUntil: null,
  refusal: { code: problem.code, message: problem.message, step, extensions: { ...problem.extensions, typename: problem.typename } },
});

/** Advances a saga by one step: runs it, waits, or compensates. */
export function createSteps({ store, definitionOf, contextFor, now, log }: StepsOptions) {
  const { save } = store;

  const argsOf = (row: SagaRow, name: string, suffix = ''): StepArgs<any, any> => ({
    id: row._id,
    key: row.key,
    input: row.input,
    results: row.results,
    signals: row.signals,
    stepKey: `${row._id}:${name}${suffix}`,
    failure: row.refusal,
  });

  const forward = (row: SagaRow, place: Position, result: unknown): Partial<SagaRow> => ({
    attempts: 0,
    wakeAt: NOW,
    results: { ...row.results, [place.step.name]: result ?? null },
    waitsUntil: null,
    ...stepAfter(place),
  });

  async function run(row: SagaRow, place: Position<Step<any, any>>): Promise<SagaRow> {
    const { name, local, run: work } = place.step;
    crashPoint(`${row.saga}.${name}:before`);
    try {
      return await effect(row, local, (ctx) => work(ctx, argsOf(row, name)), {
        place: `${row.saga}.${name}:after`,
        progress: (result) => forward(row, place, result),
        entry: { step: name, outcome: 'DONE' },
      });
    } catch (error) {
      if (error instanceof LostLease || isAway(error)) throw error;
      return failed(row, name, error);
    }
  }

  async function compensate(row: SagaRow, place: Position): Promise<SagaRow> {
    const { step } = place;
    const back = stepBefore(place, row);
    if (step.kind !== 'step' || !step.compensate) return save(row, back);
    const { compensate: work, name } = step;
    crashPoint(`${row.saga}.${name}:undo-before`);
    try {
      return await effect(row, step.local, (ctx) => work(ctx, argsOf(row, name, ':undo')), {
        place: `${row.saga}.${name}:undo-after`,
        progress: () => back,
        entry: { step: name, outcome: 'UNDONE' },
      });
    } catch (error) {
      if (error instanceof LostLease || isAway(error)) throw error;
      return compensationFailed(row, name, error);
    }
  }

  interface Effect {
    place: string;
    progress(result: unknown): Partial<SagaRow>;
    entry: { step: string; outcome: 'DONE' | 'UNDONE' };
  }

  /** A local effect and its progress are one transaction. A remote effect runs first, and runs again when the progress was lost. */
  async function effect(
    row: SagaRow,
    local: boolean,
    work: (ctx: AnyContext) => Promise<unknown>,
    { place, progress, entry }: Effect,
  ): Promise<SagaRow> {
    const ctx = contextFor(row);
    if (!local) {
      const result = await work(ctx);
      crashPoint(place);
      return save(row, progress(result), entry);
    }
    const saved = await ctx.transaction(async (inner) => save(row, progress(await work(inner)), entry, inner));
    crashPoint(place);
    return saved;
  }

  const isTriedUntilAnswered = (row: SagaRow, name: string): boolean =>
    definitionOf(row.saga)?.steps.some((step) => step.kind === 'step' && step.name === name && step.untilAnswered) ?? false;

  async function failed(row: SagaRow, step: string, error: unknown): Promise<SagaRow> {
    if (isProblem(error) && !error.retryable) {
      return save(row, startCompensation(step, error), { step, outcome: 'REFUSED', message: error.code });
    }
    const attempts = row.attempts + 1;
    log.warn({ err: error, saga: row._id, step, attempts, correlationId: row.correlationId }, 'a saga step failed');
    if (attempts >= ATTEMPTS && !isTriedUntilAnswered(row, step)) {
      const problem = isProblem(error) ? error : new Problem('UNAVAILABLE', 'A part of the system did not answer in time.');
      return save(row, startCompensation(step, problem), { step, outcome: 'REFUSED', message: `gave up after ${attempts} attempts` });
    }
    return save(row, { attempts, wakeAt: retryAt(attempts, MAX_RETRY_MS) }, { step, outcome: 'RETRIED', message: messageOf(error) });
  }

  async function compensationFailed(row: SagaRow, step: string, error: unknown): Promise<SagaRow> {
    if (isProblem(error) && !error.retryable) return park(row, step, error.code);
    log.error({ err: error, saga: row._id, step, correlationId: row.correlationId }, 'a compensation failed; it will be tried again');
    const attempts = row.attempts + 1;
    return save(
      row,
      { attempts, wakeAt: retryAt(attempts, MAX_COMPENSATION_RETRY_MS) },
      { step, outcome: 'RETRIED', message: messageOf(error) },
    );
  }

  async function park(row: SagaRow, step: string, reason: string): Promise<SagaRow> {
    const parked = await save(row, { state: 'STUCK' }, { step, outcome: 'REFUSED', message: reason });
    log.error(
      { saga: row._id, name: row.saga, step, reason, correlationId: row.correlationId },
      'a saga is stuck: an operator must decide',
    );
    return parked;
  }

  /** During a deploy, another process may know a step that this build does not know. */
  async function unknownStep(row: SagaRow): Promise<SagaRow> {
    const attempts = row.attempts + 1;
    if (attempts >= ATTEMPTS) return park(row, row.step ?? String(row.at), 'UNKNOWN_STEP');
    return save(row, { attempts, wakeAt: retryAt(attempts, MAX_RETRY_MS) });
  }

  async function waitForSignal(row: SagaRow, place: Position<Wait<any, any>>): Promise<SagaRow> {
    const { name, when, withinMs } = place.step;
    if (!when(argsOf(row, name))) return save(row, forward(row, place, null));
    if (name in row.signals) return accept(row, place);
    if (!row.waitsUntil) {
      const waitsUntil = new Date(now().getTime() + withinMs);
      return save(row, { state: 'WAITING', waitsUntil }, { step: name, outcome: 'WAITS' });
    }
    if (now() < row.waitsUntil) return row;
    return save(row, startCompensation(name, new Problem('TIMEOUT', `${name} did not come in time.`)), {
      step: name,
      outcome: 'TIMED_OUT',
    });
  }

  async function accept(row: SagaRow, place: Position<Wait<any, any>>): Promise<SagaRow> {
    const { name, accept: read } = place.step;
    try {
      return await save(row, forward(row, place, read(row.signals[name])), { step: name, outcome: 'DONE' });
    } catch (error) {
      if (!isProblem(error)) throw error;
      return save(row, startCompensation(name, error), { step: name, outcome: 'REFUSED', message: error.code });
    }
  }

  return {
    async advance(row: SagaRow): Promise<SagaRow> {
      const place = positionOf(row, definitionOf(row.saga));
      if (!place) return unknownStep(row);
      if (row.state === 'COMPENSATING') return compensate(row, place);
      const { step } = place;
      return step.kind === 'wait' ? waitForSignal(row, { ...place, step }) : run(row, { ...place, step });
    },
    /** A signal that came while the row was saved as WAITING is already on it. */
    isAsleep: (row: SagaRow): boolean =>
      row.state === 'WAITING' && !((positionOf(row, definitionOf(row.saga))?.step.name ?? '') in row.signals),
  };
}

/** Half of the pause is random, so that sagas that failed together do not retry together. */
function retryAt(attempt: number, maxMs: number): Date {
  const full = Math.min(MIN_RETRY_MS * 2 ** (attempt - 1), maxMs);
  return new Date(Date.now() + full / 2 + Math.random() * (full / 2));
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error)).slice(0, 300);

import type { Logger } from 'pino';
import type { AnyContext } from '../kit/context.ts';
import { crashPoint } from './crash-point.ts';
import { isProblem, Problem } from '../base/errors.ts';
import { placeOf, stepAfter, stepBefore, type Place } from './current-step.ts';
import { LostLease, type SagaStore } from './store.ts';
import type { Saga, SagaRow, Step, StepArgs, Wait } from '../kit/define-saga.ts';
import { isAway } from '../store/mongo.ts';

/** 8 tries, 100 ms doubling to 2 s: about 5 s, then the saga turns back, unless the step is tried until it is answered. */
const ATTEMPTS = 8;
const FIRST_RETRY_MS = 100;
const LAST_RETRY_MS = 2_000;
/** What must be undone is tried until it succeeds. */
const LAST_UNDO_RETRY_MS = 30_000;
const NOW = new Date(0);

interface StepsOptions {
  store: SagaStore;
  /** Undefined when this build knows no saga of that name. */
  definitionOf(name: string): Saga<any, any> | undefined;
  contextFor(row: SagaRow): AnyContext;
  now(): Date;
  log: Logger;
}

/** The step at which the saga turned is undone too: what it did before it failed is not known. */
export const turnBack = (step: string, problem: Problem): Partial<SagaRow> => ({
  state: 'COMPENSATING',
  attempts: 0,
  wakeAt: NOW,
  waitsUntil: null,
  refusal: { code: problem.code, message: problem.message, step, extensions: { ...problem.extensions, typename: problem.typename } },
});

/** Moves a saga on by one step: forward, at a wait, or back. */
export function createSteps({ store, definitionOf, contextFor, now, log }: StepsOptions) {
  const { save } = store;

  const argsOf = (row: SagaRow, name: string, suffix = ''): StepArgs<any, any> => ({
    id: row._id,
    key: row.key,
    input: row.input,
    results: row.results,
    signals: row.signals,
    stepKey: `${row._id}:${name}${suffix}`,
    refusal: row.refusal,
  });

  const forward = (row: SagaRow, place: Place, result: unknown): Partial<SagaRow> => ({
    attempts: 0,
    wakeAt: NOW,
    results: { ...row.results, [place.step.name]: result ?? null },
    waitsUntil: null,
    ...stepAfter(place),
  });

  async function run(row: SagaRow, place: Place<Step<any, any>>): Promise<SagaRow> {
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

  async function undo(row: SagaRow, place: Place): Promise<SagaRow> {
    const { step } = place;
    const back = stepBefore(place, row);
    if (step.kind !== 'step' || !step.undo) return save(row, back);
    const { undo: work, name } = step;
    crashPoint(`${row.saga}.${name}:undo-before`);
    try {
      return await effect(row, step.local, (ctx) => work(ctx, argsOf(row, name, ':undo')), {
        place: `${row.saga}.${name}:undo-after`,
        progress: () => back,
        entry: { step: name, outcome: 'UNDONE' },
      });
    } catch (error) {
      if (error instanceof LostLease || isAway(error)) throw error;
      return notUndone(row, name, error);
    }
  }

  interface Effect {
    place: string;
    progress(result: unknown): Partial<SagaRow>;
    entry: { step: string; outcome: 'DONE' | 'UNDONE' };
  }

  /** A local effect and its progress are one transaction; a remote one is done first, and repeated when the progress was lost. */
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
      return save(row, turnBack(step, error), { step, outcome: 'REFUSED', message: error.code });
    }
    const attempts = row.attempts + 1;
    log.warn({ err: error, saga: row._id, step, attempts, correlationId: row.correlationId }, 'a saga step failed');
    if (attempts >= ATTEMPTS && !isTriedUntilAnswered(row, step)) {
      const problem = isProblem(error) ? error : new Problem('UNAVAILABLE', 'A part of the system did not answer in time.');
      return save(row, turnBack(step, problem), { step, outcome: 'REFUSED', message: `gave up after ${attempts} attempts` });
    }
    return save(row, { attempts, wakeAt: retryAt(attempts, LAST_RETRY_MS) }, { step, outcome: 'RETRIED', message: messageOf(error) });
  }

  async function notUndone(row: SagaRow, step: string, error: unknown): Promise<SagaRow> {
    if (isProblem(error) && !error.retryable) return park(row, step, error.code);
    log.error({ err: error, saga: row._id, step, correlationId: row.correlationId }, 'a saga step could not be undone');
    const attempts = row.attempts + 1;
    return save(row, { attempts, wakeAt: retryAt(attempts, LAST_UNDO_RETRY_MS) }, { step, outcome: 'RETRIED', message: messageOf(error) });
  }

  async function park(row: SagaRow, step: string, reason: string): Promise<SagaRow> {
    const parked = await save(row, { state: 'STUCK' }, { step, outcome: 'REFUSED', message: reason });
    log.error({ saga: row._id, name: row.saga, step, reason, correlationId: row.correlationId }, 'a saga is stuck: it needs a person');
    return parked;
  }

  /** While a deploy goes on, another process may know the step that this one does not know, or does not know any more. */
  async function lost(row: SagaRow): Promise<SagaRow> {
    const attempts = row.attempts + 1;
    if (attempts >= ATTEMPTS) return park(row, row.step ?? String(row.at), 'UNKNOWN_STEP');
    return save(row, { attempts, wakeAt: retryAt(attempts, LAST_RETRY_MS) });
  }

  async function stand(row: SagaRow, place: Place<Wait<any, any>>): Promise<SagaRow> {
    const { name, when, withinMs } = place.step;
    if (!when(argsOf(row, name))) return save(row, forward(row, place, null));
    if (name in row.signals) return accept(row, place);
    if (!row.waitsUntil) {
      const waitsUntil = new Date(now().getTime() + withinMs);
      return save(row, { state: 'WAITING', waitsUntil }, { step: name, outcome: 'WAITS' });
    }
    if (now() < row.waitsUntil) return row;
    return save(row, turnBack(name, new Problem('TIMEOUT', `${name} did not come in time.`)), { step: name, outcome: 'TIMED_OUT' });
  }

  async function accept(row: SagaRow, place: Place<Wait<any, any>>): Promise<SagaRow> {
    const { name, accept: read } = place.step;
    try {
      return await save(row, forward(row, place, read(row.signals[name])), { step: name, outcome: 'DONE' });
    } catch (error) {
      if (!isProblem(error)) throw error;
      return save(row, turnBack(name, error), { step: name, outcome: 'REFUSED', message: error.code });
    }
  }

  return {
    async advance(row: SagaRow): Promise<SagaRow> {
      const place = placeOf(row, definitionOf(row.saga));
      if (!place) return lost(row);
      if (row.state === 'COMPENSATING') return undo(row, place);
      const { step } = place;
      return step.kind === 'wait' ? stand(row, { ...place, step }) : run(row, { ...place, step });
    },
    /** A signal that came while the row was being put to sleep is on it already. */
    isAsleep: (row: SagaRow): boolean =>
      row.state === 'WAITING' && !((placeOf(row, definitionOf(row.saga))?.step.name ?? '') in row.signals),
  };
}

/** Half of the full pause is left to chance, so that those who failed together do not come back together. */
function retryAt(attempt: number, longest: number): Date {
  const full = Math.min(FIRST_RETRY_MS * 2 ** (attempt - 1), longest);
  return new Date(Date.now() + full / 2 + Math.random() * (full / 2));
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error)).slice(0, 300);

import type { AnyContext } from '../kit/context.ts';
import { crashPoint } from './crash-point.ts';
import { isProblem, Problem } from '../base/errors.ts';
import { argsOf, effectOf, isOfRunner, placeOf, withinTime, type StepTools } from './attempt.ts';
import { isOf, positionOf, refusalOf, startCompensation, stepAfter, stepBefore, type Position } from './current-step.ts';
import type { Definitions } from './definitions.ts';
import { createParallel } from './parallel.ts';
import { COMPENSATION_RETRY, judge, messageOf, nextAttempt } from './retries.ts';
import type { SagaChange } from './store.ts';
import { sagaHalted } from '../kit/saga-halted.ts';
import type { SagaEntry, SagaRow, Step, Wait } from '../kit/define-saga.ts';

/** Of a wait whose functions throw; what is wrong with them needs a new build. */
const WAIT_ATTEMPTS = 8;

interface StepsOptions extends StepTools {
  definitions: Pick<Definitions, 'of' | 'announced'>;
}

/** Advances a saga by one step: runs it, waits, or compensates. */
export function createSteps({ store, definitions, contextFor, now, log }: StepsOptions) {
  const { save } = store;

  const forward = (place: Position, result: unknown): SagaChange => ({
    [`results.${place.part.name}`]: result ?? null,
    ...stepAfter(place),
  });

  async function run(row: SagaRow, place: Position<Step<any, any>>): Promise<SagaRow> {
    const step = place.part;
    const work = effectOf(step, row);
    if (!work) return save(row, stepBefore(place));
    const entry = { step: step.name, outcome: row.refusal ? 'UNDONE' : 'DONE' } as const;
    const progress = (result: unknown): SagaChange => (row.refusal ? stepBefore(place) : forward(place, result));
    crashPoint(placeOf(row, step, 'before'));
    try {
      return await (step.local ? runLocally(row, step, work, { progress, entry }) : runElsewhere(row, step, work, { progress, entry }));
    } catch (error) {
      if (isOfRunner(error)) throw error;
      return row.refusal ? compensationFailed(row, step.name, error) : failed(row, step, error);
    }
  }

  interface Outcome {
    progress(result: unknown): SagaChange;
    entry: Omit<SagaEntry, 'at'>;
  }
  type Work = (ctx: AnyContext) => Promise<unknown>;

  /** The effect and its progress are one transaction. */
  async function runLocally(row: SagaRow, step: Step<any, any>, work: Work, { progress, entry }: Outcome): Promise<SagaRow> {
    const ctx = contextFor(row, { deadline: Date.now() + step.timeoutMs });
    const saved = await ctx.transaction(async (inner) => save(row, progress(await work(inner)), entry, inner));
    crashPoint(placeOf(row, step, 'after'));
    return saved;
  }

  /** The effect comes first, and again when its progress was lost. */
  async function runElsewhere(row: SagaRow, step: Step<any, any>, work: Work, { progress, entry }: Outcome): Promise<SagaRow> {
    const result = await withinTime(step, (limits) => contextFor(row, limits), work);
    crashPoint(placeOf(row, step, 'after'));
    return save(row, progress(result), entry);
  }

  async function failed(row: SagaRow, step: Step<any, any>, error: unknown): Promise<SagaRow> {
    const { name } = step;
    const verdict = judge(step, row, error, now());
    log.warn({ err: error, saga: row._id, step: name, attempts: row.attempts + 1, correlationId: row.correlationId }, 'a saga step failed');
    if (verdict.again) return save(row, { ...verdict.again }, { step: name, outcome: 'RETRIED', message: messageOf(error) });
    return save(row, startCompensation(refusalOf(name, verdict.problem)), { step: name, outcome: 'REFUSED', message: verdict.note });
  }

  async function compensationFailed(row: SagaRow, step: string, error: unknown): Promise<SagaRow> {
    if (isProblem(error) && !error.retryable) return halt(row, 'STUCK', step, error.code);
    log.error({ err: error, saga: row._id, step, correlationId: row.correlationId }, 'a compensation failed; it will be tried again');
    return save(row, { ...nextAttempt(row, COMPENSATION_RETRY, now()) }, { step, outcome: 'RETRIED', message: messageOf(error) });
  }

  /** The saga does not go on by itself: said once, with the change of its row. */
  async function halt(row: SagaRow, state: 'STUCK' | 'PARKED', step: string, reason: string): Promise<SagaRow> {
    const { _id: sagaId, saga: name, version, key, correlationId } = row;
    const halted = await contextFor(row).transaction(async (inner) => {
      inner.publish(sagaHalted({ subgraph: inner.subgraph, sagaId, name, version, key, step, state, reason }));
      return save(row, { state }, { step, outcome: state === 'PARKED' ? 'PARKED' : 'REFUSED', message: reason }, inner);
    });
    const text = state === 'PARKED' ? 'a saga is parked: no build at work knows its step' : 'a saga is stuck: an operator must decide';
    log.error({ saga: sagaId, name, version, step, reason, correlationId }, text);
    return halted;
  }

  async function waitForSignal(row: SagaRow, place: Position<Wait<any, any>>): Promise<SagaRow> {
    const { name, when, withinMs, accept } = place.part;
    if (!when(argsOf(row, name))) return save(row, forward(place, null));
    if (name in row.signals) return save(row, forward(place, accept(row.signals[name])), { step: name, outcome: 'DONE' });
    if (!row.waitsUntil) {
      const waitsUntil = new Date(now().getTime() + withinMs(argsOf(row, name)));
      if (Number.isNaN(waitsUntil.getTime())) throw new TypeError(`withinMs of ${name} is no number of milliseconds`);
      return save(row, { state: 'WAITING', waitsUntil }, { step: name, outcome: 'WAITS' });
    }
    if (now() < row.waitsUntil) return row.state === 'WAITING' ? row : save(row, { state: 'WAITING' });
    const refusal = refusalOf(name, new Problem('TIMEOUT', `${name} did not come in time.`));
    return save(row, startCompensation(refusal), { step: name, outcome: 'TIMED_OUT' });
  }

  async function wait(row: SagaRow, place: Position<Wait<any, any>>): Promise<SagaRow> {
    const { name } = place.part;
    if (row.refusal) return save(row, stepBefore(place));
    try {
      return await waitForSignal(row, place);
    } catch (error) {
      if (isOfRunner(error)) throw error;
      if (isProblem(error))
        return save(row, startCompensation(refusalOf(name, error)), { step: name, outcome: 'REFUSED', message: error.code });
      if (row.attempts + 1 >= WAIT_ATTEMPTS) return halt(row, 'STUCK', name, messageOf(error));
      return save(row, nextAttempt(row, {}, now()), { step: name, outcome: 'RETRIED', message: messageOf(error) });
    }
  }

  const isKnownElsewhere = async (row: SagaRow): Promise<boolean> => (await definitions.announced()).some((known) => isOf(row, known));

  const parallel = createParallel({ store, contextFor, now, log, halt });

  return {
    async advance(row: SagaRow): Promise<SagaRow> {
      const saga = definitions.of(row);
      const place = positionOf(row, saga);
      if (!place) return (await isKnownElsewhere(row)) ? row : halt(row, 'PARKED', row.step, 'UNKNOWN_STEP');
      // A row of a build before versions is of these steps from now on.
      if (row.fingerprint === undefined) return save(row, { version: row.version, fingerprint: saga!.fingerprint });
      if (row.turnBack && !row.refusal) return save(row, startCompensation(row.turnBack));
      const { part } = place;
      if (part.kind === 'wait') return wait(row, { ...place, part });
      if (part.kind === 'parallel') return parallel(row, { ...place, part });
      return run(row, { ...place, part });
    },
    /** A signal that came while the row was saved as WAITING is already on it. */
    isAsleep: (row: SagaRow): boolean => row.state === 'WAITING' && !(row.step in row.signals) && !row.turnBack,
  };
}

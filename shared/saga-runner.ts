import { randomUUID } from 'node:crypto';
import type { Connection } from 'mongoose';
import type { Logger } from 'pino';
import type { AnyContext } from './context.ts';
import { crashPoint } from './crash.ts';
import { isProblem, notFound, Problem } from './errors.ts';
import { newId } from './ids.ts';
import { FINAL_STATES, type Saga, type SagaEntry, type SagaRow, type Step, type StepArgs, type Wait } from './sagas.ts';
import { createIndexes } from './store.ts';

interface RunnerOptions {
  db: Connection;
  sagas: Saga<any, any>[];
  owner: string;
  log: Logger;
  now(): Date;
  contextFor(row: SagaRow): AnyContext;
}

/** Longer than any step's timeout but the payments' 60 s, which the heartbeat covers. */
const LEASE_MS = 10_000;
const HEARTBEAT_MS = 3_000;
const SWEEP_MS = 1_000;
const SWEEP_BATCH = 50;
/** 8 tries, 100 ms doubling to 5 s: about 17 s, then the saga turns back. */
const ATTEMPTS = 8;
const FIRST_RETRY_MS = 100;
const LAST_RETRY_MS = 5_000;
const LAST_UNDO_RETRY_MS = 30_000;

export const sagasOf = (db: Connection) => db.collection<SagaRow>('sagas');

export async function createSagaStore(db: Connection): Promise<void> {
  await createIndexes(db, 'sagas', [
    { key: { saga: 1, key: 1 }, name: 'key', unique: true },
    { key: { state: 1, wakeAt: 1 }, name: 'wakeAt' },
    { key: { startedAt: -1 }, name: 'startedAt' },
  ]);
}

class LostLease extends Error {}

/** Runs the sagas of one subgraph: at most one runner a saga, by lease with a fencing token; what a crash left is picked up by the sweeper. */
export function createSagaRunner(options: RunnerOptions) {
  const { db, owner, log, now } = options;
  const rows = sagasOf(db);
  const definitions = new Map(options.sagas.map((saga) => [saga.name, saga]));
  const running = new Map<string, Promise<SagaRow>>();
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;

  const definitionOf = (name: string): Saga<any, any> => {
    const found = definitions.get(name);
    if (!found) throw new Error(`No saga is called ${name}`);
    return found;
  };

  async function start<I>(ctx: AnyContext, saga: Saga<I, any>, { key, input }: { key: string; input: I }): Promise<string> {
    if (!ctx.session) throw new Error('A saga starts in the transaction that causes it');
    const at = now();
    const row: SagaRow = {
      _id: newId('saga'),
      saga: saga.name,
      key,
      state: 'RUNNING',
      input: saga.input.parse(input),
      results: {},
      signals: {},
      at: 0,
      attempts: 0,
      wakeAt: new Date(0),
      waitsUntil: null,
      // Held from the start by whoever began it, so that the sweeper of another process does not take it at once.
      lease: { owner, token: 1, until: new Date(Date.now() + LEASE_MS) },
      refusal: null,
      history: [],
      correlationId: ctx.correlationId,
      identity: ctx.identity,
      startedAt: at,
      updatedAt: at,
    };
    await rows.insertOne(row, { session: ctx.session });
    return row._id;
  }

  async function acquire(id: string): Promise<SagaRow | null> {
    const wall = new Date();
    return rows.findOneAndUpdate(
      { _id: id, state: { $nin: [...FINAL_STATES] }, $or: [{ 'lease.until': { $lte: wall } }, { 'lease.owner': owner }] },
      { $set: { 'lease.owner': owner, 'lease.until': new Date(wall.getTime() + LEASE_MS) }, $inc: { 'lease.token': 1 } },
      { returnDocument: 'after' },
    );
  }

  /** Writes progress, but only while the lease is still this runner's. */
  async function save(
    row: SagaRow,
    change: Partial<SagaRow>,
    entry: Omit<SagaEntry, 'at'> | undefined,
    ctx?: AnyContext,
  ): Promise<SagaRow> {
    const isFinal = change.state !== undefined && FINAL_STATES.includes(change.state);
    const set = { ...change, updatedAt: now(), 'lease.until': isFinal ? new Date(0) : new Date(Date.now() + LEASE_MS) };
    const saved = await rows.findOneAndUpdate(
      { _id: row._id, 'lease.token': row.lease.token },
      { $set: set, ...(entry && { $push: { history: { ...entry, at: now() } } }) },
      { returnDocument: 'after', ...(ctx?.session && { session: ctx.session }) },
    );
    if (!saved) throw new LostLease();
    return saved;
  }

  const argsOf = (row: SagaRow, name: string): StepArgs<any, any> => ({
    id: row._id,
    key: row.key,
    input: row.input,
    results: row.results,
    signals: row.signals,
    stepKey: `${row._id}:${name}`,
    refusal: row.refusal,
  });

  const forward = (row: SagaRow, name: string, result: unknown): Partial<SagaRow> => ({
    at: row.at + 1,
    attempts: 0,
    wakeAt: new Date(0),
    results: { ...row.results, [name]: result ?? null },
    state: row.at + 1 === definitionOf(row.saga).steps.length ? 'DONE' : 'RUNNING',
    waitsUntil: null,
  });

  /** The step at which the saga turned is undone too: what it did before it failed is not known. */
  const turnBack = (row: SagaRow, step: string, problem: Problem): Partial<SagaRow> => ({
    state: 'COMPENSATING',
    attempts: 0,
    wakeAt: new Date(0),
    waitsUntil: null,
    refusal: { code: problem.code, message: problem.message, step, extensions: { ...problem.extensions, typename: problem.typename } },
  });

  async function runStep(row: SagaRow, step: Step<any, any>): Promise<SagaRow> {
    const place = `${row.saga}.${step.name}`;
    crashPoint(`${place}:before`);
    const ctx = options.contextFor(row);
    const done = { step: step.name, outcome: 'DONE' as const };
    try {
      if (!step.local) {
        const result = await step.run(ctx, argsOf(row, step.name));
        crashPoint(`${place}:after`);
        return await save(row, forward(row, step.name, result), done);
      }
      const saved = await ctx.transaction(async (inner) => {
        const result = await step.run(inner, argsOf(row, step.name));
        return save(row, forward(row, step.name, result), done, inner);
      });
      crashPoint(`${place}:after`);
      return saved;
    } catch (error) {
      if (error instanceof LostLease) throw error;
      return failed(row, step.name, error);
    }
  }

  async function failed(row: SagaRow, step: string, error: unknown): Promise<SagaRow> {
    if (isProblem(error) && !error.retryable) {
      return save(row, turnBack(row, step, error), { step, outcome: 'REFUSED', message: error.code });
    }
    const attempts = row.attempts + 1;
    log.warn({ err: error, saga: row._id, step, attempts, correlationId: row.correlationId }, 'a saga step failed');
    if (attempts >= ATTEMPTS) {
      const problem = isProblem(error) ? error : new Problem('UNAVAILABLE', 'A part of the system did not answer in time.');
      return save(row, turnBack(row, step, problem), { step, outcome: 'REFUSED', message: `gave up after ${attempts} attempts` });
    }
    const wakeAt = new Date(Date.now() + retryDelay(attempts, LAST_RETRY_MS));
    return save(row, { attempts, wakeAt }, { step, outcome: 'RETRIED', message: messageOf(error) });
  }

  async function standAtWait(row: SagaRow, wait: Wait<any, any>): Promise<SagaRow> {
    const args = argsOf(row, wait.name);
    if (!wait.when(args)) return save(row, forward(row, wait.name, null), undefined);
    if (wait.name in row.signals) {
      try {
        return await save(row, forward(row, wait.name, wait.accept(row.signals[wait.name])), { step: wait.name, outcome: 'DONE' });
      } catch (error) {
        if (!isProblem(error)) throw error;
        return save(row, turnBack(row, wait.name, error), { step: wait.name, outcome: 'REFUSED', message: error.code });
      }
    }
    if (!row.waitsUntil) {
      const waitsUntil = new Date(now().getTime() + wait.withinMs);
      return save(row, { state: 'WAITING', waitsUntil }, { step: wait.name, outcome: 'WAITS' });
    }
    if (now() < row.waitsUntil) return row;
    const late = new Problem('TIMEOUT', `${wait.name} did not come in time.`);
    return save(row, turnBack(row, wait.name, late), { step: wait.name, outcome: 'TIMED_OUT' });
  }

  async function undoStep(row: SagaRow): Promise<SagaRow> {
    const step = definitionOf(row.saga).steps[row.at];
    const back: Partial<SagaRow> = row.at === 0 ? { state: 'COMPENSATED' } : { at: row.at - 1, attempts: 0 };
    if (step?.kind !== 'step' || !step.undo) return save(row, back, undefined);
    const { undo, name } = step;
    const place = `${row.saga}.${name}`;
    const ctx = options.contextFor(row);
    const args = { ...argsOf(row, name), stepKey: `${row._id}:${name}:undo` };
    const done = { step: name, outcome: 'UNDONE' as const };
    crashPoint(`${place}:undo-before`);
    try {
      if (!step.local) await undo(ctx, args);
      if (!step.local) crashPoint(`${place}:undo-after`);
      const saved = step.local
        ? await ctx.transaction(async (inner) => {
            await undo(inner, args);
            return save(row, back, done, inner);
          })
        : await save(row, back, done);
      crashPoint(`${place}:undo-after`);
      return saved;
    } catch (error) {
      if (error instanceof LostLease) throw error;
      log.error({ err: error, saga: row._id, step: name, correlationId: row.correlationId }, 'a saga step could not be undone');
      if (isProblem(error) && !error.retryable) {
        return save(row, { state: 'STUCK' }, { step: name, outcome: 'REFUSED', message: error.code });
      }
      const wakeAt = new Date(Date.now() + retryDelay(row.attempts + 1, LAST_UNDO_RETRY_MS));
      return save(row, { attempts: row.attempts + 1, wakeAt }, { step: name, outcome: 'RETRIED', message: messageOf(error) });
    }
  }

  async function advance(row: SagaRow): Promise<SagaRow> {
    if (row.state === 'COMPENSATING') return undoStep(row);
    const step = definitionOf(row.saga).steps[row.at];
    if (!step) throw new Error(`Saga ${row._id} stands at no step`);
    return step.kind === 'wait' ? standAtWait(row, step) : runStep(row, step);
  }

  /** Goes on until it is final, waits, must pause before a retry, or `until` has passed. */
  async function drive(id: string, until: number): Promise<SagaRow> {
    let row = await acquire(id);
    if (!row) return load(id);
    const { token } = row.lease;
    const heartbeat = setInterval(() => {
      void rows
        .updateOne({ _id: id, 'lease.token': token }, { $set: { 'lease.until': new Date(Date.now() + LEASE_MS) } })
        .catch(() => undefined);
    }, HEARTBEAT_MS);
    try {
      while (!stopped && !FINAL_STATES.includes(row.state)) {
        const pause = row.wakeAt.getTime() - Date.now();
        if (pause > 0) {
          if (Date.now() + pause >= until) break;
          await new Promise((resolve) => setTimeout(resolve, pause));
        }
        const before: SagaRow = row;
        row = await advance(row);
        // A signal that came while the row was being put to sleep is on it already.
        if (row === before || (row.state === 'WAITING' && !hasSignal(row))) break;
        if (Date.now() >= until) break;
      }
      return row;
    } catch (error) {
      if (!(error instanceof LostLease)) throw error;
      return await load(id);
    } finally {
      clearInterval(heartbeat);
      // Free for the sweeper at once; a runner that lost its lease changes nothing here.
      if (!FINAL_STATES.includes(row.state)) {
        await rows.updateOne({ _id: id, 'lease.token': token }, { $set: { 'lease.until': new Date(0) } }).catch(() => undefined);
      }
    }
  }

  const hasSignal = (row: SagaRow): boolean => (definitionOf(row.saga).steps[row.at]?.name ?? '') in row.signals;

  async function load(id: string): Promise<SagaRow> {
    const row = await rows.findOne({ _id: id });
    if (!row) throw notFound('Saga', id);
    return row;
  }

  function run(id: string, until: number = Date.now() + LEASE_MS): Promise<SagaRow> {
    const joined = running.get(id);
    if (joined) return joined;
    const driven = drive(id, until).finally(() => running.delete(id));
    running.set(id, driven);
    return driven;
  }

  async function due(): Promise<string[]> {
    const wall = new Date();
    const found = await rows
      .find(
        {
          'lease.until': { $lte: wall },
          $or: [
            { state: { $in: ['RUNNING', 'COMPENSATING'] }, wakeAt: { $lte: wall } },
            { state: 'WAITING', waitsUntil: { $lte: now() } },
          ],
        },
        { projection: { _id: 1 } },
      )
      .limit(SWEEP_BATCH)
      .toArray();
    return found.map(({ _id }) => _id);
  }

  async function sweep(): Promise<void> {
    for (const id of await due())
      if (!stopped) await run(id).catch((error) => log.error({ err: error, saga: id }, 'a saga could not be moved on'));
  }

  async function signal(saga: Saga<any, any>, key: string, name: string, data: unknown, ctx?: AnyContext): Promise<void> {
    const options_ = ctx?.session ? { session: ctx.session } : {};
    // The first signal counts: events may come twice.
    await rows.updateOne(
      { saga: saga.name, key, [`signals.${name}`]: { $exists: false } },
      { $set: { [`signals.${name}`]: data ?? null } },
      options_,
    );
    await rows.updateOne({ saga: saga.name, key, state: 'WAITING' }, { $set: { state: 'RUNNING', wakeAt: new Date(0) } }, options_);
  }

  return {
    start,
    run,
    load,
    signal,
    sweep,
    byKey: (saga: Saga<any, any>, key: string): Promise<SagaRow | null> => rows.findOne({ saga: saga.name, key }),
    /** An admin's word: try again what it stands at, or turn back. */
    async retry(id: string): Promise<SagaRow> {
      await rows.updateOne({ _id: id, state: 'STUCK' }, { $set: { state: 'COMPENSATING' } });
      await rows.updateOne({ _id: id }, { $set: { attempts: 0, wakeAt: new Date(0) } });
      return run(id);
    },
    async compensate(id: string, reason: string): Promise<SagaRow> {
      const row = await load(id);
      const step = definitionOf(row.saga).steps[Math.min(row.at, definitionOf(row.saga).steps.length - 1)]?.name ?? '';
      const problem = new Problem('COMPENSATED_BY_ADMIN', reason);
      const { modifiedCount } = await rows.updateOne(
        { _id: id, state: { $in: ['RUNNING', 'WAITING', 'STUCK'] } },
        { $set: turnBack(row, step, problem) },
      );
      if (modifiedCount === 0)
        throw new Problem('SAGA_NOT_OPEN', 'This saga has ended or is turning back already.', { path: ['input', 'id'] });
      return run(id);
    },
    open: (): Promise<number> => rows.countDocuments({ state: { $in: ['RUNNING', 'COMPENSATING'] } }),
    startSweeper(): void {
      const tick = (): void => {
        void sweep()
          .catch((error) => log.warn({ err: error }, 'sagas could not be looked at; it will be tried again'))
          .finally(() => {
            if (!stopped) timer = setTimeout(tick, SWEEP_MS);
          });
      };
      tick();
    },
    async stop(): Promise<void> {
      stopped = true;
      clearTimeout(timer);
      await Promise.allSettled(running.values());
    },
  };
}

export type SagaRunner = ReturnType<typeof createSagaRunner>;

const retryDelay = (attempt: number, longest: number): number => {
  const full = Math.min(FIRST_RETRY_MS * 2 ** (attempt - 1), longest);
  return full / 2 + Math.random() * (full / 2);
};

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error)).slice(0, 300);

/** A name for this process in leases. */
export const processName = (): string => `${process.pid}-${randomUUID()}`;

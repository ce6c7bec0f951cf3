import { setTimeout as delay } from 'node:timers/promises';
import { LRUCache } from 'lru-cache';
import type { Connection } from 'mongoose';
import type { Logger } from 'pino';
import type { AnyContext } from '../kit/context.ts';
import { Problem } from '../base/errors.ts';
import type { ContextFor } from './attempt.ts';
import { positionOf, refusalOf } from './current-step.ts';
import { createDefinitions, versionsOf } from './definitions.ts';
import { createSteps } from './steps.ts';
import { createSagaStore, LEASE_MS, LostLease } from './store.ts';
import { ENDED_STATES, HALTED_STATES, type Saga, type SagaRow, type SagaStart } from '../kit/define-saga.ts';

interface RunnerOptions {
  db: Connection;
  sagas: Saga<any, any>[];
  holder: string;
  log: Logger;
  now(): Date;
  contextFor: ContextFor;
}

const HEARTBEAT_MS = 3_000;
const SWEEP_MS = 1_000;
/** Sweeps between two looks for rows that begin or cease to be known. */
const REVIEW_SWEEPS = 20;
/** Sagas that the sweeper runs side by side, so that one slow step does not hold up the others. */
const SWEEP_LANES = 4;
const NOT_RUN = [...ENDED_STATES, ...HALTED_STATES];

/** Runs the sagas of one subgraph: one runner per saga, by lease with a fencing token. The sweeper picks up the sagas of a crashed process. */
export function createSagaRunner({ db, holder, log, now, contextFor, ...options }: RunnerOptions) {
  const store = createSagaStore({ db, holder, now });
  const definitions = createDefinitions(db, options.sagas);
  const steps = createSteps({ store, definitions, contextFor, now, log });
  const running = new Map<string, Promise<SagaRow>>();
  /** Rows started here whose lease this process still holds: they run without another read. */
  const started = new LRUCache<string, SagaRow>({ max: 1_000, ttl: LEASE_MS / 2 });
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;
  const stopping = new AbortController();

  /** Runs until the saga is final or waits, or until `until` has passed or falls into its next pause. */
  async function drive(id: string, until: number): Promise<SagaRow> {
    let row = started.get(id) ?? (await store.acquire(id));
    started.delete(id);
    if (!row) return store.load(id);
    const { token } = row.lease;
    const heartbeat = setInterval(() => void store.prolong(id, token).catch(() => undefined), HEARTBEAT_MS);
    try {
      while (!stopped && !NOT_RUN.includes(row.state)) {
        const pause = row.wakeAt.getTime() - Date.now();
        if (Date.now() + Math.max(pause, 0) >= until) break;
        if (pause > 0) await delay(pause, undefined, { signal: stopping.signal }).catch(() => undefined);
        if (stopped) break;
        const before: SagaRow = row;
        row = await steps.advance(row);
        if (row === before || steps.isAsleep(row)) break;
      }
      return row;
    } catch (error) {
      if (!(error instanceof LostLease)) throw error;
      return await store.load(id);
    } finally {
      clearInterval(heartbeat);
      if (!NOT_RUN.includes(row.state)) void store.release(id, token).catch(() => undefined);
    }
  }

  function run(id: string, until: number = Date.now() + LEASE_MS): Promise<SagaRow> {
    const joined = running.get(id);
    if (joined) return joined;
    const driven = drive(id, until).finally(() => running.delete(id));
    running.set(id, driven);
    return driven;
  }

  async function sweep(ids?: string[]): Promise<void> {
    const waiting = ids ?? (await store.due(definitions.versions));
    const lane = async (): Promise<void> => {
      for (let id = waiting.shift(); id && !stopped; id = waiting.shift()) {
        const saga = id;
        await run(saga).catch((error) => log.error({ err: error, saga }, 'a saga could not be run'));
      }
    };
    await Promise.all(Array.from({ length: SWEEP_LANES }, lane));
  }

  /** Says which definitions this build knows, takes up PARKED rows of them, and parks rows that no living process knows. */
  async function review(): Promise<void> {
    await definitions.announce();
    for (const row of await store.parked(definitions.versions)) {
      if (!positionOf(row, definitions.of(row))) continue;
      await store.overrule(row._id, ['PARKED'], { state: stateBefore(row) });
    }
    await sweep(await store.unknown(versionsOf(await definitions.announced())));
  }

  return {
    async start<I>(ctx: AnyContext, saga: Saga<I, any>, begin: SagaStart<I>): Promise<string> {
      if (definitions.of({ saga: saga.name, version: saga.version }) !== saga)
        throw new Error(`Version ${saga.version} of the saga ${saga.name} is not in the manifest: list it in \`sagas\``);
      const row = await store.start(ctx, saga, begin);
      started.set(row._id, row);
      return row._id;
    },
    run,
    load: store.load,
    signal: store.signal,
    byKey: store.byKey,
    open: store.open,
    sweep: () => sweep(),
    review,
    /** How many are STUCK and PARKED, for metrics. */
    halted: store.halted,
    /** For admins: retries the current step now. */
    async retry(id: string): Promise<SagaRow> {
      const state = stateBefore(await store.load(id));
      if (!(await store.overrule(id, HALTED_STATES, { state }))) await store.overrule(id, ['RUNNING', 'COMPENSATING', 'WAITING'], {});
      return run(id);
    },
    /** For admins: compensates every step, the one under way included. */
    async compensate(id: string, reason: string): Promise<SagaRow> {
      const { step, refusal } = await store.load(id);
      const turnBack = refusalOf(step, new Problem('COMPENSATED_BY_ADMIN', reason));
      const turned = refusal
        ? await store.overrule(id, HALTED_STATES, { state: 'COMPENSATING' })
        : await store.overrule(id, ['RUNNING', 'WAITING', ...HALTED_STATES], { state: 'RUNNING', turnBack });
      if (!turned) throw new Problem('SAGA_NOT_OPEN', 'This saga has ended or is compensating already.', { path: ['input', 'id'] });
      return run(id);
    },
    /** Frees the sagas of dead processes, then sweeps regularly. */
    async startSweeper(): Promise<void> {
      let sweeps = 0;
      const tick = (): void => {
        void (sweeps++ % REVIEW_SWEEPS === 0 ? review().then(() => sweep()) : sweep())
          .catch((error) => log.warn({ err: error }, 'due sagas could not be read; it will be tried again'))
          .finally(() => {
            if (!stopped) timer = setTimeout(tick, SWEEP_MS);
          });
      };
      await definitions.announce();
      await store.freeDead();
      tick();
    },
    async stop(): Promise<void> {
      stopped = true;
      stopping.abort();
      clearTimeout(timer);
      await Promise.allSettled(running.values());
    },
  };
}

/** The state in which a halted saga goes on. A wait is looked at again: its signal may have come. */
const stateBefore = ({ refusal }: SagaRow): SagaRow['state'] => (refusal ? 'COMPENSATING' : 'RUNNING');

export type SagaRunner = ReturnType<typeof createSagaRunner>;

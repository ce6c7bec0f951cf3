import { setTimeout as delay } from 'node:timers/promises';
import { LRUCache } from 'lru-cache';
import type { Connection } from 'mongoose';
import type { Logger } from 'pino';
import type { AnyContext } from '../kit/context.ts';
import { Problem } from '../base/errors.ts';
import { createSteps, startCompensation } from './steps.ts';
import { createSagaStore, LEASE_MS, LostLease } from './store.ts';
import { FINAL_STATES, type Saga, type SagaRow, type SagaStart } from '../kit/define-saga.ts';

interface RunnerOptions {
  db: Connection;
  sagas: Saga<any, any>[];
  holder: string;
  log: Logger;
  now(): Date;
  contextFor(row: SagaRow): AnyContext;
}

const HEARTBEAT_MS = 3_000;
const SWEEP_MS = 1_000;

/** Runs the sagas of one subgraph: one runner per saga, by lease with a fencing token. The sweeper picks up the sagas of a crashed process. */
export function createSagaRunner({ db, holder, log, now, contextFor, ...options }: RunnerOptions) {
  const store = createSagaStore({ db, holder, now });
  const definitions = new Map(options.sagas.map((saga) => [saga.name, saga]));
  const steps = createSteps({ store, definitionOf: (name) => definitions.get(name), contextFor, now, log });
  const running = new Map<string, Promise<SagaRow>>();
  /** Rows started here whose lease this process still holds: they run without another read. */
  const started = new LRUCache<string, SagaRow>({ max: 1_000, ttl: LEASE_MS / 2 });
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;

  /** Runs until the saga is final or waits, or until `until` has passed or falls into its next pause. */
  async function drive(id: string, until: number): Promise<SagaRow> {
    let row = started.get(id) ?? (await store.acquire(id));
    started.delete(id);
    if (!row) return store.load(id);
    const { token } = row.lease;
    const heartbeat = setInterval(() => void store.prolong(id, token).catch(() => undefined), HEARTBEAT_MS);
    try {
      while (!stopped && !FINAL_STATES.includes(row.state)) {
        const pause = row.wakeAt.getTime() - Date.now();
        if (Date.now() + Math.max(pause, 0) >= until) break;
        if (pause > 0) await delay(pause);
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
      if (!FINAL_STATES.includes(row.state)) void store.release(id, token).catch(() => undefined);
    }
  }

  function run(id: string, until: number = Date.now() + LEASE_MS): Promise<SagaRow> {
    const joined = running.get(id);
    if (joined) return joined;
    const driven = drive(id, until).finally(() => running.delete(id));
    running.set(id, driven);
    return driven;
  }

  async function sweep(): Promise<void> {
    for (const id of await store.due()) {
      if (!stopped) await run(id).catch((error) => log.error({ err: error, saga: id }, 'a saga could not be run'));
    }
  }

  return {
    async start<I>(ctx: AnyContext, saga: Saga<I, any>, begin: SagaStart<I>): Promise<string> {
      const row = await store.start(ctx, saga, begin);
      started.set(row._id, row);
      return row._id;
    },
    run,
    load: store.load,
    signal: store.signal,
    byKey: store.byKey,
    open: store.open,
    sweep,
    /** For admins: retries the current step now. */
    async retry(id: string): Promise<SagaRow> {
      const { refusal, waitsUntil } = await store.load(id);
      const before = refusal ? 'COMPENSATING' : waitsUntil ? 'WAITING' : 'RUNNING';
      if (!(await store.overrule(id, ['STUCK'], { state: before }))) await store.overrule(id, ['RUNNING', 'COMPENSATING', 'WAITING'], {});
      return run(id);
    },
    /** For admins: compensates every step. */
    async compensate(id: string, reason: string): Promise<SagaRow> {
      const row = await store.load(id);
      const step = row.step ?? definitions.get(row.saga)?.steps[row.at]?.name ?? String(row.at);
      const turned = await store.overrule(
        id,
        ['RUNNING', 'WAITING', 'STUCK'],
        startCompensation(step, new Problem('COMPENSATED_BY_ADMIN', reason)),
      );
      if (!turned) throw new Problem('SAGA_NOT_OPEN', 'This saga has ended or is compensating already.', { path: ['input', 'id'] });
      return run(id);
    },
    /** Frees the sagas of dead processes, then sweeps regularly. */
    async startSweeper(): Promise<void> {
      const tick = (): void => {
        void sweep()
          .catch((error) => log.warn({ err: error }, 'due sagas could not be read; it will be tried again'))
          .finally(() => {
            if (!stopped) timer = setTimeout(tick, SWEEP_MS);
          });
      };
      await store.freeDead();
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

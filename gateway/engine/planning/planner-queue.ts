import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { isProblem, overloaded, unavailable, type Problem } from '#shared/base/errors.ts';
import { createFairQueue } from '#shared/base/fair-queue.ts';
import type { Log } from '#shared/base/log.ts';
import type { Planner } from './planner.ts';
import { PlanningThread, tookTooLong, type Work } from './planning-thread.ts';
import type { Reading } from './supergraph.ts';

interface Options {
  log: Log;
  /** How long an operation may wait in the queue. Default 10,000. */
  waitMs?: number;
  /** CPU time of the thread for one operation; beyond it the thread is terminated. Default 1,000. */
  planMs?: number;
  /** Operations that may wait. Default 500. */
  maxWaiting?: number;
  /** Operations of one caller that may wait. Default 50. */
  maxWaitingPerCaller?: number;
  /** Idle time after which the thread ends; the next operation starts a new one. Default 60,000. */
  idleMs?: number;
}

/** Plans for any number of supergraphs in a thread of its own, so that no request waits for the planning of another. */
export interface Planners {
  /** Rejects when the SDL is no supergraph. */
  plannerOf(supergraphSdl: string): Promise<Planner>;
  close(): Promise<void>;
}

interface Job {
  supergraph: Supergraph;
  /** Undefined: the supergraph is only read. */
  work: Work | undefined;
  caller: string;
  result: PromiseWithResolvers<string>;
  expiry: NodeJS.Timeout;
}

interface Supergraph {
  id: number;
  sdl: string;
}

const DEFAULT_WAIT_MS = 10_000;
const DEFAULT_PLAN_MS = 1_000;
/** A large supergraph takes seconds on a busy machine. */
const LOAD_MS = 60_000;
const DEFAULT_IDLE_MS = 60_000;
const DEFAULT_MAX_WAITING = 500;
const DEFAULT_MAX_WAITING_PER_CALLER = 50;
const MAX_REMEMBERED_REFUSALS = 1_000;
/** The gateway's own operations, which have no limit per caller. */
const GATEWAY_CALLER = '';

export function openPlanners(options: Options): Planners {
  const { log, waitMs = DEFAULT_WAIT_MS, planMs = DEFAULT_PLAN_MS, idleMs = DEFAULT_IDLE_MS } = options;
  const { maxWaiting = DEFAULT_MAX_WAITING, maxWaitingPerCaller = DEFAULT_MAX_WAITING_PER_CALLER } = options;
  const waiting = createFairQueue<Job>();
  let thread: PlanningThread | undefined;
  let working = false;
  let closed = false;
  let idle: NodeJS.Timeout | undefined;
  let lastId = 0;

  function enter(supergraph: Supergraph, work?: Work, caller = GATEWAY_CALLER): Promise<string> {
    if (closed) return Promise.reject(unavailable('planner'));
    const isFull = waiting.size >= maxWaiting || (caller !== GATEWAY_CALLER && waiting.sizeOf(caller) >= maxWaitingPerCaller);
    if (isFull) return Promise.reject(overloaded(Math.ceil(planMs / 1_000)));
    const result = Promise.withResolvers<string>();
    const expire = (): void => {
      waiting.remove(caller, job);
      result.reject(tookTooLong());
    };
    const job: Job = { supergraph, work, caller, result, expiry: setTimeout(expire, work ? waitMs : LOAD_MS) };
    waiting.add(caller, job);
    if (!working) void drain();
    return result.promise;
  }

  async function drain(): Promise<void> {
    working = true;
    clearTimeout(idle);
    for (let job = waiting.take(); job; job = waiting.take()) {
      clearTimeout(job.expiry);
      await perform(job).then(job.result.resolve, job.result.reject);
    }
    working = false;
    idle = setTimeout(() => void thread?.end(), idleMs).unref();
  }

  /** A thread that dies fails only its current operation; waiting ones continue in the next thread. */
  async function perform({ supergraph: { id, sdl }, work }: Job): Promise<string> {
    const current = (thread ??= start());
    const reading = await current.load(id, sdl, LOAD_MS);
    return work ? current.perform(id, work, planMs) : reading;
  }

  function start(): PlanningThread {
    const started = new PlanningThread((error) => {
      if (error) log.error({ err: error }, 'the planning thread has died; the next text starts another one');
      if (thread === started) thread = undefined;
    });
    return started;
  }

  return {
    async plannerOf(sdl) {
      const supergraph = { id: (lastId += 1), sdl };
      const reading = JSON.parse(await enter(supergraph)) as Reading;
      return createThreadPlanner(reading, {
        perform: (work, caller) => enter(supergraph, work, caller),
        forget: () => thread?.forget(supergraph.id),
      });
    },
    async close() {
      closed = true;
      clearTimeout(idle);
      for (const { result, expiry } of waiting.drain()) {
        clearTimeout(expiry);
        result.reject(unavailable('planner'));
      }
      await thread?.end();
    },
  };
}

interface ThreadAccess {
  perform: (work: Work, caller?: string) => Promise<string>;
  forget: () => void;
}

/** Releases its supergraph when it is closed and all work has finished. */
function createThreadPlanner(reading: Reading, { perform, forget }: ThreadAccess): Planner {
  let inFlight = 0;
  let closed = false;
  /** Problems by hash of the operation: a repeated one is refused at once. */
  const tooLarge = new LRUCache<string, Problem>({ max: MAX_REMEMBERED_REFUSALS });
  const remembering = async (memo: string, work: Promise<string>): Promise<string> => {
    try {
      return await work;
    } catch (error) {
      if (isProblem(error) && error.code === 'OPERATION_TOO_COMPLEX') tooLarge.set(memo, error);
      throw error;
    }
  };
  const counted = async (work: Work, caller?: string): Promise<string> => {
    inFlight += 1;
    try {
      return await perform(work, caller);
    } finally {
      inFlight -= 1;
      if (closed && inFlight === 0) forget();
    }
  };
  return {
    reading,
    async plan(operation, caller) {
      const memo = createHash('sha256')
        .update(`${operation.operationName ?? ''}\n${operation.source}`)
        .digest('base64');
      const known = tooLarge.get(memo);
      if (known) throw known;
      return remembering(memo, counted({ plan: operation }, caller));
    },
    fingerprint: (source) => counted({ fingerprint: source }),
    close() {
      closed = true;
      if (inFlight === 0) forget();
    },
  };
}

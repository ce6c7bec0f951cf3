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
  /** How long a text may wait for those before it. Default 10,000. */
  waitMs?: number;
  /** How much of the thread's time one text may take; after that the thread is given up. Default 1,000. */
  planMs?: number;
  /** Texts that may wait. Default 500. */
  mostWaiting?: number;
  /** Texts of one caller that may wait. Default 50. */
  mostWaitingEach?: number;
  /** The thread ends when it had nothing to do for so long, and starts again with the next text. Default 60,000. */
  idleMs?: number;
}

/** Plans in a thread of its own for any number of supergraphs, so that nobody who is served waits for a text that is new. */
export interface Planners {
  /** Rejects when the SDL is no supergraph. */
  plannerOf(supergraphSdl: string): Promise<Planner>;
  close(): Promise<void>;
}

interface Job {
  supergraph: Supergraph;
  /** None: the supergraph is only read. */
  work: Work | undefined;
  caller: string;
  answer: PromiseWithResolvers<string>;
  expiry: NodeJS.Timeout;
}

interface Supergraph {
  id: number;
  sdl: string;
}

const WAIT_MS = 10_000;
const PLAN_MS = 1_000;
/** A large supergraph takes seconds on a busy machine. */
const LOAD_MS = 60_000;
const IDLE_MS = 60_000;
const MOST_WAITING = 500;
const MOST_WAITING_EACH = 50;
const TOO_LARGE_TEXTS = 1_000;
/** Whose texts are not a client's. */
const OURS = '';

export function openPlanners(options: Options): Planners {
  const { log, waitMs = WAIT_MS, planMs = PLAN_MS, idleMs = IDLE_MS } = options;
  const { mostWaiting = MOST_WAITING, mostWaitingEach = MOST_WAITING_EACH } = options;
  const waiting = createFairQueue<Job>();
  let thread: PlanningThread | undefined;
  let working = false;
  let closed = false;
  let idle: NodeJS.Timeout | undefined;
  let lastId = 0;

  function enter(supergraph: Supergraph, work?: Work, caller = OURS): Promise<string> {
    if (closed) return Promise.reject(unavailable('planner'));
    const isFull = waiting.size >= mostWaiting || (caller !== OURS && waiting.sizeOf(caller) >= mostWaitingEach);
    if (isFull) return Promise.reject(overloaded(Math.ceil(planMs / 1_000)));
    const answer = Promise.withResolvers<string>();
    const expire = (): void => {
      waiting.remove(caller, job);
      answer.reject(tookTooLong());
    };
    const job: Job = { supergraph, work, caller, answer, expiry: setTimeout(expire, work ? waitMs : LOAD_MS) };
    waiting.add(caller, job);
    if (!working) void workOff();
    return answer.promise;
  }

  async function workOff(): Promise<void> {
    working = true;
    clearTimeout(idle);
    for (let job = waiting.take(); job; job = waiting.take()) {
      clearTimeout(job.expiry);
      await perform(job).then(job.answer.resolve, job.answer.reject);
    }
    working = false;
    idle = setTimeout(() => void thread?.end(), idleMs).unref();
  }

  /** A thread that dies takes the text with it that it was at work on; those that wait go on in the next one. */
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
      return plannerOver(reading, {
        perform: (work, caller) => enter(supergraph, work, caller),
        forget: () => thread?.forget(supergraph.id),
      });
    },
    async close() {
      closed = true;
      clearTimeout(idle);
      for (const { answer, expiry } of waiting.drain()) {
        clearTimeout(expiry);
        answer.reject(unavailable('planner'));
      }
      await thread?.end();
    },
  };
}

interface Access {
  perform: (work: Work, caller?: string) => Promise<string>;
  forget: () => void;
}

/** Forgets its supergraph when it is closed and everything begun is done. */
function plannerOver(reading: Reading, { perform, forget }: Access): Planner {
  let underWay = 0;
  let closed = false;
  /** By hash: whoever sends one again is told at once. */
  const tooLarge = new LRUCache<string, Problem>({ max: TOO_LARGE_TEXTS });
  const remembering = async (memo: string, work: Promise<string>): Promise<string> => {
    try {
      return await work;
    } catch (error) {
      if (isProblem(error) && error.code === 'OPERATION_TOO_COMPLEX') tooLarge.set(memo, error);
      throw error;
    }
  };
  const counted = async (work: Work, caller?: string): Promise<string> => {
    underWay += 1;
    try {
      return await perform(work, caller);
    } finally {
      underWay -= 1;
      if (closed && underWay === 0) forget();
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
      if (underWay === 0) forget();
    },
  };
}

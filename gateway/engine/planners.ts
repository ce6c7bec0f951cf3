import { unavailable } from '../../shared/errors.ts';
import type { Log } from '../../shared/log.ts';
import type { Planner } from './planner.ts';
import { PlanningThread, tookTooLong, type Work } from './planning-thread.ts';
import type { Reading } from './supergraph.ts';

interface Options {
  log: Log;
  /** How long a text may wait for those before it. Default 10,000. */
  waitMs?: number;
  /** How long one text may be planned; after that the thread is given up. Default 5,000. */
  planMs?: number;
  /** Texts that may wait. Default 500. */
  mostWaiting?: number;
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
  answer: PromiseWithResolvers<string>;
  expiry: NodeJS.Timeout;
}

interface Supergraph {
  id: number;
  sdl: string;
}

const WAIT_MS = 10_000;
const PLAN_MS = 5_000;
/** A large supergraph takes seconds on a busy machine. */
const LOAD_MS = 60_000;
const IDLE_MS = 60_000;
const MOST_WAITING = 500;

export function openPlanners(options: Options): Planners {
  const { log, waitMs = WAIT_MS, planMs = PLAN_MS, mostWaiting = MOST_WAITING, idleMs = IDLE_MS } = options;
  const waiting = new Set<Job>();
  let thread: PlanningThread | undefined;
  let working = false;
  let closed = false;
  let idle: NodeJS.Timeout | undefined;
  let lastId = 0;

  function enter(supergraph: Supergraph, work?: Work): Promise<string> {
    if (closed || waiting.size >= mostWaiting) return Promise.reject(unavailable('planner'));
    const answer = Promise.withResolvers<string>();
    const expire = (): void => {
      waiting.delete(job);
      answer.reject(tookTooLong());
    };
    const job: Job = { supergraph, work, answer, expiry: setTimeout(expire, work ? waitMs : LOAD_MS) };
    waiting.add(job);
    if (!working) void workOff();
    return answer.promise;
  }

  async function workOff(): Promise<void> {
    working = true;
    clearTimeout(idle);
    for (const job of waiting) {
      waiting.delete(job);
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
      return plannerOver(reading, { perform: (work) => enter(supergraph, work), forget: () => thread?.forget(supergraph.id) });
    },
    async close() {
      closed = true;
      clearTimeout(idle);
      for (const { answer, expiry } of waiting) {
        clearTimeout(expiry);
        answer.reject(unavailable('planner'));
      }
      waiting.clear();
      await thread?.end();
    },
  };
}

interface Access {
  perform: (work: Work) => Promise<string>;
  forget: () => void;
}

/** Forgets its supergraph when it is closed and everything begun is done. */
function plannerOver(reading: Reading, { perform, forget }: Access): Planner {
  let underWay = 0;
  let closed = false;
  const counted = async (work: Work): Promise<string> => {
    underWay += 1;
    try {
      return await perform(work);
    } finally {
      underWay -= 1;
      if (closed && underWay === 0) forget();
    }
  };
  return {
    reading,
    plan: (operation) => counted({ plan: operation }),
    fingerprint: (source) => counted({ fingerprint: source }),
    close() {
      closed = true;
      if (underWay === 0) forget();
    },
  };
}

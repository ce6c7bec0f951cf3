import { overloaded } from './errors.ts';
import { createFairQueue } from './fair-queue.ts';

export interface AdmissionLimits {
  /** Pieces of work under way at a time. */
  atOnce: number;
  /** Pieces that may wait for that. */
  waiting: number;
  /** Refused at once when it would take longer, by how long work has taken lately; afterwards when it has taken twice as long. */
  maxWaitMs: number;
}

export interface Wanted {
  /** Epoch milliseconds after which nobody waits for the answer any more. */
  deadline: number;
  /** Aborted when nobody waits for the answer any more. Work that has begun goes on. */
  signal?: AbortSignal | undefined;
  /** Those who wait are taken in turn. Default: all are one. */
  caller?: string | undefined;
}

/** Bounded work and a bounded queue: who cannot be served in time is refused before anything was done. */
export interface Admission {
  readonly running: number;
  readonly waiting: number;
  /** Rejects with OVERLOADED when the work was not begun. */
  run<T>(work: () => Promise<T>, wanted: Wanted): Promise<T>;
}

/** How much of the average the newest piece of work is. */
const NEWEST = 0.2;

export function createAdmission({ atOnce, waiting: maxWaiting, maxWaitMs }: AdmissionLimits): Admission {
  const queue = createFairQueue<() => void>();
  let running = 0;
  let usualMs = 0;

  const waitMs = (): number => ((queue.size + 1) / atOnce) * usualMs;
  const refusal = (): Error => overloaded(Math.max(1, Math.ceil(waitMs() / 1_000)));

  /** Whoever is next takes over the place of the work that ends. */
  async function perform<T>(work: () => Promise<T>): Promise<T> {
    const since = performance.now();
    try {
      return await work();
    } finally {
      const took = performance.now() - since;
      usualMs = usualMs === 0 ? took : usualMs * (1 - NEWEST) + took * NEWEST;
      const begin = queue.take();
      if (begin) begin();
      else running -= 1;
    }
  }

  function turn({ deadline, signal, caller = '' }: Wanted): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (outcome: () => void) => (): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', leave);
        queue.remove(caller, begin);
        outcome();
      };
      const leave = settle(() => reject(refusal()));
      const begin = settle(resolve);
      const timer = setTimeout(leave, Math.min(deadline - Date.now(), maxWaitMs * 2));
      signal?.addEventListener('abort', leave);
      queue.add(caller, begin);
    });
  }

  async function waited<T>(work: () => Promise<T>, wanted: Wanted): Promise<T> {
    const patience = Math.min(wanted.deadline - Date.now(), maxWaitMs);
    if (queue.size >= maxWaiting || waitMs() > patience) throw refusal();
    await turn(wanted);
    return perform(work);
  }

  return {
    get running() {
      return running;
    },
    get waiting() {
      return queue.size;
    },
    run(work, wanted) {
      if (running >= atOnce) return waited(work, wanted);
      running += 1;
      return perform(work);
    },
  };
}

import { Worker } from 'node:worker_threads';
import { GraphQLError } from 'graphql';
import { Problem, unavailable } from '#shared/base/errors.ts';
import type { Done, Task } from './planner-worker.ts';
import type { Plannable } from './planner.ts';

/** An operation that needs more heap fails alone, and does not take the process with it. */
const MAX_HEAP_MB = 1_024;

/** Additional wall-clock time for a thread that a busy machine does not schedule. */
const MAX_SCHEDULING_DELAY_MS = 30_000;

/** An operation to plan, or a document to fingerprint. */
export type Work = { plan: Plannable } | { fingerprint: string };

/** One worker thread with Apollo's planner. It gets one task at a time. */
export class PlanningThread {
  readonly #worker: Worker;
  readonly #onEnd: (error: Error | undefined) => void;
  readonly #loaded = new Map<number, string>();
  #result: PromiseWithResolvers<string> | undefined;
  #ended = false;

  /** `onEnd` is called once, when the thread has died or was terminated. */
  constructor(onEnd: (error: Error | undefined) => void) {
    this.#onEnd = onEnd;
    this.#worker = new Worker(new URL('planner-worker.ts', import.meta.url), {
      resourceLimits: { maxOldGenerationSizeMb: MAX_HEAP_MB },
    });
    this.#worker.unref();
    this.#worker.on('message', (done: Done) => this.#take(done));
    this.#worker.once('error', (error) => this.#end(error as Error));
    this.#worker.once('exit', () => this.#end(undefined));
  }

  /** Reads a supergraph once; returns the result as JSON. */
  async load(id: number, supergraphSdl: string, patienceMs: number): Promise<string> {
    let reading = this.#loaded.get(id);
    if (reading === undefined) this.#loaded.set(id, (reading = await this.#send({ load: supergraphSdl, id }, patienceMs)));
    return reading;
  }

  perform(id: number, work: Work, patienceMs: number): Promise<string> {
    return this.#send({ ...work, id }, patienceMs);
  }

  forget(id: number): void {
    if (this.#loaded.delete(id)) this.#post({ forget: id });
  }

  /** Rejects the current task. */
  async end(): Promise<void> {
    this.#end(undefined);
    await this.#worker.terminate();
  }

  /** `budgetMs` is CPU time of the thread, since a busy machine may schedule it rarely. */
  async #send(task: Task, budgetMs: number): Promise<string> {
    const result = (this.#result = Promise.withResolvers<string>());
    const since = performance.now();
    const before = this.#usedMs();
    let timer: NodeJS.Timeout | undefined;
    const look = async (): Promise<void> => {
      const left = budgetMs - ((await this.#usedMs()) - (await before));
      const patience = since + budgetMs + MAX_SCHEDULING_DELAY_MS - performance.now();
      if (this.#ended || this.#result !== result) return;
      if (left <= 1 || patience <= 0) return this.#giveUp(left <= 1 ? tooComplex() : tookTooLong());
      timer = setTimeout(look, Math.min(left, patience));
    };
    timer = setTimeout(look, budgetMs);
    this.#post(task);
    return result.promise.finally(() => {
      clearTimeout(timer);
      if (this.#result === result) this.#result = undefined;
    });
  }

  /** Only terminating its thread stops a planner. */
  #giveUp(reason: Problem): void {
    this.#result?.reject(reason);
    void this.end();
  }

  /** CPU time of the thread so far; 0 when it has ended. */
  async #usedMs(): Promise<number> {
    const { user, system } = await this.#worker.cpuUsage().catch(() => ({ user: 0, system: 0 }));
    return (user + system) / 1_000;
  }

  #post(task: Task): void {
    this.#worker.postMessage(task);
  }

  #take(done: Done): void {
    if ('text' in done) this.#result?.resolve(done.text);
    else this.#result?.reject(new GraphQLError(done.reason, { extensions: done.extensions }));
  }

  #end(error: Error | undefined): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#result?.reject(unavailable('planner', error));
    this.#onEnd(error);
  }
}

export const tookTooLong = (): Problem =>
  new Problem('TIMEOUT', 'The operation could not be planned in time. Ask again in a moment.', { retryable: true });

/** A retry would take as long. */
const tooComplex = (): Problem =>
  new Problem('OPERATION_TOO_COMPLEX', 'The operation takes too long to plan: ask for less, or in several parts.');

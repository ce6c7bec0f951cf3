import { Worker } from 'node:worker_threads';
import { GraphQLError } from 'graphql';
import { Problem, unavailable } from '#shared/base/errors.ts';
import type { Done, Task } from './planner-worker.ts';
import type { Plannable } from './planner.ts';

/** A text that needs more is nobody's, and must not take the process with it. */
const MOST_MEGABYTES = 1_024;

/** A thread that is given no time by a busy machine is waited for so much longer. */
const PATIENCE_MS = 30_000;

/** A text to be planned, or to be told the fingerprint of. */
export type Work = { plan: Plannable } | { fingerprint: string };

/** One worker thread with Apollo's planner in it, given one task at a time. */
export class PlanningThread {
  readonly #worker: Worker;
  readonly #onEnd: (error: Error | undefined) => void;
  readonly #loaded = new Map<number, string>();
  #answer: PromiseWithResolvers<string> | undefined;
  #ended = false;

  /** `onEnd` is called once: when it has died, or was given up. */
  constructor(onEnd: (error: Error | undefined) => void) {
    this.#onEnd = onEnd;
    this.#worker = new Worker(new URL('planner-worker.ts', import.meta.url), {
      resourceLimits: { maxOldGenerationSizeMb: MOST_MEGABYTES },
    });
    this.#worker.unref();
    this.#worker.on('message', (done: Done) => this.#take(done));
    this.#worker.once('error', (error) => this.#end(error as Error));
    this.#worker.once('exit', () => this.#end(undefined));
  }

  /** Reads a supergraph, if it has not: what it found, as JSON. */
  async load(id: number, supergraphSdl: string, patienceMs: number): Promise<string> {
    let reading = this.#loaded.get(id);
    if (reading === undefined) this.#loaded.set(id, (reading = await this.#ask({ load: supergraphSdl, id }, patienceMs)));
    return reading;
  }

  perform(id: number, work: Work, patienceMs: number): Promise<string> {
    return this.#ask({ ...work, id }, patienceMs);
  }

  forget(id: number): void {
    if (this.#loaded.delete(id)) this.#post({ forget: id });
  }

  /** What it was at work on is rejected. */
  async end(): Promise<void> {
    this.#end(undefined);
    await this.#worker.terminate();
  }

  /** `budgetMs`: of the thread's own time, since a busy machine may leave it little. */
  async #ask(task: Task, budgetMs: number): Promise<string> {
    const answer = (this.#answer = Promise.withResolvers<string>());
    const since = performance.now();
    const before = this.#usedMs();
    let timer: NodeJS.Timeout | undefined;
    const look = async (): Promise<void> => {
      const left = budgetMs - ((await this.#usedMs()) - (await before));
      const patience = since + budgetMs + PATIENCE_MS - performance.now();
      if (this.#ended || this.#answer !== answer) return;
      if (left <= 1 || patience <= 0) return this.#giveUp(left <= 1 ? tooMuch() : tookTooLong());
      timer = setTimeout(look, Math.min(left, patience));
    };
    timer = setTimeout(look, budgetMs);
    this.#post(task);
    return answer.promise.finally(() => {
      clearTimeout(timer);
      if (this.#answer === answer) this.#answer = undefined;
    });
  }

  /** Nothing stops a planner but the end of its thread. */
  #giveUp(reason: Problem): void {
    this.#answer?.reject(reason);
    void this.end();
  }

  /** What it has worked so far; as much as can be when it has ended. */
  async #usedMs(): Promise<number> {
    const { user, system } = await this.#worker.cpuUsage().catch(() => ({ user: 0, system: 0 }));
    return (user + system) / 1_000;
  }

  #post(task: Task): void {
    this.#worker.postMessage(task);
  }

  #take(done: Done): void {
    if ('text' in done) this.#answer?.resolve(done.text);
    else this.#answer?.reject(new GraphQLError(done.reason, { extensions: done.extensions }));
  }

  #end(error: Error | undefined): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#answer?.reject(unavailable('planner', error));
    this.#onEnd(error);
  }
}

export const tookTooLong = (): Problem =>
  new Problem('TIMEOUT', 'The operation could not be planned in time. Ask again in a moment.', { retryable: true });

/** It would take as long the next time. */
const tooMuch = (): Problem =>
  new Problem('OPERATION_TOO_COMPLEX', 'The operation takes too long to plan: ask for less, or in several parts.');

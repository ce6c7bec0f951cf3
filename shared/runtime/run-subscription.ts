import { createSourceEventStream, type ExecutionArgs, type ExecutionResult, type GraphQLError } from 'graphql';
import type { Execution } from './compiled-execution.ts';
import type { Positioned } from '../base/filter-stream.ts';

interface SubscriptionRun {
  args: ExecutionArgs;
  /** Of one event. */
  execute: Execution;
  /** True: the first result holds the start cursor and no data, where the stream knows it. */
  wantsStart: boolean;
  maskResult: (result: ExecutionResult) => ExecutionResult;
  /** The public form of the error that ends the stream. */
  failure: (error: unknown) => GraphQLError;
}

const DONE = { done: true, value: undefined } as const;

/**
 * One result per event of the source. The result of a live topic's entry has its cursor in `extensions.cursor`. An error that ends the stream
 * becomes the last result. Returns a single result when the stream could not begin.
 */
export async function runSubscription(run: SubscriptionRun): Promise<AsyncIterableIterator<ExecutionResult> | ExecutionResult> {
  const { args, execute, maskResult: masked, failure } = run;
  const source = await createSourceEventStream(args);
  if (!isStream(source)) return masked(source);
  const events = source[Symbol.asyncIterator]();
  let begins = run.wantsStart && 'position' in source ? (source as Positioned).position() : undefined;
  let ended = false;

  const results: AsyncIterableIterator<ExecutionResult> = {
    [Symbol.asyncIterator]: () => results,
    async next() {
      if (ended) return DONE;
      try {
        const start = await begins;
        begins = undefined;
        if (start !== undefined) return { done: false, value: { data: null, extensions: { cursor: start } } };
        const { done, value } = await events.next();
        return done ? DONE : { done: false, value: { ...masked(await execute({ ...args, rootValue: value })), ...cursorOf(value) } };
      } catch (error) {
        ended = true;
        return { done: false, value: { errors: [failure(error)] } };
      }
    },
    async return() {
      ended = true;
      await events.return?.();
      return DONE;
    },
  };
  return results;
}

const isStream = (source: AsyncIterable<unknown> | ExecutionResult): source is AsyncIterable<unknown> => Symbol.asyncIterator in source;

function cursorOf(event: unknown): Pick<ExecutionResult, 'extensions'> {
  const { cursor } = event as { cursor?: unknown };
  return typeof cursor === 'string' ? { extensions: { cursor } } : {};
}

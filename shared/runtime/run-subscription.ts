import { createSourceEventStream, type ExecutionArgs, type ExecutionResult, type GraphQLError } from 'graphql';
import type { Execution } from './compiled-execution.ts';
import type { Positioned } from '../base/filter-stream.ts';

interface SubscriptionRun {
  args: ExecutionArgs;
  /** Of one event. */
  execute: Execution;
  /** The first result says where the stream begins, if it can tell: no data, only the cursor. */
  wantsStart: boolean;
  masked: (result: ExecutionResult) => ExecutionResult;
  /** What a reader is told of the error that ends the stream. */
  failure: (error: unknown) => GraphQLError;
}

const DONE = { done: true, value: undefined } as const;

/**
 * One result for each event of the source; that of a live topic's entry has its cursor in `extensions.cursor`. An error that ends the
 * stream leaves as a last result. Answers a result instead when the stream could not begin.
 */
export async function runSubscription(run: SubscriptionRun): Promise<AsyncIterableIterator<ExecutionResult> | ExecutionResult> {
  const { args, execute, masked, failure } = run;
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

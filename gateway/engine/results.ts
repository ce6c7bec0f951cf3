import { GraphQLError, type ExecutionResult } from 'graphql';
import type { IncrementalResult } from './types.ts';

const asGraphQLError = (error: unknown): GraphQLError =>
  error instanceof GraphQLError ? error : new GraphQLError('The operation could not be run.', { originalError: error as Error });

/** The HTTP status of a result. Without data nothing was run: the request was wrong (400), or planning failed and may be retried (503). */
export function statusOf(result: ExecutionResult): 200 | 400 | 503 {
  const { data, errors = [] } = result;
  if (retryAfterOf(result) !== undefined) return 503;
  if (data !== undefined) return 200;
  return errors.some(({ extensions }) => extensions?.['retryable'] === true) ? 503 : 400;
}

/** Seconds after which to retry a result in which everything was refused as OVERLOADED. */
export function retryAfterOf({ data, errors = [] }: ExecutionResult): number | undefined {
  const isEmpty = !data || Object.values(data).every((value) => value === null);
  if (!isEmpty || errors.length === 0 || errors.some(({ extensions }) => extensions['code'] !== 'OVERLOADED')) return undefined;
  return Math.max(...errors.map(({ extensions }) => Number(extensions['retryAfterSeconds']) || 1));
}

/** The result of the work, or the error that it threw as a result. */
export async function catchAsResult<T>(work: () => Promise<T>): Promise<T | ExecutionResult> {
  try {
    return await work();
  } catch (error) {
    return { errors: [asGraphQLError(error)] };
  }
}

/**
 * Maps the results of a stream. An error of the source becomes the last result. Not a generator function: its `return` would wait for an
 * event that may never come.
 */
export function mapEvents(
  source: AsyncIterableIterator<ExecutionResult>,
  change: (event: ExecutionResult) => ExecutionResult | Promise<ExecutionResult>,
): AsyncGenerator<ExecutionResult, void, void> {
  let failed = false;
  const leave = async (): Promise<IteratorResult<ExecutionResult, void>> => {
    await source.return?.();
    return { done: true, value: undefined };
  };
  const mapped: AsyncGenerator<ExecutionResult, void, void> = {
    [Symbol.asyncIterator]: () => mapped,
    [Symbol.asyncDispose]: async () => void (await leave()),
    async next() {
      if (failed) return { done: true, value: undefined };
      try {
        const { done, value } = await source.next();
        return done ? { done: true, value: undefined } : { done: false, value: await change(value) };
      } catch (error) {
        failed = true;
        return { done: false, value: await change({ errors: [asGraphQLError(error)] }) };
      }
    },
    return: leave,
    throw: async (error: unknown) => {
      await leave();
      throw error;
    },
  };
  return mapped;
}

/** An incremental response as a stream of results for sockets. */
export async function* partsOf(
  { initialResult, subsequentResults }: IncrementalResult,
  onEnd?: () => void,
): AsyncGenerator<ExecutionResult, void, void> {
  try {
    yield initialResult;
    yield* subsequentResults as AsyncGenerator<ExecutionResult, void, void>;
  } finally {
    onEnd?.();
  }
}

import { GraphQLError, type ExecutionResult } from 'graphql';
import type { IncrementalResult } from './types.ts';

const asGraphQLError = (error: unknown): GraphQLError =>
  error instanceof GraphQLError ? error : new GraphQLError('The operation could not be run.', { originalError: error as Error });

/**
 * The HTTP status of a result. Without data nothing was run: the request itself was at fault, or nobody could plan it now and it may be sent
 * again.
 */
export function statusOf(result: ExecutionResult): 200 | 400 | 503 {
  const { data, errors = [] } = result;
  if (retryAfterOf(result) !== undefined) return 503;
  if (data !== undefined) return 200;
  return errors.some(({ extensions }) => extensions?.['retryable'] === true) ? 503 : 400;
}

/** Of an answer in which everything was refused because there is too much to do: the seconds after which to ask again. */
export function retryAfterOf({ data, errors = [] }: ExecutionResult): number | undefined {
  const isEmpty = !data || Object.values(data).every((value) => value === null);
  if (!isEmpty || errors.length === 0 || errors.some(({ extensions }) => extensions['code'] !== 'OVERLOADED')) return undefined;
  return Math.max(...errors.map(({ extensions }) => Number(extensions['retryAfterSeconds']) || 1));
}

/** The result of the work, or what it threw as one. */
export async function catchAsResult<T>(work: () => Promise<T>): Promise<T | ExecutionResult> {
  try {
    return await work();
  } catch (error) {
    return { errors: [asGraphQLError(error)] };
  }
}

/**
 * A stream of other results. What breaks the source is the last of them. Not a generator function: its `return` would wait for the event
 * that never comes.
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

/** An answer in parts as the stream that sockets carry. */
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

import { AsyncLocalStorage } from 'node:async_hooks';
import type { ExecutionResult, GraphQLFormattedError } from 'graphql';
import { correlationIdFrom } from '#shared/base/correlation-id.ts';
import { maskError } from '#shared/base/errors.ts';
import type { Log } from '#shared/base/log.ts';

export interface UseErrors {
  /** What a client sees of a thrown value. */
  format: (error: unknown, correlationId?: string) => GraphQLFormattedError;
  formatResult: (result: ExecutionResult, correlationId: string) => ExecutionResult & { errors?: never };
  /** Runs work whose errors carry this correlation id, also those that Apollo Server formats itself. */
  within: <T>(correlationId: string, work: () => T) => T;
}

/** One error formatter for every transport, and for requests that never reach GraphQL. */
export function useErrors({ production, log }: { production: boolean; log: Log }): UseErrors {
  const current = new AsyncLocalStorage<string>();
  const format: UseErrors['format'] = (error, correlationId = correlationIdFrom(current.getStore())) => {
    const formatted = maskError(error, { correlationId, log });
    // Suggestions would reveal the schema to callers that may not introspect it.
    return production ? { ...formatted, message: formatted.message.replace(/ ?Did you mean .*$/s, '') } : formatted;
  };
  return {
    format,
    formatResult: (result, correlationId) =>
      (result.errors ? { ...result, errors: result.errors.map((error) => format(error, correlationId)) } : result) as ReturnType<
        UseErrors['formatResult']
      >,
    within: (correlationId, work) => current.run(correlationId, work),
  };
}

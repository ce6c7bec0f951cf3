import type { ExecutionResult } from 'graphql';
import { isIncremental, type Engine, type IncrementalResult } from '../engine/types.ts';
import { mapEvents } from '../engine/results.ts';
import type { Allowed, Authorization } from './authorization.ts';

/**
 * Runs only the part of each operation that its viewer may see. Every filtered place is null and has its own error. A mutation or
 * subscription whose root field is forbidden never reaches the engine.
 */
export function withAuthorization(engine: Engine, authorization: Authorization): Engine {
  return {
    schema: engine.schema,
    async execute(operation) {
      const allowed = authorization.filter(operation);
      if (!allowed) return engine.execute(operation);
      if (!allowed.operation) return refused(allowed);
      const result = await engine.execute(allowed.operation);
      return isIncremental(result) ? completeParts(result, allowed) : allowed.complete(result);
    },
    async subscribe(operation) {
      const allowed = authorization.filter(operation);
      if (!allowed) return engine.subscribe(operation);
      if (!allowed.operation) return refused(allowed);
      const events = await engine.subscribe(allowed.operation);
      return Symbol.asyncIterator in events ? mapEvents(events, allowed.complete) : allowed.complete(events);
    },
    close: () => engine.close(),
  };
}

const refused = ({ errors }: Allowed): ExecutionResult => ({ data: null, errors });

const completeParts = ({ initialResult, subsequentResults }: IncrementalResult, allowed: Allowed): IncrementalResult => ({
  initialResult: { ...allowed.complete(initialResult), hasNext: initialResult.hasNext },
  subsequentResults: changeParts(subsequentResults, allowed),
});

async function* changeParts(
  parts: IncrementalResult['subsequentResults'],
  { completePart }: Allowed,
): IncrementalResult['subsequentResults'] {
  for await (const { incremental, ...rest } of parts) {
    yield incremental ? { ...rest, incremental: incremental.map(completePart) } : rest;
  }
}

import { print, type ExecutionResult } from 'graphql';
import { clientField, toPlanKeys } from '../../engine/aliases.ts';
import type { Engine, Operation } from '../../engine/types.ts';
import { mapEvents } from '../../engine/results.ts';

/**
 * @apollo/gateway is wrong where an alias equals the name of a field that the plan needs. This wrapper renames the aliases, so that
 * everything else can be compared.
 */
export function withHarmlessAliases(engine: Engine): Engine {
  const renamed = (operation: Operation): Operation => {
    const document = toPlanKeys(operation.document);
    return { ...operation, document, source: print(document) };
  };
  return {
    ...engine,
    execute: async (operation) => restored((await engine.execute(renamed(operation))) as ExecutionResult),
    async subscribe(operation) {
      const events = await engine.subscribe(renamed(operation));
      return Symbol.asyncIterator in events ? mapEvents(events, restored) : restored(events);
    },
  };
}

const restored = (result: ExecutionResult): ExecutionResult => ({
  ...result,
  ...(result.data && { data: withClientKeys(result.data) as ExecutionResult['data'] & object }),
  ...(result.errors && {
    errors: result.errors.map((error) =>
      Object.defineProperty(error, 'path', { value: error.path?.map((step) => (typeof step === 'string' ? clientField(step).key : step)) }),
    ),
  }),
});

function withClientKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withClientKeys);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [clientField(key).key, withClientKeys(each)]));
}

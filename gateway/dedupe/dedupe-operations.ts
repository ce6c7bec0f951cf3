import { getOperationAST, OperationTypeNode, type ExecutionResult } from 'graphql';
import type { Engine, IncrementalResult, Operation } from '../engine/types.ts';
import { createFlights } from './single-flight.ts';

/** What is done once for all who ask for the same at the same time. */
export interface Sharing {
  /** Whole queries. Default true. */
  operations?: boolean | undefined;
  /** Root fields asked of a subgraph. Default true. */
  fetches?: boolean | undefined;
  /** Entities asked of a subgraph, one by one. Default false: telling them apart costs more than most graphs save. */
  entities?: boolean | undefined;
}

export interface ShareOptions {
  sharing: Sharing;
  /** What of the viewer an answer can depend on. */
  scopeOf: (operation: Operation) => string;
}

/**
 * Equal queries of those who may see the same are run once while they are under way. An answer to a mutation ends that for all that began
 * before it: whoever has seen the answer sees what it has changed.
 */
export function shareOperations(engine: Engine, { sharing, scopeOf }: ShareOptions): Engine {
  const { operations = true, fetches = true, entities = false } = sharing;
  const flights = createFlights<ExecutionResult | IncrementalResult>((result) => result);
  const isAnythingShared = operations || fetches || entities;

  const query = (operation: Operation): Promise<ExecutionResult | IncrementalResult> => {
    const { source, operationName, variables, wantsCost, signal: own } = operation;
    const scope = isAnythingShared ? scopeOf(operation) : '';
    const run = (signal = own) => engine.execute({ ...operation, signal, scope: { key: scope, fetches, entities } });
    // The parts of an answer can be taken once only.
    if (!operations || source.includes('@defer')) return run();
    return flights.join(JSON.stringify([source, operationName, variables, wantsCost, scope]), run, own);
  };

  return {
    ...engine,
    async execute(operation) {
      const kind = getOperationAST(operation.document, operation.operationName)?.operation;
      if (kind === OperationTypeNode.QUERY) return query(operation);
      const result = await engine.execute(operation);
      flights.seal();
      return result;
    },
  };
}

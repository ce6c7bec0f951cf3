import { getOperationAST, OperationTypeNode, type ExecutionResult } from 'graphql';
import type { Engine, IncrementalResult, Operation } from '../engine/types.ts';
import { createSingleFlight } from './single-flight.ts';

/** Which equal work of several requests in flight runs once. */
export interface DedupeOptions {
  /** Whole queries. Default true. */
  operations?: boolean | undefined;
  /** Fetches of root fields from a subgraph. Default true. */
  fetches?: boolean | undefined;
  /** Entities fetched from a subgraph, each by itself. Default false: comparing them costs more than most graphs save. */
  entities?: boolean | undefined;
}

interface DedupeOperationsOptions {
  dedupe: DedupeOptions;
  /** What of the viewer a response can depend on. */
  scopeOf: (operation: Operation) => string;
}

/**
 * Runs equal queries of the same scope once while they are in flight. The response of a mutation ends this for every query that began before
 * it: a client that has seen the response sees what the mutation changed.
 */
export function dedupeOperations(engine: Engine, { dedupe, scopeOf }: DedupeOperationsOptions): Engine {
  const { operations = true, fetches = true, entities = false } = dedupe;
  const queries = createSingleFlight<ExecutionResult | IncrementalResult>((result) => result);
  const needsScope = operations || fetches || entities;

  const query = (operation: Operation): Promise<ExecutionResult | IncrementalResult> => {
    const { source, operationName, variables, wantsCost, signal: own } = operation;
    const scope = needsScope ? scopeOf(operation) : '';
    const run = (signal = own) => engine.execute({ ...operation, signal, scope: { key: scope, fetches, entities } });
    // The parts of an incremental response can be read once only.
    if (!operations || source.includes('@defer')) return run();
    return queries.run(JSON.stringify([source, operationName, variables, wantsCost, scope]), run, own);
  };

  return {
    ...engine,
    async execute(operation) {
      const kind = getOperationAST(operation.document, operation.operationName)?.operation;
      if (kind === OperationTypeNode.QUERY) return query(operation);
      const result = await engine.execute(operation);
      queries.forgetInFlight();
      return result;
    },
  };
}

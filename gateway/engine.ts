import type { DocumentNode, ExecutionResult, GraphQLSchema } from 'graphql';
import type { Identity } from '../shared/identity.ts';

/** One operation of a client: parsed, valid and within the limits. */
export interface Operation {
  /** Its text, by which plans are remembered. */
  source: string;
  document: DocumentNode;
  operationName?: string | undefined;
  variables?: Record<string, unknown> | undefined;
  identity: Identity;
  correlationId: string;
  /** Epoch milliseconds after which nobody waits for the answer any more. */
  deadline: number;
}

/** Plans operations over the supergraph and runs them on the subgraphs. Rejects never: what goes wrong is in the result. */
export interface Engine {
  /** What clients see. */
  readonly schema: GraphQLSchema;
  execute(operation: Operation): Promise<ExecutionResult>;
  /** The result instead of a stream when the subscription could not begin. */
  subscribe(operation: Operation): Promise<AsyncGenerator<ExecutionResult, void, void> | ExecutionResult>;
  close(): Promise<void>;
}

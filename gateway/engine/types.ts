import type { DocumentNode, ExecutionResult, GraphQLScalarType, GraphQLSchema } from 'graphql';
import type { Identity } from '#shared/base/identity.ts';
import type { Log } from '#shared/base/log.ts';
import type { SubgraphTransport } from '#shared/kit/transport.ts';
import type { EntityStore } from '../cache/entity-store.ts';
import type { Planner } from './planning/planner.ts';
import type { SubgraphErrors } from './subgraph-errors.ts';

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
  /** Aborted when the client has gone: a query stops then, a mutation runs to its end. */
  signal?: AbortSignal | undefined;
  /** Of a mutation that runs: aborted then. What waits for its turn somewhere is then not begun. */
  departure?: AbortSignal | undefined;
  /** Of a subscription: its first result shall say where the stream begins, see `isStart`. */
  wantsStart?: boolean | undefined;
  /** What is deferred is answered with the rest. */
  inOnePiece?: boolean | undefined;
  /** Its cost shall be in the extensions of the answer. */
  wantsCost?: boolean | undefined;
  /** Who else may have what is fetched for it. Without, nothing is shared or taken from a cache, and what was begun before is not joined afterwards. */
  scope?: FetchScope | undefined;
}

export interface FetchScope {
  /** What of the viewer the answer can depend on. */
  key: string;
  /** Root fields are fetched once for all who ask at the same time. */
  fetches: boolean;
  /** So are entities, one by one. */
  entities: boolean;
}

export interface EngineOptions {
  supergraphSdl: string;
  /** By the name of the subgraph; one that is missing costs its fields only. */
  transports: Readonly<Record<string, SubgraphTransport>>;
  /** Scalars whose literals and variables are checked before any subgraph is asked. */
  scalars?: Readonly<Record<string, GraphQLScalarType>> | undefined;
  /** Who plans, where an engine leaves the choice. Default: this thread, while nobody else is served. */
  planner?: Planner | undefined;
  /** Where entities that are the same for everybody are kept. Default: nowhere. */
  entityStore?: EntityStore | undefined;
  /** How errors of subgraphs without a code are told. Default: as faults of ours. */
  subgraphErrors?: SubgraphErrors | undefined;
  log: Log;
}

/** Plans operations over the supergraph and runs them on the subgraphs. Rejects never: what goes wrong is in the result. */
export interface Engine {
  /** What clients see. */
  readonly schema: GraphQLSchema;
  /** Incremental when the operation has deferred parts. */
  execute(operation: Operation): Promise<ExecutionResult | IncrementalResult>;
  /** The result instead of a stream when the subscription could not begin. */
  subscribe(operation: Operation): Promise<AsyncGenerator<ExecutionResult, void, void> | ExecutionResult>;
  close(): Promise<void>;
}

/** An answer in parts: the first, then the deferred ones as they become ready. */
export interface IncrementalResult {
  initialResult: ExecutionResult & { hasNext: boolean };
  subsequentResults: AsyncGenerator<SubsequentResult, void, void>;
}

export interface SubsequentResult {
  incremental?: IncrementalPart[];
  hasNext: boolean;
}

export interface IncrementalPart extends ExecutionResult {
  path: (string | number)[];
  label?: string;
}

/** Not an event: the place in the stream that the first event will come after, in `extensions.cursor`. */
export const isStart = ({ data, errors, extensions }: ExecutionResult): boolean =>
  data === null && errors === undefined && extensions?.['cursor'] !== undefined;

export const isIncremental = (result: ExecutionResult | IncrementalResult): result is IncrementalResult => 'initialResult' in result;

import type { DocumentNode, ExecutionResult, GraphQLScalarType, GraphQLSchema } from 'graphql';
import type { Identity } from '#shared/base/identity.ts';
import type { Log } from '#shared/base/log.ts';
import type { SubgraphTransport } from '#shared/kit/transport.ts';
import type { EntityStore } from '../cache/entity-store.ts';
import type { Planner } from './planning/planner.ts';
import type { SubgraphErrors } from './subgraph-errors.ts';

/** One operation of a client: parsed, valid and within the limits. */
export interface Operation {
  /** Its text, the cache key of its plan. */
  source: string;
  document: DocumentNode;
  operationName?: string | undefined;
  variables?: Record<string, unknown> | undefined;
  identity: Identity;
  correlationId: string;
  /** Epoch milliseconds after which the result is no longer needed. */
  deadline: number;
  /** Aborted when the client disconnects: a query stops, a mutation runs to its end. */
  signal?: AbortSignal | undefined;
  /** Of a running mutation: aborted when the client disconnects. Work that still waits for its turn is then not started. */
  departure?: AbortSignal | undefined;
  /** Of a subscription: its first result is the start of the stream, see `isStart`. */
  wantsStart?: boolean | undefined;
  /** Returns deferred parts with the rest. */
  inOnePiece?: boolean | undefined;
  /** Returns the cost in the extensions of the response. */
  wantsCost?: boolean | undefined;
  /**
   * Which operations may share its fetches. Without a scope nothing is shared or cached, and fetches begun before are not joined
   * afterwards.
   */
  scope?: FetchScope | undefined;
}

export interface FetchScope {
  /** What of the viewer the response can depend on. */
  key: string;
  /** Equal fetches of root fields run once while in flight. */
  fetches: boolean;
  /** The same for entities, each by itself. */
  entities: boolean;
}

export interface EngineOptions {
  supergraphSdl: string;
  /** By subgraph name. A missing transport costs only the fields of its subgraph. */
  transports: Readonly<Record<string, SubgraphTransport>>;
  /** Scalars whose literals and variables are checked before any subgraph fetch. */
  scalars?: Readonly<Record<string, GraphQLScalarType>> | undefined;
  /** The planner, where an engine leaves the choice. Default: in this thread, which serves nothing else meanwhile. */
  planner?: Planner | undefined;
  /** Cache of viewer-independent entities. Default: none. */
  entityStore?: EntityStore | undefined;
  /** How errors of subgraphs without a code are reported. Default: masked. */
  subgraphErrors?: SubgraphErrors | undefined;
  log: Log;
}

/** Plans operations over the supergraph and executes them on the subgraphs. Never rejects: errors are in the result. */
export interface Engine {
  /** The API schema. */
  readonly schema: GraphQLSchema;
  /** Incremental when the operation has deferred parts. */
  execute(operation: Operation): Promise<ExecutionResult | IncrementalResult>;
  /** Returns a result instead of a stream when the subscription could not start. */
  subscribe(operation: Operation): Promise<AsyncGenerator<ExecutionResult, void, void> | ExecutionResult>;
  close(): Promise<void>;
}

/** An incremental response: the first result, then the deferred parts as they become ready. */
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

/** Not an event: the cursor before the first event, in `extensions.cursor`. */
export const isStart = ({ data, errors, extensions }: ExecutionResult): boolean =>
  data === null && errors === undefined && extensions?.['cursor'] !== undefined;

export const isIncremental = (result: ExecutionResult | IncrementalResult): result is IncrementalResult => 'initialResult' in result;

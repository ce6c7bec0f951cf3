import type { Readable } from 'node:stream';
import type { ExecutionResult } from 'graphql';
import type { Identity } from '../base/identity.ts';

export interface SubgraphRequest {
  query: string;
  operationName?: string | undefined;
  variables?: Record<string, unknown> | undefined;
  identity: Identity;
  correlationId: string;
  /** Epoch milliseconds after which the result is no longer needed. */
  deadline: number;
  /** Set for a query: fires when the client disconnects. */
  signal?: AbortSignal | undefined;
  /** Set for a mutation: fires when the client disconnects. It keeps the mutation from beginning; one that has begun is finished. */
  disconnectSignal?: AbortSignal | undefined;
  /**
   * For a subscription: requests a first result with null data whose `extensions.cursor` is the start of the stream. A stream without a known
   * start omits that result.
   */
  wantsStart?: boolean | undefined;
}

/** A request of a client to a route (`define-route.ts`). */
export interface RouteRequest {
  method: string;
  /** The path of the route as it is declared: `/files/reports/:id`. */
  route: string;
  /** Path and query as the client sent them. */
  url: string;
  headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Raw bytes; undefined for a request without a body. */
  body: Readable | undefined;
  identity: Identity;
  correlationId: string;
  /** Epoch milliseconds after which nobody waits for the head of the response. */
  deadline: number;
  /** Fires when the client disconnects. */
  signal?: AbortSignal | undefined;
}

export interface RouteResponse {
  status: number;
  headers: Record<string, string>;
  body?: Readable | Buffer | string | undefined;
}

/** Executes operations of a subgraph and passes requests to its routes, in process or over HTTP. */
export interface SubgraphTransport {
  execute(request: SubgraphRequest): Promise<ExecutionResult>;
  subscribe(request: SubgraphRequest): Promise<AsyncIterableIterator<ExecutionResult> | ExecutionResult>;
  /** Absent for a subgraph that cannot have routes. Rejects with a `Problem` before the head of the response. */
  request?(request: RouteRequest): Promise<RouteResponse>;
}

/** A command as it travels between processes: POST /internal/<command>. */
export interface CommandRequest {
  command: string;
  input: unknown;
  identity: Identity;
  correlationId: string;
  deadline: number;
  idempotencyKey?: string | undefined;
}

/** Rejects with the `Problem` of the handler. */
export interface CommandTransport {
  call(request: CommandRequest): Promise<unknown>;
}

import type { ExecutionResult } from 'graphql';
import type { Identity } from '../base/identity.ts';

export interface SubgraphRequest {
  query: string;
  operationName?: string | undefined;
  variables?: Record<string, unknown> | undefined;
  identity: Identity;
  correlationId: string;
  /** Epoch milliseconds after which nobody waits for the answer any more. */
  deadline: number;
  /** Of a query: aborted when nobody waits for the answer any more. */
  signal?: AbortSignal | undefined;
  /** Of a mutation: aborted then, which keeps it from being begun; what has begun goes on. */
  departure?: AbortSignal | undefined;
  /**
   * Of a subscription: its first result shall say where the stream begins, by `extensions.cursor` and nothing else (its data are null).
   * Who cannot tell leaves it out.
   */
  wantsStart?: boolean | undefined;
}

/** How a subgraph is asked, wherever it lives. */
export interface SubgraphTransport {
  execute(request: SubgraphRequest): Promise<ExecutionResult>;
  subscribe(request: SubgraphRequest): Promise<AsyncIterableIterator<ExecutionResult> | ExecutionResult>;
}

/** A command as it crosses a process border: POST /internal/<command>. */
export interface CommandRequest {
  command: string;
  input: unknown;
  identity: Identity;
  correlationId: string;
  deadline: number;
  idempotencyKey?: string | undefined;
}

/** Rejects with the callee's `Problem`. */
export interface CommandTransport {
  call(request: CommandRequest): Promise<unknown>;
}

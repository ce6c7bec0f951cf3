import type { ExecutionResult, GraphQLError } from 'graphql';
import { createClient, type Client } from 'graphql-ws';
import { WebSocket } from 'ws';
import { createAsyncQueue } from '../base/async-queue.ts';
import { Problem } from '../base/errors.ts';
import type { SubgraphRequest } from '../kit/transport.ts';
import { streamsUnsupported, subgraphUnavailable } from './problem-json.ts';

const WAITING_EVENTS = 1_000;

export interface SocketLimits {
  /** Largest message in bytes. */
  maxPayload: number;
  connectTimeoutMs: number;
}

interface SocketClientOptions extends SocketLimits {
  /** What the socket says of itself when it opens. */
  connectionParams?: Record<string, string> | undefined;
}

/** One socket, opened when needed, for all subscriptions. */
export function createSocketClient(url: string, { maxPayload, connectTimeoutMs, connectionParams }: SocketClientOptions): Client {
  let pongWait: NodeJS.Timeout | undefined;
  class Socket extends WebSocket {
    constructor(address: string, protocol: string) {
      super(address, protocol, { handshakeTimeout: connectTimeoutMs, maxPayload, perMessageDeflate: false });
    }
  }
  const client = createClient({
    url,
    webSocketImpl: Socket,
    // A lost socket ends its subscriptions with an error: to subscribe again in silence would hide the events between.
    retryAttempts: 0,
    ...(connectionParams && { connectionParams }),
    connectionAckWaitTimeout: connectTimeoutMs,
    keepAlive: 10_000,
    on: {
      ping: (received) => {
        if (!received) pongWait = setTimeout(() => client.terminate(), 5_000).unref();
      },
      pong: (received) => {
        if (received) clearTimeout(pongWait);
      },
      closed: () => clearTimeout(pongWait),
    },
  });
  return client;
}

/** What `ws` says of a server that answers the handshake in another language. */
const OTHER_PROTOCOL = /^Unexpected server response: [1-4]|subprotocol/;

function lost(name: string, reason: unknown): Problem {
  const message = typeof reason === 'object' && reason !== null && 'message' in reason ? String(reason.message) : '';
  return OTHER_PROTOCOL.test(message) ? streamsUnsupported(name, reason) : subgraphUnavailable(name, reason);
}

/** The stream ends with a retryable error when the subgraph is lost; the client resumes it with its cursor. */
export function openSubscription(
  name: string,
  client: Client,
  request: SubgraphRequest,
  { key, onDone }: { key?: string; onDone?: () => void } = {},
): AsyncGenerator<ExecutionResult, void, void> {
  const { query, operationName, variables, correlationId, wantsStart } = request;
  const slow = (): ExecutionResult => ({ errors: [new Problem('SLOW_CONSUMER', 'The stream was read too slowly.', { retryable: true })] });
  const channel = createAsyncQueue<ExecutionResult>({ limit: WAITING_EVENTS, overflow: slow, onDone: () => leave() });
  const unsubscribe = client.subscribe(
    { query, operationName: operationName ?? null, variables: variables ?? null, extensions: { key, correlationId, wantsStart } },
    {
      // Whoever asked looks at what it is, as at every answer.
      next: (event) => channel.push(event as ExecutionResult),
      // Refusals come as a list of GraphQL errors, a lost socket as anything else.
      error: (reason) => channel.end({ errors: Array.isArray(reason) ? (reason as GraphQLError[]) : [lost(name, reason)] }),
      complete: () => channel.end(),
    },
  );
  const leave = (): void => {
    unsubscribe();
    onDone?.();
  };
  return channel.values;
}

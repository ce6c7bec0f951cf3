import type { IncomingMessage } from 'node:http';
import { GraphQLError, type ExecutionArgs, type ExecutionResult } from 'graphql';
import { makeServer, type Context, type Server } from 'graphql-ws';
import type { WebSocket } from 'ws';
import { correlationIdFrom } from '#shared/base/correlation-id.ts';
import { Problem } from '#shared/base/errors.ts';
import type { Identity } from '#shared/base/identity.ts';
import type { SocketExtra } from '#shared/transport/websocket-server.ts';
import { isIncremental, type Engine, type Operation } from '../engine/types.ts';
import { partsOf } from '../engine/results.ts';
import type { GraphRegistry } from '../supergraph/graph-registry.ts';
import { validateRequest, InvalidDocument, type RequestInfo } from '../http/request-params.ts';
import { trackCancellations } from './cancelled-operations.ts';
import { subscribeOverWebsocket } from './over-socket.ts';
import type { Streams } from './stream-registry.ts';
import type { PersistedOperations } from '../supergraph/persisted-operations.ts';
import type { UseErrors } from '../plugins/use-errors.ts';
import type { UsePropagatedHeaders } from '../plugins/use-propagated-headers.ts';
import type { Access } from '../plugins/use-api-keys.ts';
import type { Limits } from '../plugins/use-limits.ts';
import type { WebsocketSessions } from './websocket-sessions.ts';

interface WebsocketOptions {
  graphs: GraphRegistry;
  streams: Streams;
  errors: UseErrors;
  sessions: WebsocketSessions;
  clientOf: (request: IncomingMessage) => Identity['client'];
  forwardedOf: UsePropagatedHeaders;
  persistedOperations: PersistedOperations;
  limits: Limits;
  timeoutMs: number;
}

type SocketContext = Context<Record<string, unknown>, SocketExtra>;

/** One message: its operation, the engine that runs it, and the socket for the response. */
interface Message {
  operation: Operation;
  engine: Engine;
  socket: WebSocket;
  id: string;
}

/** Serves graphql-ws. Requests are validated here by the same rules as over HTTP; graphql-ws never sees the schema. */
export function websocketProtocol(options: WebsocketOptions): Server<SocketExtra> {
  const { graphs, streams, errors, sessions, persistedOperations } = options;
  const waitingOn = trackCancellations();
  return makeServer<Record<string, unknown>, SocketExtra>({
    onConnect: ({ extra, connectionParams }) => sessions.begin(extra, connectionParams),
    onSubscribe: async (ctx, id, payload) => {
      const correlationId = correlationIdFrom(payload.extensions?.['correlationId']);
      try {
        // Checked before any await: messages that arrive together would all pass otherwise.
        const { contract, ...info } = infoOf(ctx, correlationId, options);
        const { engine, documents } = await graphs.of(contract);
        const { operation } = validateRequest(documents, { ...payload, query: persistedOperations.sourceFor(payload) ?? '' }, info);
        const { document, operationName } = operation;
        return { schema: engine.schema, document, operationName, contextValue: { operation, engine, id, socket: ctx.extra.socket } };
      } catch (error) {
        const refused = error instanceof InvalidDocument ? error.errors : [error];
        return refused.map((each) => new Formatted(errors.format(each, correlationId)));
      }
    },
    async execute(args) {
      const { engine, operation, socket, id } = messageOf(args);
      const { signal, over } = waitingOn(socket, id);
      const result = await engine.execute({ ...operation, signal });
      if (isIncremental(result)) return partsOf(result, over);
      over();
      return result;
    },
    subscribe: (args) => subscribeOverWebsocket(streams, messageOf(args)),
    onNext: (_ctx, _id, _payload, args, result) =>
      errors.formatResult(result as ExecutionResult, messageOf(args).operation.correlationId) as never,
  });
}

/** Identity and deadline of a message. Throws when the socket may not run it. */
function infoOf(
  { extra: { socket, request }, subscriptions, connectionParams }: SocketContext,
  correlationId: string,
  { sessions, clientOf, forwardedOf, limits, timeoutMs }: WebsocketOptions,
): RequestInfo & Pick<Access, 'contract'> {
  const session = sessions.of(socket);
  if (!session) throw new Problem('UNAUTHENTICATED', 'The socket has no session any more.');
  if (Object.keys(subscriptions).length > limits.operationsPerSocket) throw tooMany(limits.operationsPerSocket);
  const forwarded = forwardedOf(connectionParams, request.headers);
  const { contract, readsSchema, holder } = session.access;
  const client = { ...clientOf(request), apiKey: holder };
  const identity: Identity = { issuer: 'gateway', viewer: session.viewer, client, forwarded };
  return { contract, readsSchema, identity, correlationId, deadline: Date.now() + timeoutMs };
}

const tooMany = (maxOperations: number): Problem =>
  new Problem('TOO_MANY_OPERATIONS', `A socket carries at most ${maxOperations} operations at a time.`, { retryable: true });

const messageOf = (args: ExecutionArgs): Message => args.contextValue as Message;

/** graphql-ws accepts GraphQL errors only, and sends their `toJSON()`. */
class Formatted extends GraphQLError {
  readonly #formatted: ReturnType<UseErrors['format']>;

  constructor(formatted: ReturnType<UseErrors['format']>) {
    super(formatted.message);
    this.#formatted = formatted;
  }

  override toJSON(): ReturnType<UseErrors['format']> {
    return this.#formatted;
  }
}

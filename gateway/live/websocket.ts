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
import { admitAsked, NotValid, type Envelope } from '../http/request-params.ts';
import { watchDepartures } from './cancelled-operations.ts';
import { subscribeOverSocket } from './over-socket.ts';
import type { Streams } from './stream-registry.ts';
import type { PersistedOperations } from '../supergraph/persisted-operations.ts';
import type { UseErrors } from '../plugins/use-errors.ts';
import type { UseForwarded } from '../plugins/use-propagated-headers.ts';
import type { Access } from '../plugins/use-api-keys.ts';
import type { Limits } from '../plugins/use-limits.ts';
import type { SocketSessions } from './websocket-sessions.ts';

interface SocketsOptions {
  graphs: GraphRegistry;
  streams: Streams;
  errors: UseErrors;
  sessions: SocketSessions;
  clientOf: (request: IncomingMessage) => Identity['client'];
  forwardedOf: UseForwarded;
  persistedOperations: PersistedOperations;
  limits: Limits;
  timeoutMs: number;
}

type SocketContext = Context<Record<string, unknown>, SocketExtra>;

/** What a message asks for, of which engine, and where its answers go. */
interface Message {
  operation: Operation;
  engine: Engine;
  socket: WebSocket;
  id: string;
}

/** graphql-ws never sees the schema: what may run is decided here, by the same rules as over HTTP. */
export function socketProtocol(options: SocketsOptions): Server<SocketExtra> {
  const { graphs, streams, errors, sessions, persistedOperations } = options;
  const waitingOn = watchDepartures();
  return makeServer<Record<string, unknown>, SocketExtra>({
    onConnect: ({ extra, connectionParams }) => sessions.begin(extra, connectionParams),
    onSubscribe: async (ctx, id, payload) => {
      const correlationId = correlationIdFrom(payload.extensions?.['correlationId']);
      try {
        // Before anything is waited for: those that come together would all be counted.
        const { contract, ...envelope } = envelopeOf(ctx, correlationId, options);
        const { engine, documents } = await graphs.of(contract);
        const { operation } = admitAsked(documents, { ...payload, query: persistedOperations.sourceFor(payload) ?? '' }, envelope);
        const { document, operationName } = operation;
        return { schema: engine.schema, document, operationName, contextValue: { operation, engine, id, socket: ctx.extra.socket } };
      } catch (error) {
        const refused = error instanceof NotValid ? error.errors : [error];
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
    subscribe: (args) => subscribeOverSocket(streams, messageOf(args)),
    onNext: (_ctx, _id, _payload, args, result) =>
      errors.formatResult(result as ExecutionResult, messageOf(args).operation.correlationId) as never,
  });
}

/** Who sends a message, and how long it may take; throws why it may not be looked at. */
function envelopeOf(
  { extra: { socket, request }, subscriptions, connectionParams }: SocketContext,
  correlationId: string,
  { sessions, clientOf, forwardedOf, limits, timeoutMs }: SocketsOptions,
): Envelope & Pick<Access, 'contract'> {
  const session = sessions.of(socket);
  if (!session) throw new Problem('UNAUTHENTICATED', 'The socket has no session any more.');
  if (Object.keys(subscriptions).length > limits.operationsPerSocket) throw tooMany(limits.operationsPerSocket);
  const forwarded = forwardedOf(connectionParams, request.headers);
  const identity: Identity = { issuer: 'gateway', viewer: session.viewer, client: clientOf(request), forwarded };
  const { contract, readsSchema } = session.access;
  return { contract, readsSchema, identity, correlationId, deadline: Date.now() + timeoutMs };
}

const tooMany = (most: number): Problem =>
  new Problem('TOO_MANY_OPERATIONS', `A socket carries at most ${most} operations at a time.`, { retryable: true });

const messageOf = (args: ExecutionArgs): Message => args.contextValue as Message;

/** graphql-ws sends what an error says of itself, and takes nothing but GraphQL errors. */
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

import type { IncomingMessage } from 'node:http';
import { GraphQLError, type ExecutionArgs, type ExecutionResult } from 'graphql';
import { makeServer, type Context, type Server, type SubscribePayload } from 'graphql-ws';
import type { WebSocket } from 'ws';
import { correlationIdFrom } from '../shared/correlation.ts';
import { Problem } from '../shared/errors.ts';
import type { Identity } from '../shared/identity.ts';
import type { SocketExtra } from '../shared/sockets.ts';
import { isIncremental, type Engine, type Operation } from './engine.ts';
import { partsOf } from './events.ts';
import type { Graph } from './graph.ts';
import { contractIn, type Graphs } from './graphs.ts';
import { admitAsked, NotValid } from './live/asked.ts';
import { subscribeOverSocket } from './live/over-socket.ts';
import type { Streams } from './live/streams.ts';
import type { KnownOperations } from './known.ts';
import type { UseErrors } from './plugins/use-errors.ts';
import type { UseForwarded } from './plugins/use-forwarded.ts';
import type { Limits } from './plugins/use-limits.ts';
import type { SocketSessions } from './socket-sessions.ts';

interface SocketsOptions {
  graphs: Graphs;
  streams: Streams;
  errors: UseErrors;
  sessions: SocketSessions;
  clientOf: (request: IncomingMessage) => Identity['client'];
  forwardedOf: UseForwarded;
  known: KnownOperations;
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
  const { graphs, streams, errors, sessions } = options;
  return makeServer<Record<string, unknown>, SocketExtra>({
    onConnect: ({ extra, connectionParams }) => sessions.begin(extra.socket, connectionParams),
    onSubscribe: async (ctx, id, payload) => {
      const correlationId = correlationIdFrom(payload.extensions?.['correlationId']);
      try {
        const { engine, operations } = await graphs.of(contractIn(ctx.connectionParams) ?? contractIn(ctx.extra.request.headers));
        const operation = operationOf(ctx, payload, correlationId, { ...options, operations });
        const { document, operationName } = operation;
        return { schema: engine.schema, document, operationName, contextValue: { operation, engine, id, socket: ctx.extra.socket } };
      } catch (error) {
        const refused = error instanceof NotValid ? error.errors : [error];
        return refused.map((each) => new Formatted(errors.format(each, correlationId)));
      }
    },
    async execute(args) {
      const { engine, operation } = messageOf(args);
      const result = await engine.execute(operation);
      return isIncremental(result) ? partsOf(result) : result;
    },
    subscribe: (args) => subscribeOverSocket(streams, messageOf(args)),
    onNext: (_ctx, _id, _payload, args, result) =>
      errors.formatResult(result as ExecutionResult, messageOf(args).operation.correlationId) as never,
  });
}

/** The operation of a message; throws why it may not run. */
function operationOf(
  { extra: { socket, request }, subscriptions, connectionParams }: SocketContext,
  asked: SubscribePayload,
  correlationId: string,
  { operations, sessions, clientOf, forwardedOf, known, limits, timeoutMs }: SocketsOptions & Pick<Graph, 'operations'>,
): Operation {
  const session = sessions.of(socket);
  if (!session) throw new Problem('UNAUTHENTICATED', 'The socket has no session any more.');
  if (Object.keys(subscriptions).length > limits.operationsPerSocket) throw tooMany(limits.operationsPerSocket);
  const identity: Identity = {
    issuer: 'gateway',
    viewer: session.viewer,
    client: clientOf(request),
    forwarded: forwardedOf(connectionParams, request.headers),
  };
  return admitAsked(
    operations,
    { ...asked, query: known.textOf(asked) ?? '' },
    { identity, correlationId, deadline: Date.now() + timeoutMs },
  ).operation;
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

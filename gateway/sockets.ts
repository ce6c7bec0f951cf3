import type { IncomingMessage } from 'node:http';
import { GraphQLError, type ExecutionArgs, type ExecutionResult } from 'graphql';
import { makeServer, type Context, type Server, type SubscribePayload } from 'graphql-ws';
import { correlationIdFrom } from '../shared/correlation.ts';
import { Problem } from '../shared/errors.ts';
import type { Identity } from '../shared/identity.ts';
import type { SocketExtra } from '../shared/sockets.ts';
import { isIncremental, type Engine, type Operation } from './engine.ts';
import { partsOf } from './events.ts';
import type { Operations } from './operations.ts';
import type { UseErrors } from './plugins/use-errors.ts';
import { LIMITS } from './plugins/use-limits.ts';
import type { SocketSessions } from './socket-sessions.ts';

interface SocketsOptions {
  engine: Engine;
  operations: Operations;
  errors: UseErrors;
  sessions: SocketSessions;
  clientOf: (request: IncomingMessage) => Identity['client'];
  timeoutMs: number;
}

type SocketContext = Context<Record<string, unknown>, SocketExtra>;

/** graphql-ws never sees the schema: what may run is decided here, by the same rules as over HTTP. */
export function socketProtocol(options: SocketsOptions): Server<SocketExtra> {
  const { engine, errors, sessions } = options;
  return makeServer<Record<string, unknown>, SocketExtra>({
    onConnect: ({ extra, connectionParams }) => sessions.begin(extra.socket, connectionParams),
    onSubscribe: (ctx, _id, payload) => {
      const correlationId = correlationIdFrom(payload.extensions?.['correlationId']);
      try {
        const operation = operationOf(ctx, payload, correlationId, options);
        return { schema: engine.schema, document: operation.document, operationName: operation.operationName, contextValue: operation };
      } catch (error) {
        const refused = error instanceof NotValid ? error.errors : [error];
        return refused.map((each) => new Formatted(errors.format(each, correlationId)));
      }
    },
    async execute(args) {
      const result = await engine.execute(operationIn(args));
      return isIncremental(result) ? partsOf(result) : result;
    },
    subscribe: (args) => engine.subscribe(operationIn(args)),
    onNext: (_ctx, _id, _payload, args, result) => errors.formatResult(result as ExecutionResult, operationIn(args).correlationId) as never,
  });
}

/** The operation of a message; throws why it may not run. */
function operationOf(
  { extra: { socket, request }, subscriptions }: SocketContext,
  { query: source, operationName, variables }: SubscribePayload,
  correlationId: string,
  { operations, sessions, clientOf, timeoutMs }: SocketsOptions,
): Operation {
  const session = sessions.of(socket);
  if (!session) throw new Problem('UNAUTHENTICATED', 'The socket has no session any more.');
  if (Object.keys(subscriptions).length > LIMITS.operationsPerSocket) throw tooMany();
  const { document, errors } = operations.read(source);
  if (errors) throw new NotValid(errors);
  operations.admit({ document, operationName, viewer: session.viewer });
  return {
    source,
    document,
    operationName: operationName ?? undefined,
    variables: variables ?? undefined,
    identity: { issuer: 'gateway', viewer: session.viewer, client: clientOf(request) },
    correlationId,
    deadline: Date.now() + timeoutMs,
  };
}

const tooMany = (): Problem =>
  new Problem('TOO_MANY_OPERATIONS', `A socket carries at most ${LIMITS.operationsPerSocket} operations at a time.`, { retryable: true });

const operationIn = (args: ExecutionArgs): Operation => args.contextValue as Operation;

class NotValid extends Error {
  readonly errors: readonly GraphQLError[];

  constructor(errors: readonly GraphQLError[]) {
    super('The operation is not valid.');
    this.errors = errors;
  }
}

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

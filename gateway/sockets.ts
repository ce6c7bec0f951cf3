import type { IncomingMessage } from 'node:http';
import { GraphQLError, type ExecutionArgs, type ExecutionResult } from 'graphql';
import { CloseCode, makeServer, type Context, type Server, type SubscribePayload } from 'graphql-ws';
import type { WebSocket } from 'ws';
import { correlationIdFrom } from '../shared/correlation.ts';
import { Problem } from '../shared/errors.ts';
import type { Identity } from '../shared/identity.ts';
import type { Log } from '../shared/log.ts';
import type { SocketExtra } from '../shared/sockets.ts';
import type { Engine, Operation } from './engine.ts';
import type { Operations } from './operations.ts';
import type { UseErrors } from './plugins/use-errors.ts';
import { LIMITS } from './plugins/use-limits.ts';
import { isEnded, type IsRevoked } from './plugins/use-revocations.ts';
import type { Session, UseViewer } from './plugins/use-viewer.ts';

interface SocketsOptions {
  engine: Engine;
  operations: Operations;
  errors: UseErrors;
  viewers: UseViewer;
  isRevoked?: IsRevoked | undefined;
  revocationCheckMs: number;
  clientOf: (request: IncomingMessage) => Identity['client'];
  timeoutMs: number;
  log: Log;
}

export interface GatewaySockets {
  protocol: Server<SocketExtra>;
  /** Stops watching; the sockets themselves are closed by who serves them. */
  stop: () => void;
}

type SocketContext = Context<Record<string, unknown>, SocketExtra>;

/** setTimeout counts in 32 bits. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** graphql-ws never sees the schema: what may run is decided here, by the same rules as over HTTP. */
export function createSockets({
  engine,
  operations,
  errors,
  viewers,
  isRevoked,
  revocationCheckMs,
  clientOf,
  timeoutMs,
  log,
}: SocketsOptions): GatewaySockets {
  const sessions = new Map<WebSocket, Session>();
  const forbid = (socket: WebSocket, reason: string): void => socket.close(CloseCode.Forbidden, reason);

  const admit = async ({ connectionParams, extra: { socket } }: SocketContext): Promise<boolean> => {
    const session = await viewers.fromConnectionParams(connectionParams).catch(() => undefined);
    if (!session || (await isEnded(session.viewer, isRevoked))) {
      forbid(socket, 'UNAUTHENTICATED');
      return false;
    }
    sessions.set(socket, session);
    const expiry = closeAt(session.expiresAt, () => forbid(socket, 'The access token has expired'));
    socket.once('close', () => {
      clearTimeout(expiry);
      sessions.delete(socket);
    });
    return true;
  };

  const watch = setInterval(() => {
    for (const [socket, { viewer }] of sessions) {
      void isEnded(viewer, isRevoked).then((ended) => ended && forbid(socket, 'The session has ended'));
    }
  }, revocationCheckMs).unref();

  /** The operation of a message, or why it may not run. */
  const operationOf = ({ extra: { socket, request }, subscriptions }: SocketContext, payload: SubscribePayload): Operation => {
    const session = sessions.get(socket);
    if (!session) throw new Problem('UNAUTHENTICATED', 'The socket has no session any more.');
    if (Object.keys(subscriptions).length > LIMITS.operationsPerSocket) {
      throw new Problem('TOO_MANY_OPERATIONS', `A socket carries at most ${LIMITS.operationsPerSocket} operations at a time.`, {
        retryable: true,
      });
    }
    const { query: source, operationName, variables } = payload;
    const read = operations.read(source);
    if (read.errors) throw new Invalid(read.errors);
    operations.admit({ document: read.document, operationName, viewer: session.viewer });
    return {
      source,
      document: read.document,
      operationName: operationName ?? undefined,
      variables: variables ?? undefined,
      identity: { issuer: 'gateway', viewer: session.viewer, client: clientOf(request) },
      correlationId: correlationIdFrom(payload.extensions?.['correlationId']),
      deadline: Date.now() + timeoutMs,
    };
  };

  const protocol = makeServer<Record<string, unknown>, SocketExtra>({
    onConnect: admit,
    onSubscribe: (ctx, _id, payload) => {
      try {
        const operation = operationOf(ctx, payload);
        const { document, operationName } = operation;
        return { schema: engine.schema, document, operationName, contextValue: operation };
      } catch (error) {
        const list = error instanceof Invalid ? error.errors : [error];
        const correlationId = correlationIdFrom(payload.extensions?.['correlationId']);
        return list.map((each) => sendable(each, correlationId));
      }
    },
    execute: (args) => engine.execute(operationIn(args)),
    subscribe: (args) => engine.subscribe(operationIn(args)),
    onNext: (_ctx, _id, _payload, args, result) => errors.formatResult(result as ExecutionResult, operationIn(args).correlationId) as never,
    onError: (_ctx, _id, _payload, list) => list.map((error) => error.toJSON()),
  });

  const sendable = (error: unknown, correlationId: string): GraphQLError => {
    const { message, ...rest } = errors.format(error, correlationId);
    return Object.assign(new GraphQLError(message, { extensions: rest.extensions ?? {} }), { toJSON: () => ({ message, ...rest }) });
  };

  return {
    protocol: {
      opened: (socket, extra) => {
        log.debug({ ip: clientOf(extra.request)?.ip }, 'socket opened');
        return protocol.opened(socket, extra);
      },
    },
    stop: () => clearInterval(watch),
  };
}

class Invalid extends Error {
  readonly errors: readonly GraphQLError[];
  constructor(errors: readonly GraphQLError[]) {
    super('The operation is not valid.');
    this.errors = errors;
  }
}

const operationIn = (args: ExecutionArgs): Operation => args.contextValue as Operation;

function closeAt(time: number, close: () => void): NodeJS.Timeout | undefined {
  const wait = time - Date.now();
  return wait > LONGEST_TIMER_MS ? undefined : setTimeout(close, Math.max(0, wait)).unref();
}

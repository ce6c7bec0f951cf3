import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { Problem } from '#shared/base/errors.ts';
import type { GraphRegistry } from '../supergraph/graph-registry.ts';
import type { RequestContext } from '../supergraph/apollo-server.ts';
import type { Limits } from '../plugins/use-limits.ts';
import type { UseViewer } from '../plugins/use-viewer.ts';
import { streamResponse, closeWithSession, type StreamResponseOptions } from './stream-response.ts';
import { validateRequest, RequestBody } from '../http/request-params.ts';
import { createConnectionTokens } from './connection-tokens.ts';
import { multiplexed, takesEvents } from './formats.ts';
import { takePlace, type StreamPlaces } from './stream-places.ts';
import type { HttpStreamRegistry } from './http-stream-registry.ts';
import type { SharedConnection } from './shared-connection.ts';

export interface OneConnectionOptions extends StreamResponseOptions {
  graphs: GraphRegistry;
  httpStreams: HttpStreamRegistry;
  places: StreamPlaces;
  viewers: UseViewer;
  limits: Limits;
}

export interface OneConnection {
  wants: (request: FastifyRequest) => boolean;
  /** Handles a request that `wants` accepts. Throws InvalidDocument or a Problem when it is refused. */
  handle: (request: FastifyRequest, reply: FastifyReply, context: RequestContext) => Promise<void>;
}

const TOKEN = 'x-graphql-event-stream-token';

const OperationId = z.string().min(1).max(200);
const Body = RequestBody.extend({ extensions: z.looseObject({ operationId: OperationId }) });
const Stop = z.object({ operationId: OperationId });

/**
 * Single connection mode of the graphql-sse protocol, for browsers that open few connections at a time: PUT reserves a token, GET opens the
 * stream, POST starts an operation, DELETE stops it. A token serves the principal that reserved it, once.
 */
export function serveOneConnection(options: OneConnectionOptions): OneConnection {
  const { viewers, sessionWatch, httpStreams, places } = options;
  const tokens = createConnectionTokens();

  function connectionOf(request: FastifyRequest, context: RequestContext): SharedConnection {
    const connection = tokens.find(String(tokenIn(request)), principalOf(context));
    if (!connection) throw new Problem('NOT_FOUND', 'There is no such event stream. Reserve another one.');
    return connection;
  }

  async function open({ request, reply, context }: ConnectionRequest): Promise<void> {
    const session = await viewers.fromHeaders(request.raw.rawHeaders);
    const connection = connectionOf(request, context);
    if (connection.isOpen) throw new Problem('BAD_REQUEST', 'The event stream is open already.');
    const sink = httpStreams.open(reply, multiplexed(connection));
    closeWithSession(session, sink, sessionWatch);
    connection.open(sink);
  }

  return {
    wants: (request) => request.method === 'PUT' || request.method === 'DELETE' || tokenIn(request) !== undefined,
    async handle(request, reply, context) {
      const { method, query } = request;
      if (method === 'PUT') {
        const caller = context.identity.viewer?.id ?? context.identity.client?.ip ?? '';
        const token = tokens.make({ principal: principalOf(context), caller }, takePlace(places, context));
        return void reply.status(201).type('text/plain; charset=utf-8').send(token);
      }
      if (method === 'GET') return open({ request, reply, context });
      const connection = connectionOf(request, context);
      if (method === 'POST') return startOperation(connection, { request, reply, context }, options);
      connection.stop(parsed(Stop, query).operationId);
      return void reply.status(200).send();
    },
  };
}

/** An EventSource sends the token in the URL, since it can set no header. */
function tokenIn({ method, headers, query }: FastifyRequest): unknown {
  const inHeader = headers[TOKEN];
  if (method === 'GET') return takesEvents(headers.accept) ? (inHeader ?? (query as Record<string, unknown>)['token']) : undefined;
  return method === 'HEAD' ? undefined : inHeader;
}

interface ConnectionRequest {
  request: FastifyRequest;
  reply: FastifyReply;
  context: RequestContext;
}

async function startOperation(
  connection: SharedConnection,
  { request, reply, context }: ConnectionRequest,
  options: OneConnectionOptions,
): Promise<void> {
  const { graphs, viewers, limits, httpStreams } = options;
  const body = parsed(Body, request.body);
  const describe = (reason: Error): string => httpStreams.describe(reason, context.correlationId);
  const sink = connection.startOperation(body.extensions.operationId, { maxOperations: limits.operationsPerSocket, describe });
  try {
    const { engine, documents } = await graphs.of(context.contract);
    const validated = validateRequest(documents, body, context);
    const session = await viewers.fromHeaders(request.raw.rawHeaders);
    void reply.status(202).send();
    void streamResponse(sink, { ...validated, engine, session }, options);
  } catch (error) {
    sink.close();
    throw error;
  }
}

/** A refreshed access token belongs to the same principal; another session of the same user does not. */
const principalOf = ({ identity: { viewer }, holder }: RequestContext): string =>
  JSON.stringify([viewer?.id, viewer?.sessionId, holder].map((each) => each ?? null));

function parsed<T extends z.ZodType>(shape: T, given: unknown): z.output<T> {
  const { data, error } = shape.safeParse(given);
  if (error) throw new Problem('BAD_REQUEST', `${error.issues[0]!.path.join('.')}: ${error.issues[0]!.message}`);
  return data;
}

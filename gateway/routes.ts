import cors from '@fastify/cors';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { CORRELATION_HEADER } from '#shared/base/correlation-id.ts';
import { disconnectSignal } from '#shared/transport/client-disconnect.ts';
import { isProblem, Problem } from '#shared/base/errors.ts';
import { HEALTH_PATHS, healthReport, type Check } from '#shared/base/health.ts';
import { responseType } from './http/accept-header.ts';
import type { EntityStore } from './cache/entity-store.ts';
import type { CommonHeaders } from './http/response-headers.ts';
import type { FastPathResponse } from './supergraph/fast-path.ts';
import type { GraphRegistry } from './supergraph/graph-registry.ts';
import type { RequestContext } from './supergraph/apollo-server.ts';
import { addJsonBodies } from './http/json-body.ts';
import { InvalidDocument } from './http/request-params.ts';
import type { PersistedOperations } from './supergraph/persisted-operations.ts';
import { acceptMultipart } from './http/accept-multipart.ts';
import type { HttpStreams } from './live/over-http.ts';
import type { UseErrors } from './plugins/use-errors.ts';
import type { GatewayOptions } from './options.ts';
import { addLinkPages, usePlayground } from './plugins/use-playground.ts';

export const PATH = '/graphql';
const METHODS = ['GET', 'POST', 'PUT', 'DELETE'];
/** UTF-8 and charsets with the same bytes. */
const CHARSETS = new Set(['utf-8', 'utf8', 'us-ascii', 'ascii']);

declare module 'fastify' {
  interface FastifyRequest {
    graphql: RequestContext | null;
  }
}

interface HooksOptions {
  common: CommonHeaders;
  errors: UseErrors;
  isAllowedOrigin: (headers: FastifyRequest['headers']) => boolean;
  isClosing: () => boolean;
}

/** Adds what holds for every response: headers, errors, CORS. */
export async function addHooks(app: FastifyInstance, { common, errors, isAllowedOrigin, isClosing }: HooksOptions): Promise<void> {
  app.decorateRequest('graphql', null);
  app.addHook('onSend', (_request, reply, _payload, done) => {
    common.complete(reply);
    // A kept-alive connection would delay the stop long after its last response.
    if (isClosing()) reply.header('connection', 'close');
    done();
  });
  // The preflight route belongs to the plugin below, and would turn an error of this hook into status 500.
  app.addHook('onRequest', async (request, reply) => {
    if (!isPreflight(request) || isAllowedOrigin(request.headers)) return undefined;
    const problem = new Problem('FORBIDDEN', 'Web pages of this origin may not call.');
    return reply.status(403).send({ errors: [errors.format(problem, request.id)] });
  });
  app.setNotFoundHandler(({ url }) => {
    if (url.split('?', 1)[0] === PATH) throw new Problem('METHOD_NOT_ALLOWED', `${PATH} is asked by ${METHODS.join(', ')}.`);
    throw new Problem('NOT_FOUND', 'There is nothing here. The endpoint is /graphql.');
  });
  app.setErrorHandler((error, request, reply) => {
    const { problem, status } = asProblem(error);
    const all = error instanceof InvalidDocument ? error.errors : [problem ?? error];
    if (status === 401) reply.header('www-authenticate', 'Bearer');
    if (problem?.code === 'OVERLOADED') reply.header('retry-after', String(problem.facts['retryAfterSeconds']));
    if (status === 405) reply.header('allow', ['HEAD', ...METHODS].join(', '));
    return reply
      .status(status)
      .type(mediaTypeFor(request))
      .send({ errors: all.map((each) => errors.format(each, request.id)) });
  });
  // After the handlers: the plugin's route takes those that are set by then.
  await app.register(cors, {
    delegator: (request, done) =>
      done(null, {
        origin: request.headers.origin !== undefined && isAllowedOrigin(request.headers),
        credentials: true,
        methods: METHODS,
        exposedHeaders: [CORRELATION_HEADER],
        maxAge: 86_400,
      }),
  });
}

const isPreflight = ({ method, headers }: FastifyRequest): boolean =>
  method === 'OPTIONS' && headers.origin !== undefined && headers['access-control-request-method'] !== undefined;

interface GraphqlRouteOptions {
  common: CommonHeaders;
  graphs: GraphRegistry;
  streams: HttpStreams;
  persistedOperations: PersistedOperations;
  contextOf: (request: FastifyRequest) => RequestContext | Promise<RequestContext>;
  errors: UseErrors;
  isClosing: () => boolean;
  playground: boolean;
  guide: GatewayOptions['guide'];
}

/** Serves queries and mutations, streams for clients that accept one, and GraphiQL for browsers. */
export function addGraphqlRoute(app: FastifyInstance, options: GraphqlRouteOptions): void {
  const { common, graphs, streams, persistedOperations, contextOf, errors, isClosing, playground, guide } = options;
  addJsonBodies(app);
  const page = playground ? usePlayground({ path: PATH, guide }) : undefined;
  if (playground && guide) addLinkPages(app, { path: PATH, guide });
  app.route({
    method: METHODS,
    url: PATH,
    onRequest: (request, _reply, done) => done(unreadable(request)),
    async handler(request, reply) {
      if (page?.wants(request)) return page.send(request, reply);
      const caller = await contextOf(request);
      readText(request, persistedOperations);
      if (await streams.handle(request, reply, caller)) return reply;
      const context = { ...caller, signal: disconnectSignal(reply.raw) };
      const { fastPath, apolloHandler, documents } = await graphs.of(context.contract);
      const ready = request.method === 'POST' ? await fastPath(request.body, context) : undefined;
      if (ready) return sendFastPathResponse(request, reply, ready);
      documents.measure(textIn(request, persistedOperations));
      const accept = acceptMultipart(request.headers.accept);
      if (accept !== undefined) request.headers.accept = accept;
      request.graphql = { ...context, inOnePiece: accept === undefined };
      return errors.within(request.id, () => apolloHandler.call(app, request, reply));
    },
  });

  /** Bypasses Fastify's response handling: the body is complete and all headers are known. */
  function sendFastPathResponse(
    request: FastifyRequest,
    reply: FastifyReply,
    { status, cacheControl, retryAfter, body }: FastPathResponse,
  ): FastifyReply {
    const length = String(Buffer.byteLength(body));
    const own = ['cache-control', cacheControl, 'content-type', mediaTypeFor(request), 'content-length', length];
    if (retryAfter !== undefined) own.push('retry-after', String(retryAfter));
    if (isClosing()) own.push('connection', 'close');
    reply.hijack();
    reply.raw.writeHead(status, common.listOf(reply, own)).end(body);
    return reply;
  }
}

/** Refuses compressed bodies and other charsets. */
function unreadable({ headers }: FastifyRequest): Error | undefined {
  const encoding = headers['content-encoding']?.trim().toLowerCase() ?? 'identity';
  const charset = /;\s*charset="?([^";\s]+)/i.exec(headers['content-type'] ?? '')?.[1]?.toLowerCase() ?? 'utf-8';
  if (encoding === 'identity' && CHARSETS.has(charset)) return undefined;
  return Object.assign(new Error('a body that is not read'), { statusCode: 415 });
}

/**
 * Replaces the hash of a persisted operation by its source, and refuses unknown operations. For a hash in a URL Apollo Server looks the
 * source up itself.
 */
function readText(request: FastifyRequest, persistedOperations: PersistedOperations): void {
  const { method, query: inUrl, body } = request;
  if (method === 'GET') return void persistedOperations.sourceFor(inAddress(inUrl as Record<string, unknown>));
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return;
  const params = body as Readonly<Record<string, unknown>>;
  const query = persistedOperations.sourceFor(params);
  const { extensions, ...rest } = params;
  if (query === undefined || typeof extensions !== 'object' || extensions === null || !('persistedQuery' in extensions)) return;
  const { persistedQuery: _hash, ...others } = extensions;
  request.body = { ...rest, query, ...(Object.keys(others).length > 0 && { extensions: others }) };
}

function textIn({ method, query: inUrl, body }: FastifyRequest, persistedOperations: PersistedOperations): string {
  const given = ((method === 'GET' ? inUrl : body) ?? {}) as Readonly<Record<string, unknown>>;
  const query = method === 'GET' ? persistedOperations.sourceFor(inAddress(given)) : given['query'];
  return typeof query === 'string' ? query : '';
}

/** URL parameters in the form of a body. Apollo Server reports extensions that are no JSON. */
function inAddress({ query, extensions }: Record<string, unknown>): { query: unknown; extensions?: unknown } {
  try {
    return { query, ...(typeof extensions === 'string' && { extensions: JSON.parse(extensions) as unknown }) };
  } catch {
    return { query };
  }
}

interface HealthRoutesOptions {
  /** Whether the caller sees figures beside the status. */
  showsDetails: (headers: FastifyRequest['headers']) => boolean;
  /** Figures of sockets and streams. */
  live: () => object;
  /** Adds the figures of the cache. */
  entityStore: EntityStore | undefined;
  checks: Readonly<Record<string, () => Promise<Check>>>;
}

/** Liveness and readiness. The gateway is useful as long as it runs: a lost subgraph costs its own fields only. */
export function addHealthRoutes(app: FastifyInstance, { showsDetails, live, entityStore, checks }: HealthRoutesOptions): void {
  const details = () => ({ websocket: live(), ...(entityStore && { entityCache: entityStore.counters }) });
  const report = async ({ headers }: FastifyRequest) => ({
    ...(await healthReport('gateway', checks)),
    ...(showsDetails(headers) && details()),
  });
  for (const path of HEALTH_PATHS) app.get(path, report);
  app.get('/ready', async (request, reply) => {
    const body = await report(request);
    return reply.status(body.status === 'ok' ? 200 : 503).send(body);
  });
}

const mediaTypeFor = ({ headers }: FastifyRequest): string => `${responseType(headers.accept)}; charset=utf-8`;

const STATUS: Record<string, number> = {
  // Clients that know the protocol send the source then.
  PERSISTED_QUERY_NOT_FOUND: 200,
  PERSISTED_QUERY_NOT_SUPPORTED: 200,
  UNAUTHENTICATED: 401,
  FORBIDDEN: 403,
  NOT_FOUND: 404,
  METHOD_NOT_ALLOWED: 405,
  CURSOR_EXPIRED: 410,
  PAYLOAD_TOO_LARGE: 413,
  TOO_MANY_OPERATIONS: 429,
  OVERLOADED: 503,
  SUBGRAPH_UNAVAILABLE: 503,
  UNAVAILABLE: 503,
  TIMEOUT: 504,
};

/** Problems, and requests that Fastify itself refuses: too large, no JSON, or another content type. */
function asProblem(error: unknown): { problem?: Problem; status: number } {
  if (isProblem(error)) return { problem: error, status: STATUS[error.code] ?? 400 };
  if (error instanceof InvalidDocument) return { status: 400 };
  const { statusCode: status = 500 } = error as { statusCode?: number };
  if (status >= 500) return { status };
  if (status === 413) return { status, problem: new Problem('PAYLOAD_TOO_LARGE', 'The body is too large.') };
  const message = status === 415 ? 'The body must be application/json in UTF-8, and not compressed.' : 'The body must be JSON.';
  return { status, problem: new Problem('BAD_REQUEST', message) };
}

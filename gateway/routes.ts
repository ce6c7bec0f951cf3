import cors from '@fastify/cors';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { CORRELATION_HEADER } from '#shared/base/correlation-id.ts';
import { disconnectSignal } from '#shared/transport/client-disconnect.ts';
import { isProblem, Problem } from '#shared/base/errors.ts';
import { HEALTH_PATHS, healthReport, type Check } from '#shared/base/health.ts';
import { answerType } from './http/accept-header.ts';
import type { EntityStore } from './cache/entity-store.ts';
import type { CommonHeaders } from './http/response-headers.ts';
import type { DirectAnswer } from './supergraph/fast-path.ts';
import type { Graphs } from './supergraph/graph-registry.ts';
import type { RequestContext } from './supergraph/apollo-server.ts';
import { addJsonBodies } from './http/json-body.ts';
import { NotValid } from './http/request-params.ts';
import type { KnownOperations } from './supergraph/persisted-operations.ts';
import { acceptingParts } from './http/accept-multipart.ts';
import type { HttpStreams } from './live/over-http.ts';
import type { UseErrors } from './plugins/use-errors.ts';
import type { GatewayOptions } from './options.ts';
import { addLinkPages, usePlayground } from './plugins/use-playground.ts';

export const PATH = '/graphql';
const METHODS = ['GET', 'POST', 'PUT', 'DELETE'];
/** Names of UTF-8, and of what is the same in it. */
const CHARSETS = new Set(['utf-8', 'utf8', 'us-ascii', 'ascii']);

declare module 'fastify' {
  interface FastifyRequest {
    graphql: RequestContext | null;
  }
}

interface EdgeOptions {
  common: CommonHeaders;
  errors: UseErrors;
  isWelcome: (headers: FastifyRequest['headers']) => boolean;
  isClosing: () => boolean;
}

/** What holds for every answer, whoever gives it. */
export async function addEdge(app: FastifyInstance, { common, errors, isWelcome, isClosing }: EdgeOptions): Promise<void> {
  app.decorateRequest('graphql', null);
  app.addHook('onSend', (_request, reply, _payload, done) => {
    common.complete(reply);
    // Otherwise a connection that is kept alive would hold up the stop long after its last answer.
    if (isClosing()) reply.header('connection', 'close');
    done();
  });
  // The route of the preflight belongs to the plugin below and would answer an error of this hook with 500.
  app.addHook('onRequest', async (request, reply) => {
    if (!isPreflight(request) || isWelcome(request.headers)) return undefined;
    const problem = new Problem('FORBIDDEN', 'Web pages of this origin may not call.');
    return reply.status(403).send({ errors: [errors.format(problem, request.id)] });
  });
  app.setNotFoundHandler(({ url }) => {
    if (url.split('?', 1)[0] === PATH) throw new Problem('METHOD_NOT_ALLOWED', `${PATH} is asked by ${METHODS.join(', ')}.`);
    throw new Problem('NOT_FOUND', 'There is nothing here. The endpoint is /graphql.');
  });
  app.setErrorHandler((error, request, reply) => {
    const { problem, status } = asProblem(error);
    const all = error instanceof NotValid ? error.errors : [problem ?? error];
    if (status === 401) reply.header('www-authenticate', 'Bearer');
    if (problem?.code === 'OVERLOADED') reply.header('retry-after', String(problem.facts['retryAfterSeconds']));
    if (status === 405) reply.header('allow', ['HEAD', ...METHODS].join(', '));
    return reply
      .status(status)
      .type(mediaTypeFor(request))
      .send({ errors: all.map((each) => errors.format(each, request.id)) });
  });
  // After the handlers: its route takes those that are there by then.
  await app.register(cors, {
    delegator: (request, done) =>
      done(null, {
        origin: request.headers.origin !== undefined && isWelcome(request.headers),
        credentials: true,
        methods: METHODS,
        exposedHeaders: [CORRELATION_HEADER],
        maxAge: 86_400,
      }),
  });
}

const isPreflight = ({ method, headers }: FastifyRequest): boolean =>
  method === 'OPTIONS' && headers.origin !== undefined && headers['access-control-request-method'] !== undefined;

interface GraphqlOptions {
  common: CommonHeaders;
  graphs: Graphs;
  streams: HttpStreams;
  known: KnownOperations;
  contextOf: (request: FastifyRequest) => RequestContext | Promise<RequestContext>;
  errors: UseErrors;
  isClosing: () => boolean;
  playground: boolean;
  guide: GatewayOptions['guide'];
}

/** Queries and mutations; streams for who accepts one; for browsers that want a page, GraphiQL. */
export function addGraphql(app: FastifyInstance, options: GraphqlOptions): void {
  const { common, graphs, streams, known, contextOf, errors, isClosing, playground, guide } = options;
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
      readText(request, known);
      if (await streams.answer(request, reply, caller)) return reply;
      const context = { ...caller, signal: disconnectSignal(reply.raw) };
      const { direct, answer, operations } = await graphs.of(context.contract);
      const ready = request.method === 'POST' ? await direct(request.body, context) : undefined;
      if (ready) return sendDirectly(request, reply, ready);
      operations.measure(textIn(request, known));
      const accept = acceptingParts(request.headers.accept);
      if (accept !== undefined) request.headers.accept = accept;
      request.graphql = { ...context, inOnePiece: accept === undefined };
      return errors.within(request.id, () => answer.call(app, request, reply));
    },
  });

  /** Past everything that Fastify does with an answer: it is whole, and all of its headers are known. */
  function sendDirectly(
    request: FastifyRequest,
    reply: FastifyReply,
    { status, cacheControl, retryAfter, body }: DirectAnswer,
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

/** A body that would have to be unpacked, or is written in other letters than it would be read in. */
function unreadable({ headers }: FastifyRequest): Error | undefined {
  const encoding = headers['content-encoding']?.trim().toLowerCase() ?? 'identity';
  const charset = /;\s*charset="?([^";\s]+)/i.exec(headers['content-type'] ?? '')?.[1]?.toLowerCase() ?? 'utf-8';
  if (encoding === 'identity' && CHARSETS.has(charset)) return undefined;
  return Object.assign(new Error('a body that is not read'), { statusCode: 415 });
}

/** Puts the text in the place of its hash, and refuses what may not be asked. Of a hash in a URL Apollo Server finds the text itself. */
function readText(request: FastifyRequest, known: KnownOperations): void {
  const { method, query: inUrl, body } = request;
  if (method === 'GET') return void known.textOf(inAddress(inUrl as Record<string, unknown>));
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return;
  const asked = body as Readonly<Record<string, unknown>>;
  const query = known.textOf(asked);
  const { extensions, ...rest } = asked;
  if (query === undefined || typeof extensions !== 'object' || extensions === null || !('persistedQuery' in extensions)) return;
  const { persistedQuery: _hash, ...others } = extensions;
  request.body = { ...rest, query, ...(Object.keys(others).length > 0 && { extensions: others }) };
}

function textIn({ method, query: inUrl, body }: FastifyRequest, known: KnownOperations): string {
  const given = ((method === 'GET' ? inUrl : body) ?? {}) as Readonly<Record<string, unknown>>;
  const query = method === 'GET' ? known.textOf(inAddress(given)) : given['query'];
  return typeof query === 'string' ? query : '';
}

/** As a body would hold it. Of extensions that are no JSON Apollo Server says what it thinks of them. */
function inAddress({ query, extensions }: Record<string, unknown>): { query: unknown; extensions?: unknown } {
  try {
    return { query, ...(typeof extensions === 'string' && { extensions: JSON.parse(extensions) as unknown }) };
  } catch {
    return { query };
  }
}

interface HealthOptions {
  /** Whether a caller is told more than that all is well. */
  tells: (headers: FastifyRequest['headers']) => boolean;
  /** What goes on over sockets and streams. */
  live: () => object;
  /** How the cache does, where there is one. */
  entityStore: EntityStore | undefined;
  checks: Readonly<Record<string, () => Promise<Check>>>;
}

/** Alive, and ready: the gateway is useful as long as it runs, since a lost subgraph costs its own fields only. */
export function addHealth(app: FastifyInstance, { tells, live, entityStore, checks }: HealthOptions): void {
  const details = () => ({ websocket: live(), ...(entityStore && { entityCache: entityStore.counters }) });
  const report = async ({ headers }: FastifyRequest) => ({
    ...(await healthReport('gateway', checks)),
    ...(tells(headers) && details()),
  });
  for (const path of HEALTH_PATHS) app.get(path, report);
  app.get('/ready', async (request, reply) => {
    const body = await report(request);
    return reply.status(body.status === 'ok' ? 200 : 503).send(body);
  });
}

const mediaTypeFor = ({ headers }: FastifyRequest): string => `${answerType(headers.accept)}; charset=utf-8`;

const STATUS: Record<string, number> = {
  // Clients that know the protocol send the text then.
  PERSISTED_QUERY_NOT_FOUND: 200,
  PERSISTED_QUERY_NOT_SUPPORTED: 200,
  UNAUTHENTICATED: 401,
  FORBIDDEN: 403,
  NOT_FOUND: 404,
  METHOD_NOT_ALLOWED: 405,
  TOO_MANY_OPERATIONS: 429,
  OVERLOADED: 503,
};

/** Problems, and what Fastify itself refuses: a body that is too large, no JSON, or of another type. */
function asProblem(error: unknown): { problem?: Problem; status: number } {
  if (isProblem(error)) return { problem: error, status: STATUS[error.code] ?? 400 };
  if (error instanceof NotValid) return { status: 400 };
  const { statusCode: status = 500 } = error as { statusCode?: number };
  if (status >= 500) return { status };
  if (status === 413) return { status, problem: new Problem('PAYLOAD_TOO_LARGE', 'The body is too large.') };
  const message = status === 415 ? 'The body must be application/json in UTF-8, and not compressed.' : 'The body must be JSON.';
  return { status, problem: new Problem('BAD_REQUEST', message) };
}

import { fastify, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { GraphQLError, parse, type GraphQLSchema } from 'graphql';
import { makeServer, type Server, type SubscribePayload } from 'graphql-ws';
import { z } from 'zod';
import { BATCH_HEADER, BATCH_TYPE, readBatch, type BatchedAnswer, type BatchedText } from './batch-format.ts';
import { CORRELATION_HEADER, correlationIdFrom } from '../base/correlation-id.ts';
import { env } from '../base/env.ts';
import { disconnectSignal } from './client-disconnect.ts';
import { isProblem, maskError, Problem, unauthenticated } from '../base/errors.ts';
import { HEALTH_PATHS, healthReport } from '../base/health.ts';
import { IDENTITY_HEADER, verifyIdentity, type Identity, type Purpose } from '../base/identity.ts';
import { createLog, type Log } from '../base/log.ts';
import type { OpenSubgraph } from '../runtime/runtime.ts';
import { answerBatch } from './serve-batch.ts';
import { PROBLEM_HEADER, ROUTES_PATH } from './route-format.ts';
import { addRoutes } from './serve-routes.ts';
import { serveSockets, type SocketExtra } from './websocket-server.ts';
import type { SubgraphRequest } from '../kit/transport.ts';
import { problemToJson } from './problem-json.ts';

interface ServeOptions {
  /** 0 takes a free one. */
  port: number;
  /** Default: HOST of the environment, which itself defaults to this machine only. */
  host?: string;
  log?: Log;
  /** Every subgraph of this process, for the health report of each; this one alone when left out. */
  together?: string[];
}

export interface Served {
  url: string;
  port: number;
  /** Takes nothing new and waits for what is under way. The subgraph itself stays open. */
  close(): Promise<void>;
}

declare module 'fastify' {
  interface FastifyRequest {
    identity: Identity | null;
  }
}

/** What a caller sends in one request grows with its answer (one representation an entity), so it may be larger than a client's. */
const GRAPHQL_BODY = 2 * 1024 * 1024;
const COMMAND_BODY = 1024 * 1024;
/** Requests of one batch. More would keep the process busy with one caller for too long. */
const BATCH_SIZE = 50;
const SOCKET_MESSAGE = 1024 * 1024;
/** Nobody may keep a subgraph busy for longer, whatever deadline the header names. */
const MAX_DEADLINE_MS = 60_000;

const GraphqlBody = z.object({
  query: z.string().min(1),
  operationName: z.string().nullish(),
  variables: z.record(z.string(), z.unknown()).nullish(),
});
const CommandBody = z.object({ input: z.unknown() });
const BatchHeaders = z.record(z.string(), z.string()).catch({});

/** One subgraph over HTTP and graphql-ws, for its own kind only: without a signed identity it answers nothing but its health. */
export async function serve(open: OpenSubgraph, options: ServeOptions): Promise<Served> {
  const log = options.log ?? createLog(open.name);
  const host = options.host ?? env.HOST;
  const app = fastify({ bodyLimit: COMMAND_BODY, forceCloseConnections: 'idle', requestTimeout: MAX_DEADLINE_MS });
  app.decorateRequest('identity', null);
  app.setErrorHandler((error, request, reply) => refuse(reply, error, request, log));
  let closing = false;
  app.addHook('onSend', async (_request, reply) => {
    // Otherwise a connection that is kept alive would hold up the stop long after its last answer.
    if (closing) reply.header('connection', 'close');
  });
  app.setNotFoundHandler((request, reply) => refuse(reply, new Problem('NOT_FOUND', 'There is nothing here.'), request, log));

  addHealth(app, open, options.together ?? [open.name]);
  // Checked before the body is read: a stranger cannot even make the process parse.
  const identified = (purposeOf: (params: Record<string, string>) => Purpose) => ({
    onRequest: async (request: FastifyRequest): Promise<void> => {
      request.identity = await identify(request.headers[IDENTITY_HEADER], open.name, purposeOf(request.params as Record<string, string>));
    },
  });
  const asksGraphql = identified(() => 'graphql');
  const asksCommand = identified(({ command }) => `command ${command}`);
  app.addContentTypeParser(BATCH_TYPE, { parseAs: 'string' }, (_request, text, done) => done(null, readBatch(String(text))));
  app.post('/graphql', { ...asksGraphql, bodyLimit: GRAPHQL_BODY }, async (request, reply) => {
    const signal = disconnectSignal(reply.raw);
    if (request.headers['content-type'] !== BATCH_TYPE)
      return reply
        .header(BATCH_HEADER, BATCH_SIZE)
        .send(await open.execute({ ...operationOf(request.body), ...envelopeOf(request), signal }));
    const batch = request.body as BatchedText[];
    if (batch.length > BATCH_SIZE) throw new Problem('PAYLOAD_TOO_LARGE', 'These are too many requests for one batch.');
    return reply.type(BATCH_TYPE).send(answerBatch(batch, (one) => answerBatched(open, one, { signal, log })));
  });
  app.post<{ Params: { command: string } }>('/internal/:command', { ...asksCommand, bodyLimit: COMMAND_BODY }, async (request, reply) => {
    const body = CommandBody.safeParse(request.body);
    if (!body.success) throw new Problem('BAD_REQUEST', 'The body must hold an input.');
    const key = request.headers['idempotency-key'];
    const idempotencyKey = typeof key === 'string' ? key : undefined;
    const result = await open.call({ command: request.params.command, input: body.data.input, idempotencyKey, ...envelopeOf(request) });
    return reply.send({ result: result ?? null });
  });

  addRoutes(app, open, { ...identified(() => 'route'), envelopeOf });

  const protocol = socketProtocol(open, log);
  const sockets = serveSockets({ server: app.server, path: '/graphql', protocol, maxPayload: SOCKET_MESSAGE, log });
  await app.listen({ port: options.port, host });
  const { port } = app.server.address() as { port: number };
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${port}`,
    port,
    async close() {
      closing = true;
      await sockets.close();
      await app.close();
    },
  };
}

function addHealth(app: FastifyInstance, open: OpenSubgraph, subgraphs: string[]): void {
  const report = async () => {
    const health = open.health();
    const checks = { mongodb: async () => (await health).mongodb, redis: async () => (await health).redis };
    return { ...(await healthReport(open.name, checks)), subgraphs };
  };
  for (const path of HEALTH_PATHS) app.get(path, report);
  app.get('/ready', async (_request, reply) => {
    const body = await report();
    return reply.status(body.status === 'ok' ? 200 : 503).send(body);
  });
}

function operationOf(body: unknown): Pick<SubgraphRequest, 'query' | 'operationName' | 'variables'> {
  const parsed = GraphqlBody.safeParse(body);
  if (!parsed.success) throw new Problem('BAD_REQUEST', 'The body must be one GraphQL request.');
  const { query, operationName, variables } = parsed.data;
  return { query, operationName: operationName ?? undefined, variables: variables ?? undefined };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Problem('BAD_REQUEST', 'The body must be JSON.');
  }
}

interface Surroundings {
  /** Of all that came with it. */
  signal: AbortSignal;
  log: Log;
}

/** A request of a batch stands for itself: it may come from another caller than the next, and fails alone. */
async function answerBatched(open: OpenSubgraph, one: BatchedText, { signal, log }: Surroundings): Promise<BatchedAnswer> {
  let headers: FastifyRequest['headers'] = {};
  try {
    headers = BatchHeaders.parse(jsonOf(one.headers));
    const identity = await identify(headers[IDENTITY_HEADER], open.name, 'graphql');
    const result = await open.execute({ ...operationOf(jsonOf(one.body)), ...envelopeOf({ identity, headers }), signal });
    return { status: 200, text: JSON.stringify(result) };
  } catch (error) {
    const { status, message, extensions } = refusalOf(error, headers, log);
    return { status, text: JSON.stringify({ errors: [{ message, extensions }] }) };
  }
}

async function identify(token: unknown, audience: string, purpose: Purpose): Promise<Identity> {
  if (typeof token !== 'string') throw unauthenticated();
  return verifyIdentity(token, audience, purpose);
}

function envelopeOf({
  identity,
  headers,
}: Pick<FastifyRequest, 'identity' | 'headers'>): Pick<SubgraphRequest, 'identity' | 'correlationId' | 'deadline'> {
  if (!identity) throw unauthenticated();
  const latest = Date.now() + MAX_DEADLINE_MS;
  const asked = Number(headers['x-deadline'] ?? Number.NaN);
  return {
    identity,
    correlationId: correlationIdFrom(headers[CORRELATION_HEADER]),
    deadline: Number.isFinite(asked) ? Math.min(asked, latest) : latest,
  };
}

/** One typed error and no data. Commands and routes get it as `error`, everything else as a GraphQL answer. */
function refuse(reply: FastifyReply, error: unknown, { url, headers }: FastifyRequest, log: Log): FastifyReply {
  const { status, problem, message, extensions, correlationId } = refusalOf(error, headers, log);
  reply.status(status).header(CORRELATION_HEADER, correlationId);
  const { retryAfterSeconds } = extensions ?? {};
  if (typeof retryAfterSeconds === 'number') reply.header('retry-after', String(retryAfterSeconds));
  if (url.startsWith(ROUTES_PATH)) reply.header(PROBLEM_HEADER, 'true').type('application/json');
  else if (!url.startsWith('/internal/')) return reply.send({ errors: [{ message, extensions }] });
  return reply.send({ error: problem ? problemToJson(problem) : { code: 'INTERNAL_SERVER_ERROR', message, extensions } });
}

function refusalOf(error: unknown, headers: FastifyRequest['headers'], log: Log) {
  const correlationId = correlationIdFrom(headers[CORRELATION_HEADER]);
  const problem = isProblem(error) ? error : problemOfHttp(error);
  const { message, extensions } = maskError(problem ?? error, { correlationId, log });
  return { status: problem ? (STATUS[problem.code] ?? 400) : 500, problem, message, extensions, correlationId };
}

const STATUS: Record<string, number> = {
  UNAUTHENTICATED: 401,
  FORBIDDEN: 403,
  NOT_FOUND: 404,
  UNKNOWN_COMMAND: 404,
  PAYLOAD_TOO_LARGE: 413,
  OVERLOADED: 503,
  UNAVAILABLE: 503,
  TIMEOUT: 504,
};

/** What Fastify itself refused: a body that is too large, no JSON, or of another type. */
function problemOfHttp(error: unknown): Problem | undefined {
  const { statusCode } = error as { statusCode?: number };
  if (statusCode === 413) return new Problem('PAYLOAD_TOO_LARGE', 'The body is too large.');
  return statusCode !== undefined && statusCode < 500 ? new Problem('BAD_REQUEST', 'The body must be JSON.') : undefined;
}

/** One socket carries many viewers, so every operation brings its own signed identity. */
function socketProtocol(open: OpenSubgraph, log: Log): Server<SocketExtra> {
  return makeServer<Record<string, unknown>, SocketExtra>({
    onSubscribe: async (_ctx, _id, payload) => {
      const correlationId = correlationIdFrom(payload.extensions?.['correlationId']);
      try {
        const contextValue = await socketRequest(payload, open.name, correlationId);
        return {
          schema: NO_SCHEMA,
          document: parse(payload.query, { noLocation: true }),
          operationName: payload.operationName,
          contextValue,
        };
      } catch (error) {
        const { message, extensions } = maskError(error, { correlationId, log });
        return [new GraphQLError(message, { extensions })];
      }
    },
    subscribe: (args) => open.subscribe(args.contextValue as SubgraphRequest),
    execute: (args) => open.execute(args.contextValue as SubgraphRequest),
    // As it is: graphql-ws itself would ask each error for its JSON, and an error may be a plain object.
    onNext: (_ctx, _id, _payload, _args, result) => result,
  });
}

/** graphql-ws hands it on without looking: the subgraph validates by itself. */
const NO_SCHEMA = undefined as unknown as GraphQLSchema;

async function socketRequest(
  { query, operationName, variables, extensions }: SubscribePayload,
  audience: string,
  correlationId: string,
): Promise<SubgraphRequest> {
  return {
    query,
    operationName: operationName ?? undefined,
    variables: variables ?? undefined,
    identity: await identify(extensions?.['key'], audience, 'graphql'),
    correlationId,
    deadline: Date.now() + MAX_DEADLINE_MS,
    wantsStart: extensions?.['wantsStart'] === true,
  };
}

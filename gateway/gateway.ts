import type { IncomingMessage } from 'node:http';
import { fastify, type FastifyRequest } from 'fastify';
import { CORRELATION_HEADER, correlationIdFrom } from '../shared/correlation.ts';
import { Problem } from '../shared/errors.ts';
import type { Check } from '../shared/health.ts';
import type { Identity } from '../shared/identity.ts';
import { createLog, type Log } from '../shared/log.ts';
import { scalars as ownScalars } from '../shared/scalars.ts';
import { serveSockets } from '../shared/sockets.ts';
import type { SubgraphTransport } from '../shared/transport.ts';
import type { UploadSettings } from '../shared/uploads.ts';
import { serveUploads } from '../shared/uploads/serve.ts';
import { COST_HEADER } from './cost/meter-engine.ts';
import { openPlanners } from './engine/planners.ts';
import { addEdge, addGraphql, addHealth, PATH } from './edge.ts';
import type { Engine, EngineOptions, Operation } from './engine.ts';
import { openGraph } from './graph.ts';
import { openGraphs, type Served } from './graphs.ts';
import type { RequestContext } from './http.ts';
import { knownOperations, type KnownOperations } from './known.ts';
import { serveHttpStreams } from './live/over-http.ts';
import { openStreams } from './live/streams.ts';
import { watchSessions } from './live/watched-sessions.ts';
import { useClient } from './plugins/use-client.ts';
import { useErrors } from './plugins/use-errors.ts';
import { useForwarded } from './plugins/use-forwarded.ts';
import type { Sharing } from './flights/share-operations.ts';
import { LIMITS, type Limits } from './plugins/use-limits.ts';
import { useOrigins } from './plugins/use-origins.ts';
import { isEnded, type IsRevoked } from './plugins/use-revocations.ts';
import { anonymousViewers, useViewer } from './plugins/use-viewer.ts';
import { keepSessions } from './socket-sessions.ts';
import { socketProtocol } from './sockets.ts';

export interface GatewayOptions {
  supergraphSdl: string;
  /** By the name of the subgraph; one that is missing costs its fields only. */
  transports: Readonly<Record<string, SubgraphTransport>>;
  /** PEM (SPKI) of the key that access tokens are signed with; `null` when nobody is asked who they are. */
  accessTokenPublicKey: string | null;
  /** 0 takes a free one. */
  port: number;
  /** Default 127.0.0.1. */
  host?: string;
  isRevoked?: IsRevoked;
  /** How often open sockets are looked at for that. Default 10,000. */
  revocationCheckMs?: number;
  /** Web pages of other origins that may call. Default none. */
  corsOrigins?: readonly string[];
  /** Proxies in front whose `x-forwarded-for` is believed. Default 0. */
  trustedProxies?: number;
  /** Hides the schema from anonymous callers. Default false. */
  production?: boolean;
  /** GraphiQL for browsers. Default: not in production. */
  playground?: boolean;
  /** What else /health and /ready report on. */
  checks?: Readonly<Record<string, () => Promise<Check>>>;
  /** Longest time for a whole request. Default 30,000. */
  timeoutMs?: number;
  /** Scalars whose values are checked before any subgraph is asked. Default: Soko's own. */
  scalars?: EngineOptions['scalars'];
  /** Operations that are planned before anybody asks, and may be asked by their hash. Default none. */
  known?: KnownOperations;
  /** Where the plans of these are kept, so that a restart needs no planning. Default: nowhere. */
  plansFile?: string;
  /** What one operation, one message and one socket may be at most. Default: `LIMITS`. */
  limits?: Limits;
  /** Headers of clients that are handed on to subgraphs which are not ours. Default none. */
  forwardHeaders?: readonly string[];
  /** `worker`: new texts are planned in a thread of its own, and nobody waits for those of others. Default: here, which starts faster. */
  planning?: 'worker' | 'here';
  /** Default: Soko's own. */
  openEngine?: (options: EngineOptions) => Engine | Promise<Engine>;
  /** What of the viewer the events of a subscription depend on: equal ones share a stream. Default: what the supergraph says. */
  scopeOf?: (operation: Operation) => string;
  /** True for subscription fields of which a client that does not keep up may skip to the latest event. Default: none. */
  coalesces?: (field: string) => boolean;
  /** How often streams over HTTP show that they are alive. Default 10,000. */
  heartbeatMs?: number;
  /** What is done once for all who ask for the same at the same time. */
  sharing?: Sharing;
  /** Where files are handed in and read, when they are kept in a folder; this is then the public door to it. */
  uploads?: UploadSettings;
  log?: Log;
}

export interface Gateway {
  /** Ends in /graphql. */
  url: string;
  wsUrl: string;
  port: number;
  /**
   * Goes over to another supergraph: what is under way ends on the old one, streams go on on the new one. Rejects, and changes nothing, when
   * it cannot be served.
   */
  reload(served: Served): Promise<void>;
  /** Takes nothing new, lets requests under way end, says goodbye to sockets. The transports stay open. */
  close(): Promise<void>;
}

const TIMEOUT_MS = 30_000;
const REVOCATION_CHECK_MS = 10_000;
/** Slow senders are cut off: the head of a request must be there soon, the whole of it within a request's time. */
const HEADERS_TIMEOUT_MS = 10_000;

/** The one public endpoint. */
export async function openGateway(options: GatewayOptions): Promise<Gateway> {
  const {
    isRevoked,
    scalars = ownScalars,
    limits = LIMITS,
    known = knownOperations(),
    host = '127.0.0.1',
    timeoutMs = TIMEOUT_MS,
    production = false,
  } = options;
  const log = options.log ?? createLog('gateway');
  const errors = useErrors({ production, log });
  const planners = options.planning === 'worker' ? openPlanners({ log }) : undefined;
  const common = { ...options, scalars, planners, production, limits, errors, log };
  const graphs = await openGraphs(
    {
      whole: ({ supergraphSdl, transports }, previous) => openGraph({ ...common, supergraphSdl, transports, known }, previous),
      // Its clients are served soon enough by planning what they ask.
      contract: ({ supergraphSdl, transports }) =>
        openGraph({ ...common, supergraphSdl, transports, known: { ...known, bodies: [] }, plansFile: undefined }),
    },
    options,
  );
  const viewers = options.accessTokenPublicKey === null ? anonymousViewers : useViewer({ publicKey: options.accessTokenPublicKey });
  const clientOf = useClient({ trustedProxies: options.trustedProxies ?? 0 });
  const forwardedOf = useForwarded(options.forwardHeaders ?? []);
  const isWelcome = useOrigins(options.corsOrigins ?? []);
  const watched = watchSessions({ isRevoked, everyMs: options.revocationCheckMs ?? REVOCATION_CHECK_MS });
  const streams = openStreams({
    engine: graphs.whole.engine,
    format: errors.formatResult,
    scopeOf: options.scopeOf ?? ((operation) => graphs.whole.scopeOf(operation)),
    coalesces: options.coalesces,
    timeoutMs,
  });

  const contextOf = async ({ raw, id }: FastifyRequest): Promise<RequestContext> => {
    const { viewer } = await viewers.fromHeaders(raw.rawHeaders);
    if (await isEnded(viewer, isRevoked)) throw new Problem('UNAUTHENTICATED', 'The session has ended. Sign in again.');
    const identity: Identity = { issuer: 'gateway', viewer, client: clientOf(raw), forwarded: forwardedOf(raw.headers) };
    const wantsCost = raw.headers[COST_HEADER] === 'report';
    return { identity, correlationId: id, deadline: Date.now() + timeoutMs, wantsCost };
  };

  let closing = false;
  const app = fastify({
    bodyLimit: limits.bodyBytes,
    requestTimeout: timeoutMs,
    http: { headersTimeout: HEADERS_TIMEOUT_MS },
    forceCloseConnections: 'idle',
    genReqId: ({ headers }) => correlationIdFrom(headers[CORRELATION_HEADER]),
  });
  await addEdge(app, { errors, isWelcome, isClosing: () => closing });
  if (options.uploads) await serveUploads(app, options.uploads);
  const overHttp = serveHttpStreams({ graphs, streams, errors, viewers, watched, heartbeatMs: options.heartbeatMs });
  addGraphql(app, { graphs, streams: overHttp, known, contextOf, errors, playground: options.playground ?? !production });

  const accepts = ({ headers }: IncomingMessage): boolean => !closing && isWelcome(headers);
  const sessions = keepSessions({ viewers, isRevoked, watched });
  const protocol = socketProtocol({ graphs, streams, errors, sessions, clientOf, forwardedOf, known, limits, timeoutMs });
  const sockets = serveSockets({ server: app.server, path: PATH, protocol, maxPayload: limits.socketMessageBytes, accepts, log });
  const live = () => ({ connectedClients: sockets.open.size, subscriptions: streams.counters() });
  addHealth(app, { live, checks: options.checks ?? {} });

  let reloaded = Promise.resolve();
  const change = async (served: Served): Promise<void> => {
    const retire = await graphs.replace(served);
    await streams.replaceEngine(graphs.whole.engine);
    await retire();
  };

  await app.listen({ port: options.port, host });
  const { port } = app.server.address() as { port: number };
  const authority = `${host.includes(':') ? `[${host}]` : host}:${port}${PATH}`;
  return {
    url: `http://${authority}`,
    wsUrl: `ws://${authority}`,
    port,
    reload(served) {
      reloaded = reloaded.catch(() => undefined).then(() => change(served));
      return reloaded;
    },
    async close() {
      closing = true;
      watched.stop();
      overHttp.close();
      await sockets.close();
      await app.close();
      await graphs.close();
      await planners?.close();
    },
  };
}

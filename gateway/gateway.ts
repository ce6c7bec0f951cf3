import type { IncomingMessage } from 'node:http';
import { fastify } from 'fastify';
import { createPlaces } from '#shared/base/quota.ts';
import { createAdmission, type Admission } from '#shared/base/admission.ts';
import { CORRELATION_HEADER, correlationIdFrom } from '#shared/base/correlation-id.ts';
import { createLog, type Log } from '#shared/base/log.ts';
import { scalars as ownScalars } from '#shared/kit/scalars.ts';
import { serveSockets } from '#shared/transport/websocket-server.ts';
import { proxyWarning } from './plugins/use-client.ts';
import { createRequestContexts, type RequestContexts } from './http/request-context.ts';
import { createCommonHeaders } from './http/response-headers.ts';
import { addHooks, addGraphqlRoute, addHealthRoutes, PATH } from './routes.ts';
import { openPlanners, type Planners } from './engine/planning/planner-queue.ts';
import { openLoadedGraph } from './supergraph/loaded-graph.ts';
import { openGraphRegistry, type GraphRegistry, type GraphSource } from './supergraph/graph-registry.ts';
import { createPersistedOperations } from './supergraph/persisted-operations.ts';
import { serveHttpStreams } from './live/over-http.ts';
import { openStreams } from './live/stream-registry.ts';
import { silentConnections } from './http/silent-connections.ts';
import { createSessionWatch } from './http/session-watch.ts';
import type { GatewayOptions } from './options.ts';
import { useErrors, type UseErrors } from './plugins/use-errors.ts';
import { checkContracts } from './plugins/use-api-keys.ts';
import { LIMITS, type Limits } from './plugins/use-limits.ts';
import { addSubgraphRoutes } from './subgraph-routes.ts';
import { createWebsocketSessions } from './live/websocket-sessions.ts';
import { websocketProtocol } from './live/websocket.ts';

export interface Gateway {
  /** Ends in /graphql. */
  url: string;
  wsUrl: string;
  port: number;
  /**
   * Switches to another supergraph. Requests in flight finish on the old one, streams continue on the new one. Rejects without any change
   * when the new one cannot be served.
   */
  reload(source: GraphSource): Promise<void>;
  /** Refuses new requests, lets requests in flight finish, closes sockets. The transports stay open. */
  close(): Promise<void>;
}

const DEFAULT_TIMEOUT_MS = 30_000;
/** Most operations wait for a subgraph, which has limits of its own. */
const ADMISSION = { atOnce: 1_000, waiting: 2_000, maxWaitMs: 2_000 };
/** Many clients may share an address. */
const SOCKETS = { perAddress: 10_000, perViewer: 100 };
const REVOCATION_CHECK_MS = 10_000;
/** Ends slow requests: the headers must arrive soon, the whole request within the request timeout. */
const HEADERS_TIMEOUT_MS = 10_000;
/** How often connections are looked through for slow requests. */
const SLOW_CHECK_MS = 5_000;

/** Opens the public endpoint. */
export async function openGateway(options: GatewayOptions): Promise<Gateway> {
  const {
    isRevoked,
    limits = LIMITS,
    persistedOperations = createPersistedOperations(),
    host = '127.0.0.1',
    timeoutMs = DEFAULT_TIMEOUT_MS,
    production = false,
  } = options;
  const log = options.log ?? createLog('gateway');
  const errors = useErrors({ production, log });
  const planners = options.planning === 'worker' ? openPlanners({ log }) : undefined;
  const admission = createAdmission(options.admission ?? ADMISSION);
  const graphs = await openAll({ ...options, planners, persistedOperations, production, limits, admission, errors, log });
  const requestContexts = createRequestContexts({ ...options, log }, timeoutMs);
  const warnOfProxies = production && !options.trustedProxies ? proxyWarning(log) : undefined;
  const sessionWatch = createSessionWatch({ isRevoked, everyMs: options.revocationCheckMs ?? REVOCATION_CHECK_MS });
  const streams = openStreams({
    engine: graphs.whole.engine,
    format: errors.formatResult,
    scopeOf: options.scopeOf ?? ((operation) => graphs.whole.scopeOf(operation)),
    coalesces: (field) => graphs.whole.coalesces(field),
    timeoutMs,
  });

  let closing = false;
  const app = createApp(limits, timeoutMs);
  const closeSilent = silentConnections(app.server);
  const common = { common: await createCommonHeaders(), errors, isClosing: () => closing };
  await addHooks(app, { ...common, isAllowedOrigin: requestContexts.isAllowedOrigin });
  if (warnOfProxies) app.addHook('onRequest', warnOfProxies);
  const { perAddress, perViewer } = options.sockets ?? SOCKETS;
  const places = { viewers: createPlaces(perViewer), addresses: createPlaces(perAddress) };
  const overHttp = serveHttpStreams({
    ...requestContexts,
    ...common,
    graphs,
    streams,
    sessionWatch,
    limits,
    places,
    heartbeatMs: options.heartbeatMs,
  });
  const showsDetails = (headers: IncomingMessage['headers']): boolean => !production || readsSchema(requestContexts, headers);
  let { transports } = options;
  const routes = addSubgraphRoutes(app, {
    ...requestContexts,
    routes: options.routes ?? [],
    transportOf: (subgraph) => transports[subgraph],
    admission: createAdmission(options.admission ?? ADMISSION),
    places,
    sessionWatch,
    timeoutMs,
    showsList: showsDetails,
  });
  addGraphqlRoute(app, {
    ...requestContexts,
    ...common,
    graphs,
    streams: overHttp,
    persistedOperations,
    playground: options.playground ?? !production,
    guide: options.guide,
  });

  const accepts = ({ headers }: IncomingMessage): boolean => !closing && requestContexts.isAllowedOrigin(headers);
  const sessions = createWebsocketSessions({ ...requestContexts, isRevoked, sessionWatch, places: places.viewers });
  const protocol = websocketProtocol({ ...requestContexts, graphs, streams, errors, sessions, persistedOperations, limits, timeoutMs });
  const each = { most: perAddress, addressOf: (request: IncomingMessage) => requestContexts.clientOf(request)?.ip ?? '' };
  const sockets = serveSockets({ server: app.server, path: PATH, protocol, maxPayload: limits.socketMessageBytes, accepts, each, log });
  const live = () => ({ connectedClients: sockets.open.size, subscriptions: streams.counters() });
  addHealthRoutes(app, { showsDetails, live, entityStore: options.entityStore, checks: options.checks ?? {} });

  let reloaded = Promise.resolve();
  const change = async (source: GraphSource): Promise<void> => {
    const retire = await graphs.replace(source);
    transports = source.transports;
    await streams.replaceEngine(graphs.whole.engine);
    await retire();
  };

  await app.listen({ port: options.port, host });
  return {
    ...addressesOf(host, app.server.address() as { port: number }),
    reload(source) {
      reloaded = reloaded.catch(() => undefined).then(() => change(source));
      return reloaded;
    },
    async close() {
      closing = true;
      sessionWatch.stop();
      overHttp.close();
      routes.close();
      await sockets.close();
      closeSilent();
      await app.close();
      await graphs.close();
      await planners?.close();
    },
  };
}

interface Opening extends Omit<GatewayOptions, 'admission'> {
  admission: Admission;
  planners: Planners | undefined;
  persistedOperations: NonNullable<GatewayOptions['persistedOperations']>;
  production: boolean;
  limits: Limits;
  errors: UseErrors;
  log: Log;
}

/** The whole graph, and one graph per graph contract that a client requests. */
function openAll(options: Opening): Promise<GraphRegistry> {
  const { persistedOperations, keys = [], scalars = ownScalars } = options;
  return openGraphRegistry(
    {
      async whole({ supergraphSdl, transports }, previous) {
        checkContracts(keys, supergraphSdl);
        return openLoadedGraph({ ...options, scalars, supergraphSdl, transports }, previous);
      },
      // Operations of a graph contract are planned on first use: soon enough for its clients.
      contract: ({ supergraphSdl, transports }) =>
        openLoadedGraph({
          ...options,
          scalars,
          supergraphSdl,
          transports,
          persistedOperations: { ...persistedOperations, bodies: [] },
          queryPlansFile: undefined,
        }),
    },
    options,
  );
}

/** An API key that may read the schema in production may also read the figures of /health. */
function readsSchema({ accessOf }: RequestContexts, headers: IncomingMessage['headers']): boolean {
  try {
    return accessOf(headers).readsSchema;
  } catch {
    return false;
  }
}

const createApp = (limits: Limits, timeoutMs: number) =>
  fastify({
    bodyLimit: limits.bodyBytes,
    requestTimeout: timeoutMs,
    http: { headersTimeout: HEADERS_TIMEOUT_MS, connectionsCheckingInterval: SLOW_CHECK_MS },
    forceCloseConnections: 'idle',
    genReqId: ({ headers }) => correlationIdFrom(headers[CORRELATION_HEADER]),
  });

function addressesOf(host: string, { port }: { port: number }): Pick<Gateway, 'url' | 'wsUrl' | 'port'> {
  const authority = `${host.includes(':') ? `[${host}]` : host}:${port}${PATH}`;
  return { url: `http://${authority}`, wsUrl: `ws://${authority}`, port };
}

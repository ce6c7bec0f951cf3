import type { IncomingMessage } from 'node:http';
import { fastify } from 'fastify';
import { createPlaces } from '#shared/base/quota.ts';
import { createAdmission, type Admission } from '#shared/base/admission.ts';
import { CORRELATION_HEADER, correlationIdFrom } from '#shared/base/correlation-id.ts';
import { createLog, type Log } from '#shared/base/log.ts';
import { scalars as ownScalars } from '#shared/kit/scalars.ts';
import { serveSockets } from '#shared/transport/websocket-server.ts';
import { serveUploads } from '#shared/uploads/serve.ts';
import { proxyWarning } from './plugins/use-client.ts';
import { createCallers, type Callers } from './http/request-context.ts';
import { commonHeaders } from './http/response-headers.ts';
import { addEdge, addGraphql, addHealth, PATH } from './routes.ts';
import { openPlanners, type Planners } from './engine/planning/planner-queue.ts';
import { openGraph } from './supergraph/loaded-graph.ts';
import { openGraphs, type Graphs, type Served } from './supergraph/graph-registry.ts';
import { knownOperations } from './supergraph/persisted-operations.ts';
import { serveHttpStreams } from './live/over-http.ts';
import { openStreams } from './live/stream-registry.ts';
import { watchSessions } from './http/session-watch.ts';
import type { GatewayOptions } from './options.ts';
import { useErrors, type UseErrors } from './plugins/use-errors.ts';
import { checkContracts } from './plugins/use-api-keys.ts';
import { LIMITS, type Limits } from './plugins/use-limits.ts';
import { keepSessions } from './live/websocket-sessions.ts';
import { socketProtocol } from './live/websocket.ts';

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
/** Most of them wait for a subgraph, which has limits of its own. */
const ADMISSION = { atOnce: 1_000, waiting: 2_000, maxWaitMs: 2_000 };
/** Many people may share an address. */
const SOCKETS = { perAddress: 10_000, perViewer: 100 };
const REVOCATION_CHECK_MS = 10_000;
/** Slow senders are cut off: the head of a request must be there soon, the whole of it within a request's time. */
const HEADERS_TIMEOUT_MS = 10_000;

/** The one public endpoint. */
export async function openGateway(options: GatewayOptions): Promise<Gateway> {
  const { isRevoked, limits = LIMITS, known = knownOperations(), host = '127.0.0.1', timeoutMs = TIMEOUT_MS, production = false } = options;
  const log = options.log ?? createLog('gateway');
  const errors = useErrors({ production, log });
  const planners = options.planning === 'worker' ? openPlanners({ log }) : undefined;
  const admission = createAdmission(options.admission ?? ADMISSION);
  const graphs = await openAll({ ...options, planners, known, production, limits, admission, errors, log });
  const callers = createCallers({ ...options, log }, timeoutMs);
  const warnOfProxies = production && !options.trustedProxies ? proxyWarning(log) : undefined;
  const watched = watchSessions({ isRevoked, everyMs: options.revocationCheckMs ?? REVOCATION_CHECK_MS });
  const streams = openStreams({
    engine: graphs.whole.engine,
    format: errors.formatResult,
    scopeOf: options.scopeOf ?? ((operation) => graphs.whole.scopeOf(operation)),
    coalesces: (field) => graphs.whole.coalesces(field),
    timeoutMs,
  });

  let closing = false;
  const app = createApp(limits, timeoutMs);
  const edge = { common: await commonHeaders(), errors, isClosing: () => closing };
  await addEdge(app, { ...edge, isWelcome: callers.isWelcome });
  if (warnOfProxies) app.addHook('onRequest', warnOfProxies);
  if (options.uploads) await serveUploads(app, options.uploads);
  const { perAddress, perViewer } = options.sockets ?? SOCKETS;
  const places = { viewers: createPlaces(perViewer), addresses: createPlaces(perAddress) };
  const overHttp = serveHttpStreams({ ...callers, ...edge, graphs, streams, watched, limits, places, heartbeatMs: options.heartbeatMs });
  addGraphql(app, {
    ...callers,
    ...edge,
    graphs,
    streams: overHttp,
    known,
    playground: options.playground ?? !production,
    guide: options.guide,
  });

  const accepts = ({ headers }: IncomingMessage): boolean => !closing && callers.isWelcome(headers);
  const sessions = keepSessions({ ...callers, isRevoked, watched, places: places.viewers });
  const protocol = socketProtocol({ ...callers, graphs, streams, errors, sessions, known, limits, timeoutMs });
  const each = { most: perAddress, addressOf: (request: IncomingMessage) => callers.clientOf(request)?.ip ?? '' };
  const sockets = serveSockets({ server: app.server, path: PATH, protocol, maxPayload: limits.socketMessageBytes, accepts, each, log });
  const live = () => ({ connectedClients: sockets.open.size, subscriptions: streams.counters() });
  const tells = (headers: IncomingMessage['headers']): boolean => !production || readsSchema(callers, headers);
  addHealth(app, { tells, live, entityStore: options.entityStore, checks: options.checks ?? {} });

  let reloaded = Promise.resolve();
  const change = async (served: Served): Promise<void> => {
    const retire = await graphs.replace(served);
    await streams.replaceEngine(graphs.whole.engine);
    await retire();
  };

  await app.listen({ port: options.port, host });
  return {
    ...addressesOf(host, app.server.address() as { port: number }),
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

interface Opening extends Omit<GatewayOptions, 'admission'> {
  admission: Admission;
  planners: Planners | undefined;
  known: NonNullable<GatewayOptions['known']>;
  production: boolean;
  limits: Limits;
  errors: UseErrors;
  log: Log;
}

/** The whole graph, and one for each contract that somebody asks for. */
function openAll(options: Opening): Promise<Graphs> {
  const { known, keys = [], scalars = ownScalars } = options;
  return openGraphs(
    {
      async whole({ supergraphSdl, transports }, previous) {
        checkContracts(keys, supergraphSdl);
        return openGraph({ ...options, scalars, supergraphSdl, transports }, previous);
      },
      // Its clients are served soon enough by planning what they ask.
      contract: ({ supergraphSdl, transports }) =>
        openGraph({ ...options, scalars, supergraphSdl, transports, known: { ...known, bodies: [] }, plansFile: undefined }),
    },
    options,
  );
}

/** A key that may read the schema in production may read figures, too. */
function readsSchema({ accessOf }: Callers, headers: IncomingMessage['headers']): boolean {
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
    http: { headersTimeout: HEADERS_TIMEOUT_MS },
    forceCloseConnections: 'idle',
    genReqId: ({ headers }) => correlationIdFrom(headers[CORRELATION_HEADER]),
  });

function addressesOf(host: string, { port }: { port: number }): Pick<Gateway, 'url' | 'wsUrl' | 'port'> {
  const authority = `${host.includes(':') ? `[${host}]` : host}:${port}${PATH}`;
  return { url: `http://${authority}`, wsUrl: `ws://${authority}`, port };
}

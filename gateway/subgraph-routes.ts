import { Readable } from 'node:stream';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Admission } from '#shared/base/admission.ts';
import type { RouteEntry } from '#shared/kit/define-route.ts';
import { bodyTooLarge } from '#shared/kit/route-problems.ts';
import { hasSignature } from '#shared/kit/signed-address.ts';
import type { RouteResponse, SubgraphTransport } from '#shared/kit/transport.ts';
import { disconnectSignal } from '#shared/transport/client-disconnect.ts';
import { subgraphUnavailable } from '#shared/transport/problem-json.ts';
import { bodyOf, hasBody } from '#shared/transport/request-body.ts';
import type { RequestContexts } from './http/request-context.ts';
import type { SessionWatch } from './http/session-watch.ts';
import { takePlace, type StreamPlaces } from './live/stream-places.ts';
import type { RequestContext } from './supergraph/apollo-server.ts';

interface SubgraphRoutesOptions extends Pick<RequestContexts, 'contextOf' | 'clientOf' | 'viewers'> {
  routes: readonly RouteEntry[];
  transportOf: (subgraph: string) => SubgraphTransport | undefined;
  /** Of routes alone: a slow upload takes no place of an operation. */
  admission: Admission;
  places: StreamPlaces;
  sessionWatch: SessionWatch;
  timeoutMs: number;
  /** Whether the caller may read the list of routes. */
  showsList: (headers: FastifyRequest['headers']) => boolean;
}

export interface SubgraphRoutes {
  /** Destroys open responses like lost connections, so that clients reconnect. */
  close: () => void;
}

/** A client that takes nothing of a response for so long is gone. */
const STALLED_MS = 60_000;
const LIST_PATH = '/api/v1';
/** Listed for integrators; webhooks concern one third party each, and addresses of files come from mutations. */
const LISTED = new Set(['eventStream', 'download']);

/** Mounts the routes of the subgraphs, and lists those for integrators at /api/v1. */
export function addSubgraphRoutes(app: FastifyInstance, options: SubgraphRoutesOptions): SubgraphRoutes {
  const { routes, transportOf, admission, showsList } = options;
  const open = new Set<Readable>();

  async function pass(entry: RouteEntry, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const caller = await callerOf(entry, request);
    if (Number(request.headers['content-length'] ?? 0) > entry.maxBytes) throw bodyTooLarge();
    const transport = transportOf(entry.subgraph);
    if (!transport?.request) throw subgraphUnavailable(entry.subgraph);
    const { identity, correlationId, deadline } = caller;
    const signal = disconnectSignal(reply.raw);
    const free = entry.method === 'GET' ? takePlace(options.places, caller) : () => undefined;
    reply.raw.once('close', free);
    const wanted = { deadline, signal, caller: identity.viewer?.id ?? identity.client?.ip };
    const work = (): Promise<RouteResponse> =>
      transport.request!({
        method: entry.method,
        route: entry.path,
        url: request.url,
        headers: headersFor(entry, request),
        body: bodyOf(request.raw),
        identity,
        correlationId,
        deadline,
        signal,
      });
    const response = await admission.run(work, wanted);
    if (entry.kind === 'eventStream') await endWithSession(request, reply);
    return send(reply, response);
  }

  async function callerOf(
    { caller, kind }: RouteEntry,
    request: FastifyRequest,
  ): Promise<Pick<RequestContext, 'identity' | 'correlationId' | 'deadline'>> {
    if (caller === 'VIEWER' && !(kind === 'download' && hasSignature(request.url))) return options.contextOf(request);
    const identity = { issuer: 'gateway', viewer: null, client: options.clientOf(request.raw) };
    return { identity, correlationId: request.id, deadline: Date.now() + options.timeoutMs };
  }

  async function endWithSession(request: FastifyRequest, { raw }: FastifyReply): Promise<void> {
    const session = await options.viewers.fromHeaders(request.raw.rawHeaders);
    raw.once(
      'close',
      options.sessionWatch.watch(session, () => raw.destroy()),
    );
  }

  function send(reply: FastifyReply, { status, headers, body }: RouteResponse): FastifyReply {
    reply.status(status).headers(headers);
    if (!(body instanceof Readable)) return reply.send(body ?? '');
    open.add(body);
    body.once('close', () => open.delete(body));
    reply.raw.setTimeout(STALLED_MS, () => reply.raw.destroy());
    return reply.send(body);
  }

  void app.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    // Bodies stay streams: signatures are made over the raw bytes, and no file is held in memory.
    scope.addContentTypeParser('*', (_request, payload, done) => done(null, payload));
    // What is still coming of a refused body is not read, so nothing else could come over this connection.
    scope.addHook('onSend', async ({ raw }, reply) => {
      if (hasBody(raw) && !raw.complete) reply.header('connection', 'close');
    });
    for (const entry of routes) {
      const { method, path: url, maxBytes } = entry;
      scope.route({
        method,
        url,
        exposeHeadRoute: entry.kind === 'file',
        ...(maxBytes > 0 && { bodyLimit: maxBytes }),
        handler: (request, reply) => pass(entry, request, reply),
      });
    }
  });
  const list = routes
    .filter(({ kind }) => LISTED.has(kind))
    .map(({ kind, method, path, description }) => ({ kind, method, path, description }));
  app.get(LIST_PATH, async ({ headers }) => ({ routes: showsList(headers) ? list : [] }));
  return {
    close() {
      for (const body of open) body.destroy();
    },
  };
}

/** A token is for the gateway: routes with a viewer get the identity in its place. */
function headersFor({ caller }: RouteEntry, { headers }: FastifyRequest): RouteResponse['headers'] {
  const { authorization: _token, ...rest } = headers;
  return (caller === 'VIEWER' ? rest : headers) as RouteResponse['headers'];
}

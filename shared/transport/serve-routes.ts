import type { FastifyInstance, FastifyRequest } from 'fastify';
import { disconnectSignal } from './client-disconnect.ts';
import { Problem } from '../base/errors.ts';
import type { RouteRequest, SubgraphTransport } from '../kit/transport.ts';
import { bodyOf } from './request-body.ts';
import { endToEnd, ROUTE_HEADER, ROUTES_PATH } from './route-format.ts';

interface RoutesOptions {
  onRequest: (request: FastifyRequest) => Promise<void>;
  envelopeOf: (request: FastifyRequest) => Pick<RouteRequest, 'identity' | 'correlationId' | 'deadline'>;
}

/** Routes bound the bodies themselves: each its own. */
const LARGEST = Number.MAX_SAFE_INTEGER;

/** Takes requests to the routes of a subgraph from the gateway. Bodies are streamed in both directions. */
export function addRoutes(app: FastifyInstance, open: SubgraphTransport, { onRequest, envelopeOf }: RoutesOptions): void {
  void app.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', (_request, payload, done) => done(null, payload));
    scope.route({
      method: ['GET', 'POST', 'PUT'],
      url: `${ROUTES_PATH}*`,
      exposeHeadRoute: false,
      bodyLimit: LARGEST,
      onRequest,
      async handler(request, reply) {
        const route = request.headers[ROUTE_HEADER];
        if (!open.request || typeof route !== 'string') throw new Problem('NOT_FOUND', 'There is nothing here.');
        const sent = bodyOf(request.raw);
        // Of a refused body the rest is read and dropped until the gateway, which has its response, stops sending: else it would get an error.
        sent?.once('close', () => request.raw.resume());
        reply.raw.once('finish', () => sent?.destroy());
        const { status, headers, body } = await open.request({
          ...envelopeOf(request),
          method: request.method,
          route,
          url: request.url.slice(ROUTES_PATH.length - 1),
          headers: endToEnd(request.headers),
          body: sent,
          signal: disconnectSignal(reply.raw),
        });
        return reply
          .status(status)
          .headers(headers)
          .send(body ?? '');
      },
    });
  });
}

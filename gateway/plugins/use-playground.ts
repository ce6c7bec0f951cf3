import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { brotliCompress, brotliDecompress, constants, gzip } from 'node:zlib';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Guide } from '../playground/guide.ts';
import { linkPage, toolbar } from '../playground/pages.ts';

/** Strong enough for a page that is compressed once, fast enough for the first visitor. */
const QUALITY = { params: { [constants.BROTLI_PARAM_QUALITY]: 5 } };
const POLICY = [
  "default-src 'self'",
  "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:",
  'worker-src blob:',
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "font-src 'self' data:",
  "connect-src 'self' ws: wss:",
  "frame-ancestors 'none'",
].join('; ');

const WELCOME = '# Write an operation and press the arrow. Subscriptions work as well.\n';
/** Where GraphiQL's page begins to load scripts. */
const BEFORE_SCRIPTS = '<noscript>';

interface Page {
  br: Buffer;
  gzip: Buffer;
  etag: string;
}

export interface UsePlayground {
  wants: (request: FastifyRequest) => boolean;
  send: (request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply>;
}

/** GraphiQL for browsers at the endpoint itself: one page without external resources, rendered on first use. */
export function usePlayground({ path, guide = Guide.parse({}) }: { path: string; guide?: Guide }): UsePlayground {
  let page: Promise<Page> | undefined;
  return {
    wants: ({ method, headers }) => method === 'GET' && (headers.accept ?? '').includes('text/html'),
    async send({ headers }, reply) {
      const { br, gzip: zipped, etag } = await (page ??= render(path, guide));
      reply.header('etag', etag).header('cache-control', 'public, max-age=3600').header('vary', 'accept, accept-encoding');
      reply.header('content-security-policy', POLICY);
      if (headers['if-none-match'] === etag) return reply.status(304).send();
      reply.type('text/html; charset=utf-8');
      const accepted = String(headers['accept-encoding'] ?? '');
      if (/\bbr\b/.test(accepted)) return reply.header('content-encoding', 'br').send(br);
      if (/\bgzip\b/.test(accepted)) return reply.header('content-encoding', 'gzip').send(zipped);
      return reply.send(await promisify(brotliDecompress)(br));
    },
  };
}

/** A page per link of the guide, at the path of the link. */
export function addLinkPages(app: FastifyInstance, { path, guide }: { path: string; guide: Guide }): void {
  for (const link of guide.links) {
    app.get(link.path, async (_request, reply) =>
      reply
        .type('text/html; charset=utf-8')
        .header('content-security-policy', POLICY)
        .send(linkPage(guide, link, path)),
    );
  }
}

async function render(path: string, guide: Guide): Promise<Page> {
  // 9 MB of text, loaded only when the page is requested.
  const { renderGraphiQL } = await import('@graphql-yoga/render-graphiql');
  const graphiql = renderGraphiQL({
    endpoint: path,
    // Over WebSocket it would not send headers, and nobody could sign in.
    subscriptionsProtocol: 'SSE',
    title: 'Soko',
    defaultQuery: WELCOME + (guide.examples[0]?.query ?? ''),
    shouldPersistHeaders: false,
  });
  const html = graphiql.replace(BEFORE_SCRIPTS, (before) => toolbar(guide, path) + before);
  const [br, zipped] = await Promise.all([promisify(brotliCompress)(html, QUALITY), promisify(gzip)(html)]);
  return { br, gzip: zipped, etag: `"${createHash('sha256').update(html).digest('base64url').slice(0, 22)}"` };
}

import type { FastifyReply } from 'fastify';
import type { CommonHeaders } from '../http/response-headers.ts';
import type { UseErrors } from '../plugins/use-errors.ts';
import type { Format } from './formats.ts';
import { HttpStreamWriter } from './http-stream-writer.ts';

interface HttpStreamRegistryOptions {
  common: CommonHeaders;
  errors: UseErrors;
  /** Interval of heartbeats. Default 10,000. */
  heartbeatMs?: number | undefined;
}

/** All open HTTP streams. */
export interface HttpStreamRegistry {
  /** Takes the response over from Fastify and sends the common headers. */
  open: (reply: FastifyReply, format: Format) => HttpStreamWriter;
  /** Errors as a client sees them, serialised. */
  describe: (reason: unknown, correlationId: string) => string;
  /** Destroys every stream like a lost connection, so that clients reconnect. */
  close: () => void;
}

const DEFAULT_HEARTBEAT_MS = 10_000;
/** Keeps proxies from buffering events. */
const UNBUFFERED_HEADERS = ['cache-control', 'no-cache, no-transform', 'x-accel-buffering', 'no'];

export function openHttpStreamRegistry({
  common,
  errors,
  heartbeatMs = DEFAULT_HEARTBEAT_MS,
}: HttpStreamRegistryOptions): HttpStreamRegistry {
  const httpStreams = new Set<HttpStreamWriter>();
  const heartbeat = setInterval(() => {
    for (const sink of httpStreams) sink.heartbeat();
  }, heartbeatMs).unref();
  const describe: HttpStreamRegistry['describe'] = (reason, correlationId) => JSON.stringify([errors.format(reason, correlationId)]);

  return {
    describe,
    open(reply, format) {
      reply.hijack();
      reply.raw.writeHead(200, common.listOf(reply, ['content-type', format.contentType, ...UNBUFFERED_HEADERS]));
      const sink = new HttpStreamWriter(reply.raw, format, (reason) => describe(reason, reply.request.id));
      httpStreams.add(sink);
      sink.closed(() => httpStreams.delete(sink));
      return sink;
    },
    close() {
      clearInterval(heartbeat);
      for (const sink of httpStreams) sink.destroy();
    },
  };
}

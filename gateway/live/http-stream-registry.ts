import type { FastifyReply } from 'fastify';
import type { CommonHeaders } from '../http/response-headers.ts';
import type { UseErrors } from '../plugins/use-errors.ts';
import type { Format } from './formats.ts';
import { HttpLine } from './http-stream-writer.ts';

interface HttpLinesOptions {
  common: CommonHeaders;
  errors: UseErrors;
  /** How often lines show that they are alive. Default 10,000. */
  heartbeatMs?: number | undefined;
}

/** All streams that are written into responses. */
export interface HttpLines {
  /** From here on the response is written by hand, under the headers that every answer has. */
  open: (reply: FastifyReply, format: Format) => HttpLine;
  /** Errors as a client gets them, serialised. */
  describe: (reason: unknown, correlationId: string) => string;
  /** Breaks every stream off, as a lost connection would: its client comes back. */
  close: () => void;
}

const HEARTBEAT_MS = 10_000;
/** Proxies that collect answers would hold events back. */
const UNBUFFERED = ['cache-control', 'no-cache, no-transform', 'x-accel-buffering', 'no'];

export function openHttpLines({ common, errors, heartbeatMs = HEARTBEAT_MS }: HttpLinesOptions): HttpLines {
  const lines = new Set<HttpLine>();
  const heartbeat = setInterval(() => {
    for (const line of lines) line.beat();
  }, heartbeatMs).unref();
  const describe: HttpLines['describe'] = (reason, correlationId) => JSON.stringify([errors.format(reason, correlationId)]);

  return {
    describe,
    open(reply, format) {
      reply.hijack();
      reply.raw.writeHead(200, common.listOf(reply, ['content-type', format.contentType, ...UNBUFFERED]));
      const line = new HttpLine(reply.raw, format, (reason) => describe(reason, reply.request.id));
      lines.add(line);
      line.closed(() => lines.delete(line));
      return line;
    },
    close() {
      clearInterval(heartbeat);
      for (const line of lines) line.breakOff();
    },
  };
}

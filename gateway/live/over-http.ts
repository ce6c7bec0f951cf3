import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { Problem } from '../../shared/errors.ts';
import type { CommonHeaders } from '../common-headers.ts';
import { isIncremental, type Engine, type Operation } from '../engine.ts';
import { partsOf } from '../events.ts';
import type { Graphs } from '../graphs.ts';
import type { RequestContext } from '../http.ts';
import type { UseErrors } from '../plugins/use-errors.ts';
import type { UseViewer } from '../plugins/use-viewer.ts';
import { admitAsked } from './asked.ts';
import { clientOfResponse } from './departures.ts';
import { formatFor, takesEventsOnly, type Format } from './formats.ts';
import { HttpLine } from './http-line.ts';
import type { Streams } from './streams.ts';
import type { WatchedSessions } from './watched-sessions.ts';

interface HttpStreamsOptions {
  common: CommonHeaders;
  graphs: Graphs;
  streams: Streams;
  errors: UseErrors;
  viewers: UseViewer;
  watched: WatchedSessions;
  /** Default 10,000. */
  heartbeatMs?: number | undefined;
}

/** Streams for clients without WebSocket: server-sent events, and multipart subscriptions. */
export interface HttpStreams {
  /** False when the request does not ask for a stream; otherwise it is being answered. Throws NotValid or a Problem before that. */
  answer: (request: FastifyRequest, reply: FastifyReply, context: RequestContext) => Promise<boolean>;
  /** Breaks every stream off, as a lost connection would: its client comes back. */
  close: () => void;
}

const HEARTBEAT_MS = 10_000;

const record = z.record(z.string(), z.unknown());

const Body = z.object({
  query: z.string().min(1),
  operationName: z.string().nullish(),
  variables: record.nullish(),
  extensions: record.nullish(),
});

const json = z.string().transform((text, ctx) => {
  try {
    return record.parse(JSON.parse(text));
  } catch {
    ctx.addIssue({ code: 'custom', message: 'must be a JSON object' });
    return z.NEVER;
  }
});

/** As an EventSource asks: everything in the URL. */
const InUrl = z.object({
  query: z.string().min(1),
  operationName: z.string().optional(),
  variables: json.optional(),
  extensions: json.optional(),
});

export function serveHttpStreams(options: HttpStreamsOptions): HttpStreams {
  const { common, graphs, errors, heartbeatMs = HEARTBEAT_MS } = options;
  const lines = new Set<HttpLine>();
  const heartbeat = setInterval(() => {
    for (const line of lines) line.beat();
  }, heartbeatMs).unref();

  return {
    async answer(request, reply, context) {
      const format = formatFor(request.headers.accept);
      if (!format) return false;
      const isRead = request.method === 'GET';
      const body = isRead ? InUrl.safeParse(request.query) : Body.safeParse(request.body);
      if (!body.success) return false;
      const { engine, operations } = await graphs.of(context.contract);
      const { kind, operation } = admitAsked(operations, body.data, context);
      if (kind !== 'subscription' && !takesEventsOnly(request.headers.accept)) return false;
      if (isRead && kind === 'mutation') return false;

      const describe = (problem: Problem): string => JSON.stringify([errors.format(problem, context.correlationId)]);
      const line = openLine(reply, format, { common, describe });
      lines.add(line);
      line.closed(() => lines.delete(line));
      await (kind === 'subscription'
        ? stream(line, operation, request, options)
        : answerOnce(line, engine, { operation: { ...operation, signal: clientOfResponse(reply.raw) }, errors }));
      return true;
    },
    close() {
      clearInterval(heartbeat);
      for (const line of lines) line.breakOff();
    },
  };
}

interface LineOptions {
  common: CommonHeaders;
  describe: (problem: Problem) => string;
}

/** From here on the response is written by hand, under the headers that every answer has. */
function openLine(reply: FastifyReply, format: Format, { common, describe }: LineOptions): HttpLine {
  // Proxies that collect answers would hold events back.
  const unbuffered = ['cache-control', 'no-cache, no-transform', 'x-accel-buffering', 'no'];
  reply.hijack();
  reply.raw.writeHead(200, common.listOf(reply, ['content-type', format.contentType, ...unbuffered]));
  return new HttpLine(reply.raw, format, describe);
}

async function stream(
  line: HttpLine,
  operation: Operation,
  { raw }: FastifyRequest,
  { streams, errors, viewers, watched }: HttpStreamsOptions,
): Promise<void> {
  const session = await viewers.fromHeaders(raw.rawHeaders);
  line.closed(watched.watch(session, (reason) => line.fail(new Problem('UNAUTHENTICATED', `${reason}.`))));
  const joined = await streams.join(operation, line);
  if ('leave' in joined) {
    line.closed(() => joined.leave());
    joined.start();
  } else {
    line.send(JSON.stringify(errors.formatResult(joined, operation.correlationId)));
    line.end();
  }
}

interface Once {
  operation: Operation;
  errors: UseErrors;
}

async function answerOnce(line: HttpLine, engine: Engine, { operation, errors }: Once): Promise<void> {
  const result = await engine.execute(operation);
  const results = isIncremental(result) ? partsOf(result) : [result];
  for await (const each of results) line.send(JSON.stringify(errors.formatResult(each, operation.correlationId)));
  line.end();
}

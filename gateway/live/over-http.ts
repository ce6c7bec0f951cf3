import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { CommonHeaders } from '../http/response-headers.ts';
import type { RequestContext } from '../supergraph/apollo-server.ts';
import { streamResponse } from './stream-response.ts';
import { validateRequest, RequestBody, record } from '../http/request-params.ts';
import { streamFormatFor, takesEventsOnly } from './formats.ts';
import { openHttpStreamRegistry } from './http-stream-registry.ts';
import { serveOneConnection, type OneConnectionOptions } from './over-one-connection.ts';
import { takePlace } from './stream-places.ts';

interface HttpStreamsOptions extends Omit<OneConnectionOptions, 'httpStreams'> {
  common: CommonHeaders;
  /** Default 10,000. */
  heartbeatMs?: number | undefined;
}

/**
 * Streams for clients without WebSocket: server-sent events (a response per operation, or one response for all) and multipart
 * subscriptions.
 */
export interface HttpStreams {
  /** False when the request does not accept a stream; true when it is being answered. Throws InvalidDocument or a Problem before that. */
  handle: (request: FastifyRequest, reply: FastifyReply, context: RequestContext) => Promise<boolean>;
  /** Destroys every stream like a lost connection, so that clients reconnect. */
  close: () => void;
}

const json = z.string().transform((text, ctx) => {
  try {
    return record.parse(JSON.parse(text));
  } catch {
    ctx.addIssue({ code: 'custom', message: 'must be a JSON object' });
    return z.NEVER;
  }
});

/** Parameters in the URL, as an EventSource sends them. */
const InUrl = z.object({
  query: z.string().min(1),
  operationName: z.string().optional(),
  variables: json.optional(),
  extensions: json.optional(),
});

export function serveHttpStreams(options: HttpStreamsOptions): HttpStreams {
  const { graphs, viewers, places } = options;
  const httpStreams = openHttpStreamRegistry(options);
  const oneConnection = serveOneConnection({ ...options, httpStreams });

  return {
    async handle(request, reply, context) {
      if (oneConnection.wants(request)) {
        await oneConnection.handle(request, reply, context);
        return true;
      }
      const format = streamFormatFor(request.headers.accept);
      if (!format) return false;
      const isRead = request.method === 'GET';
      const body = isRead ? InUrl.safeParse(request.query) : RequestBody.safeParse(request.body);
      if (!body.success) return false;
      const { engine, documents } = await graphs.of(context.contract);
      const validated = validateRequest(documents, body.data, context);
      if (validated.kind !== 'subscription' && !takesEventsOnly(request.headers.accept)) return false;
      if (isRead && validated.kind === 'mutation') return false;
      const session = await viewers.fromHeaders(request.raw.rawHeaders);
      const free = takePlace(places, { identity: { ...context.identity, viewer: session.viewer } });
      const sink = httpStreams.open(reply, format);
      sink.closed(free);
      await streamResponse(sink, { ...validated, engine, session }, options);
      return true;
    },
    close: httpStreams.close,
  };
}

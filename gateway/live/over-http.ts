import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { Problem } from '#shared/base/errors.ts';
import type { Places } from '#shared/base/quota.ts';
import type { CommonHeaders } from '../http/response-headers.ts';
import type { RequestContext } from '../supergraph/apollo-server.ts';
import type { Session } from '../plugins/use-viewer.ts';
import { answerOver } from './stream-response.ts';
import { admitAsked, AskedBody, record } from '../http/request-params.ts';
import { formatFor, takesEventsOnly } from './formats.ts';
import { openHttpLines } from './http-stream-registry.ts';
import { serveOneConnection, type OneConnectionOptions } from './over-one-connection.ts';

interface HttpStreamsOptions extends Omit<OneConnectionOptions, 'lines'> {
  common: CommonHeaders;
  /** One for each stream that is open: of a viewer, or of an address where there is none. */
  places: { viewers: Places; addresses: Places };
  /** Default 10,000. */
  heartbeatMs?: number | undefined;
}

/** Streams for clients without WebSocket: server-sent events, each in a response of its own or all in one, and multipart subscriptions. */
export interface HttpStreams {
  /** False when the request does not ask for a stream; otherwise it is being answered. Throws NotValid or a Problem before that. */
  answer: (request: FastifyRequest, reply: FastifyReply, context: RequestContext) => Promise<boolean>;
  /** Breaks every stream off, as a lost connection would: its client comes back. */
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

/** As an EventSource asks: everything in the URL. */
const InUrl = z.object({
  query: z.string().min(1),
  operationName: z.string().optional(),
  variables: json.optional(),
  extensions: json.optional(),
});

export function serveHttpStreams(options: HttpStreamsOptions): HttpStreams {
  const { graphs, viewers, places } = options;
  const lines = openHttpLines(options);
  const oneConnection = serveOneConnection({ ...options, lines });

  /** Throws when whoever asks has too many streams. */
  function takePlace({ viewer }: Session, { identity }: RequestContext): () => void {
    const free = viewer ? places.viewers.take(viewer.id) : places.addresses.take(identity.client?.ip ?? '');
    if (!free) throw new Problem('TOO_MANY_OPERATIONS', 'Too many streams are open: end one first.', { retryable: true });
    return free;
  }

  return {
    async answer(request, reply, context) {
      if (oneConnection.wants(request)) {
        await oneConnection.answer(request, reply, context);
        return true;
      }
      const format = formatFor(request.headers.accept);
      if (!format) return false;
      const isRead = request.method === 'GET';
      const body = isRead ? InUrl.safeParse(request.query) : AskedBody.safeParse(request.body);
      if (!body.success) return false;
      const { engine, documents } = await graphs.of(context.contract);
      const admitted = admitAsked(documents, body.data, context);
      if (admitted.kind !== 'subscription' && !takesEventsOnly(request.headers.accept)) return false;
      if (isRead && admitted.kind === 'mutation') return false;
      const session = await viewers.fromHeaders(request.raw.rawHeaders);
      const free = takePlace(session, context);
      const line = lines.open(reply, format);
      line.closed(free);
      await answerOver(line, { ...admitted, engine, session }, options);
      return true;
    },
    close: lines.close,
  };
}

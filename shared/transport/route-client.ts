import { errors, Pool, type Dispatcher } from 'undici';
import { CORRELATION_HEADER } from '../base/correlation-id.ts';
import { overloaded } from '../base/errors.ts';
import type { RouteRequest, RouteResponse } from '../kit/transport.ts';
import { problemFromJson, subgraphTimeout, subgraphUnavailable } from './problem-json.ts';
import { endToEnd, PROBLEM_HEADER, ROUTE_HEADER, ROUTES_PATH } from './route-format.ts';
import type { Access } from './subgraph-access.ts';
import { impatient, isLost, judged } from './verdicts.ts';

interface RouteClientOptions {
  access: Pick<Access, 'headersFor'>;
  connectTimeoutMs: number;
}

/** Responses of one subgraph that flow at a time, each over a connection of its own: an event stream is one for hours. */
const MAX_RESPONSES = 2_000;
/** A response that sends nothing for so long has lost its process: event streams have heartbeats. */
const SILENCE_MS = 60_000;

/** Passes requests to the routes of a subgraph in another process; bodies are streamed in both directions. */
export function createRouteClient(name: string, base: URL, { access, connectTimeoutMs }: RouteClientOptions) {
  const pool = new Pool(base.origin, {
    pipelining: 1,
    connect: { timeout: connectTimeoutMs },
    headersTimeout: SILENCE_MS,
    bodyTimeout: SILENCE_MS,
  });
  const prefix = base.pathname.replace(/\/$/, '');
  let flowing = 0;

  async function send(request: RouteRequest): Promise<Dispatcher.ResponseData> {
    const { method, route, url, headers, body, identity, correlationId, deadline, signal } = request;
    const patience = deadline - Date.now();
    if (patience <= 0 || signal?.aborted) throw impatient(subgraphTimeout(name));
    try {
      return await pool.request({
        method: method as Dispatcher.HttpMethod,
        path: `${prefix}${ROUTES_PATH}${url.slice(1)}`,
        headers: {
          ...endToEnd(headers),
          ...(await access.headersFor(identity, 'route')),
          [ROUTE_HEADER]: route,
          [CORRELATION_HEADER]: correlationId,
          'x-deadline': String(deadline),
        },
        body: body ?? null,
        headersTimeout: patience,
        signal: signal ?? null,
      });
    } catch (error) {
      if (signal?.aborted) throw impatient(subgraphTimeout(name, error));
      if (error instanceof errors.HeadersTimeoutError) throw judged(subgraphTimeout(name, error), 'nothing');
      throw judged(subgraphUnavailable(name, error), isLost(error) ? 'outage' : 'nothing');
    }
  }

  return {
    async request(request: RouteRequest): Promise<RouteResponse> {
      if (flowing >= MAX_RESPONSES) throw overloaded(1);
      flowing += 1;
      let isOver = false;
      const leave = (): void => {
        if (!isOver) flowing -= 1;
        isOver = true;
      };
      try {
        const { statusCode, headers, body } = await send(request);
        if (headers[PROBLEM_HEADER] !== undefined) throw await problemIn(name, body);
        body.once('close', leave);
        return { status: statusCode, headers: endToEnd(headers) as Record<string, string>, body };
      } catch (error) {
        leave();
        throw error;
      }
    },
    close: (): Promise<void> => pool.destroy(),
  };
}

async function problemIn(name: string, body: Dispatcher.ResponseData['body']): Promise<Error> {
  const { error } = (await body.json().catch(() => ({}))) as { error?: unknown };
  return problemFromJson(error) ?? subgraphUnavailable(name, new Error('answered with what is no answer of a route'));
}

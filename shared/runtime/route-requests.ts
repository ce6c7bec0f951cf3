import { Readable } from 'node:stream';
import type { Wanted } from '../base/admission.ts';
import { notFoundHere, bodyTooLarge } from '../kit/route-problems.ts';
import { paramsOf, queryOf } from '../kit/route-paths.ts';
import type { Route, RouteInput } from '../kit/define-route.ts';
import type { RouteRequest, RouteResponse } from '../kit/transport.ts';
import type { Contexts } from './create-context.ts';

interface RouteRequestsOptions {
  routes: readonly Route[];
  contexts: Contexts;
  now(): Date;
  admitted<T>(wanted: Wanted, work: () => Promise<T>): Promise<T>;
}

/** Passes requests to the routes of a subgraph. */
export function createRouteRequests({ routes, contexts, now, admitted }: RouteRequestsOptions) {
  const byPath = new Map(routes.map((route) => [`${route.method} ${route.path}`, route]));

  return async (request: RouteRequest): Promise<RouteResponse> => {
    const route = byPath.get(`${request.method} ${request.route}`);
    // During a deploy the gateway may know a route that this process does not.
    if (!route) throw notFoundHere();
    const identity = route.identify?.(request, now()) ?? request.identity;
    const { url, headers, method, signal, body } = request;
    const input: RouteInput = {
      method,
      url,
      headers,
      signal,
      params: paramsOf(route.path, url),
      query: queryOf(url),
      // Before admission: a slow client keeps no place.
      bytes: route.buffersBody ? await readBody(body, route.maxBytes) : Buffer.alloc(0),
      body: route.buffersBody ? undefined : body,
    };
    const deadline = route.isAdmitted ? request.deadline : Number.POSITIVE_INFINITY;
    // What changes data finishes after a disconnect.
    const ctx = contexts.create({
      identity,
      correlationId: request.correlationId,
      deadline,
      signal: method === 'GET' ? signal : undefined,
    });
    const handle = async (): Promise<RouteResponse> => {
      const response = await route.handle(ctx, input);
      if (response.body instanceof Readable)
        response.body.once('error', (err) => signal?.aborted || ctx.log.error({ err, route: route.path }, 'a response broke off'));
      return response;
    };
    return route.isAdmitted ? admitted({ deadline: request.deadline, signal, caller: identity.viewer?.id }, handle) : handle();
  };
}

async function readBody(body: Readable | undefined, maxBytes: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of (body ?? []) as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > maxBytes) throw bodyTooLarge();
    parts.push(part);
  }
  return Buffer.concat(parts);
}

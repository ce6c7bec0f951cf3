import type { Readable } from 'node:stream';
import { z } from 'zod';
import type { AnyContext } from './context.ts';
import { Problem } from '../base/errors.ts';
import type { Identity } from '../base/identity.ts';
import { validationMessage } from '../base/validation-messages.ts';
import type { JobHandler } from './define-job.ts';
import { faultOfPath, shapeOfPath } from './route-paths.ts';
import type { RouteRequest, RouteResponse } from './transport.ts';

/*
 * Routes: what a subgraph serves over HTTP beside GraphQL. Declared in its `routes.ts`; the gateway mounts them, in process or over HTTP. Kinds:
 * `webhook` (`webhook.ts`), `eventStream` (`event-stream.ts`), `download` (`download.ts`), and `uploadRoutes` (`upload-routes.ts`) for files.
 */

export type RouteKind = 'webhook' | 'eventStream' | 'download' | 'upload' | 'file';

/** A route as the gateway needs it; `npm run compose` lists those of all subgraphs in `schema/routes.json`. */
export interface RouteEntry {
  subgraph: string;
  kind: RouteKind;
  method: 'GET' | 'POST' | 'PUT';
  path: string;
  /** For integrators. */
  description: string;
  /** VIEWER: token and API key as for GraphQL. ANYONE: the route itself finds out who may. */
  caller: 'VIEWER' | 'ANYONE';
  /** Maximum size of the body; 0 for none. */
  maxBytes: number;
}

/** A request as a route handles it. */
export interface RouteInput extends Pick<RouteRequest, 'method' | 'url' | 'headers' | 'signal'> {
  params: Readonly<Record<string, string>>;
  query: Readonly<Record<string, string>>;
  /** The whole body, for a route that buffers it; empty otherwise. */
  bytes: Buffer;
  /** For a route that streams it. */
  body: Readable | undefined;
}

export interface Route<C extends AnyContext = AnyContext> extends Omit<RouteEntry, 'subgraph'> {
  /** Whether the body is read before the route begins. */
  buffersBody: boolean;
  /** Bounded by admission: false for what takes as long as its client likes. */
  isAdmitted: boolean;
  /** Who asks, where the address says so; undefined leaves it to the gateway. */
  identify?: ((request: RouteRequest, now: Date) => Identity | undefined) | undefined;
  handle(ctx: C, input: RouteInput): Promise<RouteResponse>;
  /** Handlers of the jobs that the route enqueues. */
  handlers: JobHandler<C>[];
}

const PREFIXES: Readonly<Record<RouteKind, (subgraph: string) => string>> = {
  webhook: (subgraph) => `/hooks/${subgraph}/`,
  eventStream: () => '/api/v1/',
  download: () => '/files/',
  upload: () => '/uploads/',
  file: () => '/uploads/',
};

/** The routes of a manifest as the gateway mounts them. Throws when a path cannot be mounted. */
export function routeEntries(subgraph: string, routes: readonly Route<any>[]): RouteEntry[] {
  return routes.map(({ kind, method, path, description, caller, maxBytes }) => {
    const prefix = PREFIXES[kind](subgraph);
    const fault = path.startsWith(prefix) ? faultOfPath(path) : `must begin with ${prefix}`;
    if (fault) throw new Error(`${subgraph}: the path of the ${kind} ${path} ${fault}.`);
    return { subgraph, kind, method, path, description, caller, maxBytes };
  });
}

/** Each path that two routes share, as one line that names both. */
export function routeConflicts(entries: readonly RouteEntry[]): string[] {
  const byShape = Map.groupBy(entries, ({ method, path }) => `${method} ${shapeOfPath(path)}`);
  return [...byShape.values()]
    .filter((same) => same.length > 1)
    .map(
      (same) =>
        `${same.map(({ subgraph, method, path }) => `${method} ${path} of ${subgraph}`).join(' and ')} are one path: change one of them.`,
    );
}

export const RouteEntries: z.ZodType<RouteEntry[]> = z.array(
  z.object({
    subgraph: z.string(),
    kind: z.enum(['webhook', 'eventStream', 'download', 'upload', 'file']),
    method: z.enum(['GET', 'POST', 'PUT']),
    path: z.string(),
    description: z.string(),
    caller: z.enum(['VIEWER', 'ANYONE']),
    maxBytes: z.number().int().min(0),
  }),
);

/** Parameters of the path, checked by `schema` together with those of the query; without a schema the query is ignored. */
export function routeArguments<A>(schema: z.ZodType<A> | undefined, { params, query }: Pick<RouteInput, 'params' | 'query'>): A {
  if (!schema) return params as A;
  const parsed = schema.safeParse({ ...query, ...params }, { error: validationMessage });
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  throw new Problem('INVALID', issue.message, { path: issue.path.map(String) });
}

import { LARGEST_UPLOAD } from '../uploads/serve.ts';
import type { Uploads } from '../uploads/uploads.ts';
import type { AnyContext } from './context.ts';
import type { Route } from './define-route.ts';

/**
 * Serves the files of these folders at `/uploads/<folder>/...`: clients PUT them by the address of `prepare`, and GET them. Adds nothing to what
 * their addresses allow: each carries its own right.
 */
export const uploadRoutes = <C extends AnyContext>(folders: readonly string[], uploadsOf: (ctx: C) => Uploads): Route<C>[] =>
  folders.flatMap((folder) =>
    (['PUT', 'GET'] as const).map((method) => ({
      kind: method === 'PUT' ? ('upload' as const) : ('file' as const),
      method,
      path: `/uploads/${folder}/*`,
      description: method === 'PUT' ? 'Takes one file by the address of a mutation.' : 'Files; private ones by a signed address.',
      caller: 'ANYONE' as const,
      maxBytes: method === 'PUT' ? LARGEST_UPLOAD : 0,
      buffersBody: false,
      isAdmitted: false,
      handle: (ctx, { params, query, headers, body }) =>
        uploadsOf(ctx).serve({ method, key: `${folder}/${params['*']}`, query, headers, body }),
      handlers: [],
    })),
  );

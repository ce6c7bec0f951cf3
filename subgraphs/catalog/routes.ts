import { uploadRoutes } from '#shared/kit/upload-routes.ts';
import type { Ctx } from './loaders.ts';

/** Every public file, and the private ones of this subgraph. */
export const routes = uploadRoutes(['public', 'private/imports', 'private/exports'], (ctx: Ctx) => ctx.providers.uploads);

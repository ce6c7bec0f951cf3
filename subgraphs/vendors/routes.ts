import { uploadRoutes } from '#shared/kit/upload-routes.ts';
import type { Ctx } from './loaders.ts';

export const routes = uploadRoutes(['private/vendor-applications'], (ctx: Ctx) => ctx.providers.uploads);

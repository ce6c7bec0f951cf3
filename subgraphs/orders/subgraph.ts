import { z } from 'zod';
import { createAdmission } from '#shared/base/admission.ts';
import { defineSubgraph } from '#shared/kit/define-subgraph.ts';
import { checkout } from './checkout.ts';
import { handlers } from './handlers.ts';
import { loaders } from './loaders.ts';
import { models } from './model.ts';
import { permissions } from './permissions.ts';
import { resolvers } from './resolvers.ts';
import { settings } from './settings.ts';

export const subgraph = defineSubgraph({
  name: 'orders',
  folder: import.meta.dirname,
  models,
  loaders,
  environment: z.object({
    /** Checkouts under way at a time. */
    CHECKOUTS_AT_ONCE: z.coerce.number().int().min(1).max(1_000).default(8),
  }),
  // What has begun shall end in time, so what waits is refused while it may still go elsewhere.
  providers: ({ CHECKOUTS_AT_ONCE: atOnce }) => ({ checkouts: createAdmission({ atOnce, waiting: atOnce * 4, maxWaitMs: 2_000 }) }),
  resolvers,
  permissions,
  handlers,
  settings,
  sagas: [checkout],
});

if (import.meta.main) await (await import('#shared/process/serve-process.ts')).serveProcess(subgraph);

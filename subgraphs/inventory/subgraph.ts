import { defineSubgraph } from '#shared/kit/define-subgraph.ts';
import { handlers } from './handlers.ts';
import { loaders } from './loaders.ts';
import { models } from './model.ts';
import { permissions } from './permissions.ts';
import { resolvers } from './resolvers.ts';
import { settings } from './settings.ts';
import { createKeyedMutex } from '#shared/store/keyed-mutex.ts';

export const subgraph = defineSubgraph({
  name: 'inventory',
  folder: import.meta.dirname,
  models,
  loaders,
  providers: () => ({ locks: createKeyedMutex('stock') }),
  resolvers,
  permissions,
  handlers,
  settings,
});

if (import.meta.main) await (await import('#shared/process/serve-process.ts')).serveProcess(subgraph);

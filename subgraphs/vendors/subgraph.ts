import { defineSubgraph } from '#shared/kit/define-subgraph.ts';
import { uploads } from '#shared/providers/uploads.ts';
import { handlers } from './handlers.ts';
import { loaders } from './loaders.ts';
import { messages } from './messages.ts';
import { models } from './model.ts';
import { permissions } from './permissions.ts';
import { resolvers } from './resolvers.ts';
import { routes } from './routes.ts';
import { settings } from './settings.ts';

export const subgraph = defineSubgraph({
  name: 'vendors',
  folder: import.meta.dirname,
  models,
  loaders,
  resolvers,
  permissions,
  handlers,
  templates: messages,
  routes,
  settings,
  providers: { uploads },
});

if (import.meta.main) await (await import('#shared/process/serve-process.ts')).serveProcess(subgraph);

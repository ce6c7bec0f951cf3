import { defineSubgraph } from '#shared/kit/define-subgraph.ts';
import { handlers } from './handlers.ts';
import { loaders } from './loaders.ts';
import { messages } from './messages.ts';
import { models } from './model.ts';
import { permissions } from './permissions.ts';
import { providers } from './providers/providers.ts';
import { environment } from './providers/environment.ts';
import { resolvers } from './resolvers.ts';
import { settings } from './settings.ts';

export const subgraph = defineSubgraph({
  name: 'accounts',
  folder: import.meta.dirname,
  models,
  loaders,
  resolvers,
  permissions,
  handlers,
  templates: messages,
  settings,
  environment,
  providers,
});

if (import.meta.main) await (await import('#shared/process/serve-process.ts')).serveProcess(subgraph);

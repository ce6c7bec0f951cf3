import { defineSubgraph } from '#shared/kit/define-subgraph.ts';
import { handlers } from './handlers.ts';
import { loaders } from './loaders.ts';
import { messages } from './messages.ts';
import { models } from './model.ts';
import { permissions } from './permissions.ts';
import { environment, providers } from './providers.ts';
import { resolvers } from './resolvers.ts';

export const subgraph = defineSubgraph({
  name: 'scheduler',
  folder: import.meta.dirname,
  models,
  loaders,
  resolvers,
  permissions,
  handlers,
  templates: messages,
  environment,
  providers,
  operationsApi: true,
});

if (import.meta.main) await (await import('#shared/process/serve-process.ts')).serveProcess(subgraph);

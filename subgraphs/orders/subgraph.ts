import { defineSubgraph } from '../../shared/subgraph.ts';
import { checkout } from './checkout.ts';
import { handlers } from './handlers.ts';
import { loaders } from './loaders.ts';
import { models } from './model.ts';
import { permissions } from './permissions.ts';
import { resolvers } from './resolvers.ts';

export const subgraph = defineSubgraph({
  name: 'orders',
  folder: import.meta.dirname,
  models,
  loaders,
  resolvers,
  permissions,
  handlers,
  sagas: [checkout],
  operations: true,
});

if (import.meta.main) await (await import('../../shared/alone.ts')).serveAlone(subgraph);

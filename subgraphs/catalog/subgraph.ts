import { defineSubgraph } from '#shared/kit/define-subgraph.ts';
import { handlers } from './handlers.ts';
import { loaders } from './loaders.ts';
import { models, type Product } from './model.ts';
import { permissions } from './permissions.ts';
import { providers } from './providers.ts';
import { resolvers } from './resolvers.ts';
import { routes } from './routes.ts';
import { settings } from './settings.ts';
import { publicSeconds, type VariantOfProduct } from './visibility.ts';

export const subgraph = defineSubgraph({
  name: 'catalog',
  folder: import.meta.dirname,
  models,
  loaders,
  resolvers,
  permissions,
  publicMaxAge: {
    Product: (product: Product, ctx) => publicSeconds(product, ctx.now()),
    ProductVariant: ({ product }: VariantOfProduct, ctx) => publicSeconds(product, ctx.now()),
  },
  handlers,
  routes,
  settings,
  providers,
});

if (import.meta.main) await (await import('#shared/process/serve-process.ts')).serveProcess(subgraph);

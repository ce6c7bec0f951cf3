import { z } from 'zod';
import { defineSettings, setting } from '#shared/kit/define-settings.ts';

export const settings = defineSettings('orders', {
  cartLines: setting(z.int().min(1).max(250), {
    default: 100,
    description: 'Lines of a cart. A fuller cart keeps its lines and takes no more.',
  }),
  cartUnits: setting(z.int().min(1).max(10_000), { default: 10_000, description: 'Pieces of one line of a cart.' }),
  cacheSeconds: setting(z.int().min(1).max(86_400), {
    default: 300,
    description: 'Seconds for which the details of an order are cached; a change forgets them at once.',
  }),
});

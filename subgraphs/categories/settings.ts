import { z } from 'zod';
import { defineSettings, setting } from '#shared/kit/define-settings.ts';

export const settings = defineSettings('categories', {
  cacheSeconds: setting(z.int().min(1).max(86_400), {
    default: 300,
    description: 'Seconds for which the tree is cached; a change forgets it at once.',
  }),
});

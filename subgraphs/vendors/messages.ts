import { z } from 'zod';
import { defineTemplates, template } from '#shared/templates/define-templates.ts';

export const messages = defineTemplates('vendors', import.meta.dirname, {
  'vendor-invitation': template({
    channels: ['EMAIL'],
    // The name of a store has been read by the operator.
    params: z.object({ storeName: z.string(), role: z.string(), expiresAt: z.iso.datetime(), timeZone: z.string() }),
    secrets: ['token'],
    sample: { storeName: 'Mwamba Crafts', role: 'CATALOG', expiresAt: '2026-12-06T07:34:00.000Z', timeZone: 'Africa/Lusaka' },
  }),
});

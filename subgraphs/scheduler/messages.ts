import { z } from 'zod';
import { defineTemplates, template } from '#shared/templates/define-templates.ts';

export const messages = defineTemplates('scheduler', import.meta.dirname, {
  'job-failed': template({
    channels: ['EMAIL'],
    params: z.object({ subgraph: z.string(), job: z.string(), code: z.string(), runId: z.string() }),
    sample: { subgraph: 'catalog', job: 'import-products', code: 'TIMEOUT', runId: 'job_01' },
  }),
});

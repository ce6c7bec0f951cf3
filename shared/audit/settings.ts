import { z } from 'zod';

export const AuditSettings = z.object({
  /** Years after which rows of the audit are removed, in whole blocks. */
  AUDIT_RETENTION_YEARS: z.coerce.number().int().min(1).max(100).default(10),
});

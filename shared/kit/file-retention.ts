import type { AnyContext } from './context.ts';
import { scheduledJob, type JobHandler } from './define-job.ts';

const HOUR_MS = 3_600_000;

/** The job that removes the old files of a subgraph: part of each manifest with `files: true`. */
export const removeOldFiles = (): JobHandler =>
  scheduledJob('remove-old-files', { every: HOUR_MS }, (ctx: AnyContext): Promise<number> => ctx.files.removeOld());

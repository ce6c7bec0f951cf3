import { handleCommand } from '#shared/kit/define-command.ts';
import { onEvent } from '#shared/kit/define-event.ts';
import { handleJob, scheduledJob } from '#shared/kit/define-job.ts';
import { categoryCreated, categoryDeleted, categoryMoved, categoryUpdated } from '../categories/contract.ts';
import { vendorClosed, vendorReinstated, vendorSuspended } from '../vendors/contract.ts';
import { findCopies } from './actions/copies.ts';
import { giveUpExport, runExportPart } from './actions/export.ts';
import { giveUpImport, runImportPart } from './actions/import.ts';
import { dropCategory, forgetCategoryPages, hearForget, hearProduct, hearReinstated, hearSuspended } from './actions/listening.ts';
import { endStalledJobs } from './actions/stalled-jobs.ts';
import { removeUnusedUploads } from './actions/uploads.ts';
import { exportJob, findVariants, invalidateCacheJob, importWork, productCreated, productDeleted, productUpdated } from './contract.ts';

const HOUR = 3_600_000;

export const handlers = [
  handleCommand(findVariants, findCopies),
  onEvent(productCreated, hearProduct, { idempotent: true }),
  onEvent(productUpdated, hearProduct, { idempotent: true }),
  onEvent(productDeleted, hearProduct, { idempotent: true }),
  onEvent(categoryCreated, forgetCategoryPages, { idempotent: true }),
  onEvent(categoryUpdated, forgetCategoryPages, { idempotent: true }),
  onEvent(categoryMoved, forgetCategoryPages, { idempotent: true }),
  onEvent(categoryDeleted, dropCategory),
  onEvent(vendorSuspended, hearSuspended),
  onEvent(vendorReinstated, hearReinstated),
  onEvent(vendorClosed, hearSuspended),
  // Each part says itself whether it is due, and the first one is many transactions.
  onEvent(importWork, runImportPart, { idempotent: true, onGivenUp: giveUpImport }),
  handleJob(exportJob, runExportPart, { onGivenUp: giveUpExport }),
  handleJob(invalidateCacheJob, hearForget, { idempotent: true }),
  scheduledJob('remove-unused-uploads', { every: HOUR }, removeUnusedUploads),
  scheduledJob('end-stalled-jobs', { every: HOUR }, endStalledJobs),
];

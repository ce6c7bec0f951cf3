import { answer } from '#shared/kit/define-command.ts';
import { on } from '#shared/kit/define-event.ts';
import { job } from '#shared/kit/define-job.ts';
import { categoryCreated, categoryDeleted, categoryMoved, categoryUpdated } from '../categories/contract.ts';
import { vendorClosed, vendorReinstated, vendorSuspended } from '../vendors/contract.ts';
import { findCopies } from './actions/copies.ts';
import { giveUpExport, runExportPart } from './actions/export.ts';
import { giveUpImport, runImportPart } from './actions/import.ts';
import { dropCategory, forgetCategoryPages, hearForget, hearProduct, hearReinstated, hearSuspended } from './actions/listening.ts';
import { endStalledJobs } from './actions/stalled-jobs.ts';
import { removeUnusedUploads } from './actions/uploads.ts';
import { exportWork, findVariants, forgetWork, importWork, productCreated, productDeleted, productUpdated } from './contract.ts';

const HOUR = 3_600_000;

export const handlers = [
  answer(findVariants, findCopies),
  on(productCreated, hearProduct, { repeatable: true }),
  on(productUpdated, hearProduct, { repeatable: true }),
  on(productDeleted, hearProduct, { repeatable: true }),
  on(categoryCreated, forgetCategoryPages, { repeatable: true }),
  on(categoryUpdated, forgetCategoryPages, { repeatable: true }),
  on(categoryMoved, forgetCategoryPages, { repeatable: true }),
  on(categoryDeleted, dropCategory),
  on(vendorSuspended, hearSuspended),
  on(vendorReinstated, hearReinstated),
  on(vendorClosed, hearSuspended),
  // Each part says itself whether it is due, and the first one is many transactions.
  on(importWork, runImportPart, { repeatable: true, onGivenUp: giveUpImport }),
  on(exportWork, runExportPart, { onGivenUp: giveUpExport }),
  on(forgetWork, hearForget, { repeatable: true }),
  job('remove-unused-uploads', { every: HOUR }, removeUnusedUploads),
  job('end-stalled-jobs', { every: HOUR }, endStalledJobs),
];

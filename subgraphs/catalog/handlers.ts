import { handleCommand } from '#shared/kit/define-command.ts';
import { onEvent } from '#shared/kit/define-event.ts';
import { handleJob, scheduledJob } from '#shared/kit/define-job.ts';
import { categoryCreated, categoryDeleted, categoryMoved, categoryUpdated } from '../categories/contract.ts';
import { vendorClosed, vendorReinstated, vendorSuspended } from '../vendors/contract.ts';
import { findSnapshots } from './actions/snapshots.ts';
import { removeExport, runExport } from './actions/export.ts';
import { giveUpImport, runImport } from './actions/import.ts';
import {
  dropCategory,
  invalidateCategoryPages,
  runCacheInvalidation,
  invalidateProduct,
  reinstateVendor,
  suspendVendor,
} from './actions/listening.ts';
import { removeUnusedUploads } from './actions/uploads.ts';
import {
  exportJob,
  findVariants,
  importJob,
  invalidateCacheJob,
  productCreated,
  productDeleted,
  productUpdated,
  removeExportJob,
} from './contract.ts';

const HOUR = 3_600_000;

export const handlers = [
  handleCommand(findVariants, findSnapshots),
  onEvent(productCreated, invalidateProduct, { idempotent: true }),
  onEvent(productUpdated, invalidateProduct, { idempotent: true }),
  onEvent(productDeleted, invalidateProduct, { idempotent: true }),
  onEvent(categoryCreated, invalidateCategoryPages, { idempotent: true }),
  onEvent(categoryUpdated, invalidateCategoryPages, { idempotent: true }),
  onEvent(categoryMoved, invalidateCategoryPages, { idempotent: true }),
  onEvent(categoryDeleted, dropCategory),
  onEvent(vendorSuspended, suspendVendor),
  onEvent(vendorReinstated, reinstateVendor),
  onEvent(vendorClosed, suspendVendor),
  handleJob(importJob, runImport, { idempotent: true, onGivenUp: giveUpImport }),
  handleJob(exportJob, runExport, { idempotent: true }),
  handleJob(removeExportJob, removeExport, { idempotent: true }),
  handleJob(invalidateCacheJob, runCacheInvalidation, { idempotent: true }),
  scheduledJob('remove-unused-uploads', { every: HOUR }, removeUnusedUploads),
];

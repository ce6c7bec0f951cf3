import { handleCommand } from '#shared/kit/define-command.ts';
import { onEvent } from '#shared/kit/define-event.ts';
import { handleJob, scheduledJob } from '#shared/kit/define-job.ts';
import { userDeleted } from '../accounts/contract.ts';
import { listUnfinishedVendorOrders } from './actions/lists.ts';
import { forgetUser, removeLateCarts, returnStock } from './actions/people.ts';
import { findUnfinishedParts, stockReturnJob } from './contract.ts';

const HOUR_MS = 3_600_000;

export const handlers = [
  handleCommand(findUnfinishedParts, listUnfinishedVendorOrders),
  onEvent(userDeleted, forgetUser),
  handleJob(stockReturnJob, returnStock),
  scheduledJob('remove-late-carts', { every: HOUR_MS }, removeLateCarts),
];

import { answer } from '#shared/kit/define-command.ts';
import { on } from '#shared/kit/define-event.ts';
import { job } from '#shared/kit/define-job.ts';
import { userDeleted } from '../accounts/contract.ts';
import { listUnfinishedParts } from './actions/lists.ts';
import { forgetUser, removeLateCarts, returnStock } from './actions/people.ts';
import { findUnfinishedParts, stockReturnWork } from './contract.ts';

const HOUR_MS = 3_600_000;

export const handlers = [
  answer(findUnfinishedParts, listUnfinishedParts),
  on(userDeleted, forgetUser),
  on(stockReturnWork, returnStock),
  job('remove-late-carts', { every: HOUR_MS }, removeLateCarts),
];

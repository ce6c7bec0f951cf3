import { handleCommand } from '#shared/kit/define-command.ts';
import { onEvent } from '#shared/kit/define-event.ts';
import { scheduledJob } from '#shared/kit/define-job.ts';
import { userDeleted } from '../accounts/contract.ts';
import { listMemberships, listVendors } from './actions/answers.ts';
import { removeDroppedDocuments } from './actions/documents.ts';
import { forgetUser } from './actions/forget-user.ts';
import { findMemberships, findVendors } from './contract.ts';

const HOUR_MS = 60 * 60_000;

export const handlers = [
  handleCommand(findMemberships, listMemberships),
  handleCommand(findVendors, listVendors),
  onEvent(userDeleted, forgetUser),
  scheduledJob('remove-dropped-documents', { every: HOUR_MS }, removeDroppedDocuments),
];

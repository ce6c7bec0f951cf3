import { answer } from '#shared/kit/define-command.ts';
import { on } from '#shared/kit/define-event.ts';
import { job } from '#shared/kit/define-job.ts';
import { userDeleted } from '../accounts/contract.ts';
import { listMemberships, listVendors } from './actions/answers.ts';
import { removeDroppedDocuments } from './actions/documents.ts';
import { forgetUser } from './actions/forget-user.ts';
import { findMemberships, findVendors } from './contract.ts';

const HOUR_MS = 60 * 60_000;

export const handlers = [
  answer(findMemberships, listMemberships),
  answer(findVendors, listVendors),
  on(userDeleted, forgetUser),
  job('remove-dropped-documents', { every: HOUR_MS }, removeDroppedDocuments),
];

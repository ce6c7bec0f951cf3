import { answer } from '#shared/kit/define-command.ts';
import { on } from '#shared/kit/define-event.ts';
import { job } from '#shared/kit/define-job.ts';
import { vendorApproved, vendorMemberAdded, vendorMemberRemoved } from '../vendors/contract.ts';
import { copyAddress } from './actions/addresses.ts';
import { findCopies } from './actions/copies.ts';
import { sendMail } from './actions/mail.ts';
import { answerMailAsked } from './actions/register.ts';
import { announceRevokedSessions } from './actions/sessions.ts';
import { dismissMember, welcomeMember, welcomeOwner } from './actions/vendors.ts';
import { accountMailAsked, emailWork, findAccounts, findAddress } from './contract.ts';

const ANNOUNCE_MS = 15_000;

export const handlers = [
  on(accountMailAsked, answerMailAsked),
  on(emailWork, sendMail),
  on(vendorApproved, welcomeOwner),
  on(vendorMemberAdded, welcomeMember),
  on(vendorMemberRemoved, dismissMember),
  answer(findAccounts, findCopies),
  answer(findAddress, copyAddress),
  job('announce-revoked-sessions', { every: ANNOUNCE_MS }, announceRevokedSessions),
];

import { handleCommand } from '#shared/kit/define-command.ts';
import { onEvent } from '#shared/kit/define-event.ts';
import { handleJob, scheduledJob } from '#shared/kit/define-job.ts';
import { sendMessageJob } from '#shared/kit/send-message.ts';
import { vendorApproved, vendorMemberAdded, vendorMemberRemoved } from '../vendors/contract.ts';
import { snapshotAddress } from './actions/addresses.ts';
import { findSnapshots } from './actions/snapshots.ts';
import { sendMail } from './actions/mail.ts';
import { answerMailAsked } from './actions/register.ts';
import { announceRevokedSessions } from './actions/sessions.ts';
import { dismissMember, welcomeMember, welcomeOwner } from './actions/vendors.ts';
import { accountMailAsked, findAccounts, findAddress } from './contract.ts';

const ANNOUNCE_MS = 15_000;

export const handlers = [
  onEvent(accountMailAsked, answerMailAsked),
  handleJob(sendMessageJob, sendMail),
  onEvent(vendorApproved, welcomeOwner),
  onEvent(vendorMemberAdded, welcomeMember),
  onEvent(vendorMemberRemoved, dismissMember),
  handleCommand(findAccounts, findSnapshots),
  handleCommand(findAddress, snapshotAddress),
  scheduledJob('announce-revoked-sessions', { every: ANNOUNCE_MS }, announceRevokedSessions),
];

import { z } from 'zod';
import { defineSettings, setting } from '#shared/kit/define-settings.ts';

/** The longest life of an access token that can be set: what is remembered about ended sessions must outlive every token. */
export const MAX_ACCESS_TOKEN_MINUTES = 60;

const minutes = z
  .int()
  .min(1)
  .max(7 * 24 * 60);
const count = z.int().min(1).max(1_000_000);

export const settings = defineSettings('accounts', {
  accessTokenMinutes: setting(z.int().min(5).max(MAX_ACCESS_TOKEN_MINUTES), {
    default: 15,
    variable: 'ACCESS_TOKEN_MINUTES',
    description: 'Minutes for which an access token is valid.',
  }),
  refreshTokenHours: setting(
    z
      .int()
      .min(1)
      .max(90 * 24),
    {
      default: 7 * 24,
      variable: 'REFRESH_TOKEN_HOURS',
      description: 'Hours for which a session lives without being used; sessions that have begun keep theirs.',
    },
  ),
  refreshGraceSeconds: setting(z.int().min(0).max(60), {
    default: 10,
    variable: 'REFRESH_GRACE_SECONDS',
    description: 'Seconds for which a used refresh token returns the same successor again; 0 ends the session at once.',
  }),
  verificationMinutes: setting(minutes, {
    default: 24 * 60,
    description: 'Minutes for which a link that confirms an e-mail address is valid.',
  }),
  passwordResetMinutes: setting(minutes, { default: 60, description: 'Minutes for which a link to a new password is valid.' }),
  emailChangeMinutes: setting(minutes, { default: 60, description: 'Minutes for which a link to another e-mail address is valid.' }),
  deletionMinutes: setting(minutes, { default: 60, description: 'Minutes for which a link that deletes an account is valid.' }),
  mfaMinutes: setting(z.int().min(1).max(60), { default: 5, description: 'Minutes to enter the second factor after the password.' }),
  failedAttempts: setting(count, {
    default: 10,
    description:
      'Failed attempts of one account in 15 minutes, whatever they were made at: password, code, token. Known devices have as many of their own.',
  }),
  failedAttemptsPerIp: setting(z.int().min(10).max(1_000_000), {
    default: 200,
    variable: 'FAILED_ATTEMPTS_PER_IP',
    formerVariable: 'GUESSES_PER_IP',
    description: 'Failed attempts of one network address in 15 minutes; five times that at accounts without failed ones.',
  }),
  registrationsPerIp: setting(count, {
    default: 500,
    variable: 'REGISTRATIONS_PER_IP',
    description: 'New accounts from one network address in an hour.',
  }),
  mailsPerAddress: setting(count, { default: 5, description: 'Mails of one purpose to one address in an hour.' }),
  mailsPerAsker: setting(count, { default: 3, description: 'Such mails on behalf of one network address.' }),
  addresses: setting(z.int().min(1).max(500), { default: 50, description: 'Addresses that an account keeps.' }),
});

import { z } from 'zod';
import { defineTemplates, template } from '#shared/templates/define-templates.ts';

/*
 * Hardly any param is shown: what somebody typed would reach a stranger's mailbox under our name.
 */

const notice = () => template({ channels: ['EMAIL'], params: z.object({}), sample: {} });
const withLink = () => template({ channels: ['EMAIL'], params: z.object({}), secrets: ['token'], sample: {} });

export const messages = defineTemplates('accounts', import.meta.dirname, {
  'verify-email': withLink(),
  'already-registered': withLink(),
  'address-in-use': notice(),
  'reset-password': withLink(),
  'password-changed': notice(),
  'email-change': withLink(),
  'email-change-asked': notice(),
  'email-changed': notice(),
  'delete-account': withLink(),
  'account-deleted': notice(),
  'mfa-enabled': notice(),
  'mfa-disabled': notice(),
  'google-linked': notice(),
});

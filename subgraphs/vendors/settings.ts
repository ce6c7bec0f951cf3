import { z } from 'zod';
import { defineSettings, setting } from '#shared/kit/define-settings.ts';

const count = z.int().min(1).max(10_000);

export const settings = defineSettings('vendors', {
  members: setting(count, { default: 500, per: 'vendor', description: 'Members of one store.' }),
  openInvitations: setting(count, { default: 50, per: 'vendor', description: 'Invitations of one store that wait for an answer.' }),
  dailyInvitations: setting(count, { default: 100, per: 'vendor', description: 'Invitations of one store in 24 hours.' }),
  invitationDays: setting(z.int().min(1).max(90), { default: 7, description: 'Days for which an invitation can be accepted.' }),
  applicationDocuments: setting(count, { default: 30, description: 'Documents of one application.' }),
});

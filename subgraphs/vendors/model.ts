import type { Connection } from 'mongoose';
import { applicationSchema, checklistSchema, documentSchema } from './model/application.ts';
import { invitationSchema, memberSchema, vendorSchema } from './model/vendor.ts';

export const models = (db: Connection) => ({
  Vendor: db.model('Vendor', vendorSchema),
  Member: db.model('Member', memberSchema),
  Invitation: db.model('Invitation', invitationSchema),
  Application: db.model('Application', applicationSchema),
  ApplicationDocument: db.model('ApplicationDocument', documentSchema),
  ChecklistItem: db.model('ChecklistItem', checklistSchema),
});

export type Models = ReturnType<typeof models>;

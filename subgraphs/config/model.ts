import { Schema, type Connection, type InferRawDocTypeFromSchema } from 'mongoose';
import { newId } from '#shared/base/ids.ts';
import { appendOnly } from '#shared/store/append-only.ts';
import { SETTING_CIPHERTEXT } from '#shared/settings/setting-value.ts';
import { retain } from '#shared/store/retention.ts';

/** What the code of the owner says. Rows whose code is gone stay, with their values. */
const definition = {
  /** `<owner>.<key>` */
  _id: { type: String, required: true },
  owner: { type: String, required: true },
  description: { type: String, required: true },
  /** Kinds of scopes, most specific first. */
  per: { type: [String], required: true },
  /** Kinds of scopes that have, or had, a value: all others need not be read. */
  overridden: { type: [String], required: true },
  /** Counts the changes in all scopes. */
  revision: { type: Number, required: true, default: 0 },
  /** False when the newest build of the owner does not define it any more. */
  isRegistered: { type: Boolean, required: true },
  registeredAt: { type: Date, required: true },
};

const settingSchema = new Schema(
  {
    ...definition,
    /** JSON Schema, as text. */
    valueSchema: { type: String, required: true },
    /** JSON text; null where there is none, or where it is a secret. */
    default: { type: String, default: null },
    isEncrypted: { type: Boolean, required: true },
  },
  { versionKey: false },
);
retain(settingSchema, { few: 'the code defines them' });

const flagSchema = new Schema(
  {
    ...definition,
    default: { type: Boolean, required: true },
    isPublic: { type: Boolean, required: true },
    /** The last change of its rules or overrides; at first, when it was registered. */
    changedAt: { type: Date, required: true },
    evaluatedAt: { type: Date, default: null },
  },
  { versionKey: false },
);
retain(flagSchema, { few: 'the code defines them' });

const segmentSchema = new Schema(
  {
    /** Its key. */
    _id: { type: String, required: true },
    description: { type: String, required: true },
    /** JSON text. */
    conditions: { type: String, required: true },
    version: { type: Number, required: true },
    updatedAt: { type: Date, required: true },
    updatedBy: { type: String, required: true },
  },
  { versionKey: false },
);
retain(segmentSchema, { few: 'admins make them by hand, at most 500' });

/** The value of a setting, the rules of a flag, or a decision about a flag, in one scope. */
const valueSchema = new Schema(
  {
    /** `<id> <scope>` */
    _id: { type: String, required: true },
    of: { type: String, required: true },
    scope: { type: String, required: true },
    /** JSON text, or its ciphertext; null after a reset, so that versions go on. */
    text: { type: String, default: null, ...SETTING_CIPHERTEXT },
    version: { type: Number, required: true },
    updatedAt: { type: Date, required: true },
    updatedBy: { type: String, required: true },
  },
  { versionKey: false },
);
valueSchema.index({ scope: 1 }); // readSettings
valueSchema.index({ of: 1, _id: 1 }); // Setting.overrides, FeatureFlag.overrides
retain(valueSchema, { forEver: 'what is in force; one row for each scope of a setting or flag that an admin decided about' });

const changeSchema = new Schema(
  {
    _id: { type: String, default: () => newId('chg') },
    of: { type: String, required: true },
    scope: { type: String, required: true },
    version: { type: Number, required: true },
    before: { type: String, default: null, ...SETTING_CIPHERTEXT },
    after: { type: String, default: null, ...SETTING_CIPHERTEXT },
    reason: { type: String, required: true },
    by: { type: String, required: true },
    at: { type: Date, required: true },
  },
  { versionKey: false },
);
changeSchema.index({ of: 1, _id: -1 }); // Setting.history, FeatureFlag.history, Segment.history
changeSchema.index({ of: 1, scope: 1, version: 1 }, { unique: true }); // rollbackSetting, rollbackFlag
changeSchema.plugin(appendOnly);
retain(changeSchema, { forEver: 'admins change values by hand, and who changed what and why is asked years later' });

/** The newest build that each subgraph was seen with. */
const registrationSchema = new Schema(
  {
    /** The owner. */
    _id: { type: String, required: true },
    build: { type: Number, required: true },
    /** Of the definitions: equal ones are not written again. */
    digest: { type: String, required: true },
    seenAt: { type: Date, required: true },
  },
  { versionKey: false },
);
retain(registrationSchema, { few: 'one row for each subgraph' });

/** One row that every change of prerequisites and segments writes, so that two of them cannot pass each other and close a cycle. */
const ruleGraphSchema = new Schema(
  { _id: { type: String, required: true }, revision: { type: Number, required: true, default: 0 } },
  { versionKey: false },
);
retain(ruleGraphSchema, { few: 'one row' });

export type Setting = InferRawDocTypeFromSchema<typeof settingSchema>;
export type Flag = InferRawDocTypeFromSchema<typeof flagSchema>;
export type Segment = InferRawDocTypeFromSchema<typeof segmentSchema>;
export type Value = InferRawDocTypeFromSchema<typeof valueSchema>;
export type Change = InferRawDocTypeFromSchema<typeof changeSchema>;

export const models = (db: Connection) => ({
  Setting: db.model('Setting', settingSchema),
  Flag: db.model('Flag', flagSchema),
  Segment: db.model('Segment', segmentSchema),
  Value: db.model('Value', valueSchema),
  Change: db.model('Change', changeSchema),
  Registration: db.model('Registration', registrationSchema),
  RuleGraph: db.model('RuleGraph', ruleGraphSchema),
});

export type Models = ReturnType<typeof models>;

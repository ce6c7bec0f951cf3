import { Schema, type Connection, type InferRawDocTypeFromSchema } from 'mongoose';
import { retain } from '#shared/store/retention.ts';

const KEPT_SECONDS = 30 * 24 * 3_600;

const jobAlertSchema = new Schema(
  {
    /** Subgraph and job. */
    _id: { type: String },
    subgraph: { type: String, required: true },
    job: { type: String, required: true },
    count: { type: Number, required: true, default: 0 },
    lastCode: { type: String, required: true },
    lastRunId: { type: String, required: true },
    lastFailedAt: { type: Date, required: true },
    mailedAt: { type: Date, default: null },
  },
  { versionKey: false },
);
retain(jobAlertSchema, { after: 'lastFailedAt', seconds: KEPT_SECONDS }); // Its index also serves Query.jobAlerts.

export type JobAlert = InferRawDocTypeFromSchema<typeof jobAlertSchema>;

export const models = (db: Connection) => ({ JobAlert: db.model('JobAlert', jobAlertSchema) });

export type Models = ReturnType<typeof models>;

import { Schema, type InferSchemaType } from 'mongoose';
import { newId } from '#shared/base/ids.ts';
import { retain } from '#shared/store/retention.ts';
import { APPLICATION_STATUSES } from '../machine.ts';
import { addressSchema } from './address.ts';

export const ACTOR_ROLES = ['APPLICANT', 'ADMIN', 'SYSTEM'] as const;
export type ActorRole = (typeof ACTOR_ROLES)[number];

const stepSchema = new Schema(
  {
    at: { type: Date, required: true },
    status: { type: String, enum: APPLICATION_STATUSES, required: true },
    reason: { type: String, default: null },
    actorRole: { type: String, enum: ACTOR_ROLES, required: true },
    actorId: { type: String, default: null },
  },
  { _id: false },
);

export const applicationSchema = new Schema(
  {
    _id: { type: String, default: () => newId('vap') },
    applicantId: { type: String, required: true },
    status: { type: String, enum: APPLICATION_STATUSES, required: true, default: 'DRAFT' },
    /** The applicant until the status is final, unset afterwards. Unique: one open application a person. */
    openKey: { type: String },
    storeName: { type: String, required: true },
    slug: { type: String, default: null },
    description: { type: String, default: null },
    businessName: { type: String, default: null },
    taxNumber: { type: String, default: null },
    contactEmail: { type: String, default: null },
    contactPhone: { type: String, default: null },
    address: { type: addressSchema, default: null },
    currency: { type: String, default: null },
    timeZone: { type: String, default: null },
    confirmedItems: { type: [String], required: true, default: [] },
    /** Ids of the checklist's items at the last submission; null before the first. */
    demandedItems: { type: [String], default: null },
    timeline: { type: [stepSchema], required: true },
    reviewComment: { type: String, default: null },
    submittedAt: { type: Date, default: null },
    vendorId: { type: String, default: null },
    version: { type: Number, required: true, default: 1 },
  },
  { timestamps: true, versionKey: false },
);

applicationSchema.index({ openKey: 1 }, { unique: true, partialFilterExpression: { openKey: { $type: 'string' } } }); // applyAsVendor
applicationSchema.index({ applicantId: 1, createdAt: 1, _id: 1 }); // Query.myVendorApplication, Query.vendorApplications of an applicant
applicationSchema.index({ status: 1, createdAt: 1, _id: 1 }); // Query.vendorApplications: the review queue
applicationSchema.index({ createdAt: 1, _id: 1 }); // Query.vendorApplications of all
applicationSchema.index({ storeName: 1, _id: 1 }); // the same by STORE_NAME, or its beginning
applicationSchema.index({ status: 1, storeName: 1, _id: 1 }); // the review queue by STORE_NAME
retain(applicationSchema, { forEver: 'why a store was admitted or refused stays on record' });

export type Application = InferSchemaType<typeof applicationSchema>;

const DOCUMENT_STATES = ['AWAITED', 'ATTACHED', 'DROPPED'] as const;

/** A file of an application, from the address it is sent to until it is deleted. */
export const documentSchema = new Schema(
  {
    _id: { type: String, default: () => newId('doc') },
    applicationId: { type: String, required: true },
    state: { type: String, enum: DOCUMENT_STATES, required: true, default: 'AWAITED' },
    checklistKey: { type: String, default: null },
    fileName: { type: String, required: true },
    contentType: { type: String, required: true },
    size: { type: Number, required: true },
    /** Where the file port keeps it. */
    fileKey: { type: String, required: true },
    uploadedAt: { type: Date, default: null },
    /** From when on the file may be deleted; null while it is attached. */
    removeAfter: { type: Date, default: null },
  },
  { timestamps: true, versionKey: false },
);

documentSchema.index({ applicationId: 1, state: 1, uploadedAt: 1 }); // VendorApplication.documents
documentSchema.index({ removeAfter: 1 }); // remove-dropped-documents
retain(documentSchema, { job: 'remove-dropped-documents', rest: 'an attached one lives with its application' });

export type ApplicationDocument = InferSchemaType<typeof documentSchema>;

export const checklistSchema = new Schema(
  {
    _id: { type: String, default: () => newId('vcl') },
    key: { type: String, required: true, immutable: true },
    label: { type: String, required: true },
    description: { type: String, default: null },
    documentRequired: { type: Boolean, required: true },
    isActive: { type: Boolean, required: true },
    order: { type: Number, required: true },
    version: { type: Number, required: true, default: 1 },
  },
  { timestamps: true, versionKey: false },
);

checklistSchema.index({ key: 1 }, { unique: true }); // addApplicationDocument
checklistSchema.index({ order: 1, _id: 1 }); // Query.vendorChecklist
retain(checklistSchema, { few: 'admins make them, by hand' });

export type ChecklistItem = InferSchemaType<typeof checklistSchema>;

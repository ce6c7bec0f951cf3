import { Schema, type InferSchemaType } from 'mongoose';
import { newId } from '#shared/base/ids.ts';
import { retain } from '#shared/store/retention.ts';
import { VENDOR_STATES } from '../contract.ts';
import { DAYS } from '../opening-hours.ts';
import { VENDOR_ROLES } from '../roles.ts';
import { addressSchema } from './address.ts';

const contactSchema = new Schema({ email: { type: String, default: null }, phone: { type: String, default: null } }, { _id: false });

const intervalSchema = new Schema(
  { day: { type: String, enum: DAYS, required: true }, opens: { type: String, required: true }, closes: { type: String, required: true } },
  { _id: false },
);

const closureSchema = new Schema(
  { from: { type: String, required: true }, to: { type: String, required: true }, note: { type: String, default: null } },
  { _id: false },
);

const stateEntrySchema = new Schema(
  {
    at: { type: Date, required: true },
    state: { type: String, enum: VENDOR_STATES, required: true },
    reason: { type: String, default: null },
    actorId: { type: String, default: null },
  },
  { _id: false },
);

export const vendorSchema = new Schema(
  {
    _id: { type: String, default: () => newId('ven') },
    name: { type: String, required: true },
    /** What the name might be taken for; unique one by one, so that no two stores look the same. */
    nameKeys: { type: [String], required: true },
    /** What the name is found and sorted by. */
    searchName: { type: String, required: true },
    slug: { type: String, required: true },
    description: { type: String, default: null },
    logo: { type: String, default: null },
    banner: { type: String, default: null },
    contactEmail: { type: String, default: null },
    contactPhone: { type: String, default: null },
    address: { type: addressSchema, default: null },
    currency: { type: String, required: true, immutable: true },
    timeZone: { type: String, required: true },
    openingHours: { type: [intervalSchema], required: true, default: [] },
    closures: { type: [closureSchema], required: true, default: [] },
    state: { type: String, enum: VENDOR_STATES, required: true, default: 'ACTIVE' },
    stateReason: { type: String, default: null },
    timeline: { type: [stateEntrySchema], required: true, default: [] },
    ownerContact: { type: contactSchema, default: null },
    applicationId: { type: String, required: true },
    /** How many members are owners: the condition of every update that takes one away, so that two who leave at once cannot both pass. */
    ownerCount: { type: Number, required: true },
    memberCount: { type: Number, required: true },
    version: { type: Number, required: true, default: 1 },
  },
  { timestamps: true, versionKey: false },
);

vendorSchema.index({ slug: 1 }, { unique: true }); // Query.vendorBySlug
vendorSchema.index({ nameKeys: 1 }, { unique: true }); // refuses a name that looks like another's
vendorSchema.index({ state: 1, searchName: 1, _id: 1 }); // Query.vendors
vendorSchema.index({ state: 1, createdAt: 1, _id: 1 }); // Query.vendors, sorted by CREATED_AT
retain(vendorSchema, { forEver: 'orders and products name it' });

export type Vendor = InferSchemaType<typeof vendorSchema>;

export const memberSchema = new Schema(
  {
    _id: { type: String, default: () => newId('vmb') },
    vendorId: { type: String, required: true },
    userId: { type: String, required: true },
    role: { type: String, enum: VENDOR_ROLES, required: true },
    joinedAt: { type: Date, required: true },
  },
  { timestamps: true, versionKey: false },
);

memberSchema.index({ vendorId: 1, userId: 1 }, { unique: true }); // one place a person and store
memberSchema.index({ userId: 1, vendorId: 1, role: 1 }); // findMemberships, answered by the index alone
memberSchema.index({ vendorId: 1, joinedAt: 1, _id: 1 }); // Query.vendorMembers
retain(memberSchema, { forEver: 'a place ends when the member leaves or is removed' });

export type Member = InferSchemaType<typeof memberSchema>;

const INVITATION_STATUSES = ['PENDING', 'ACCEPTED', 'REVOKED'] as const;

export const invitationSchema = new Schema(
  {
    _id: { type: String, default: () => newId('vin') },
    vendorId: { type: String, required: true },
    email: { type: String, required: true },
    role: { type: String, enum: VENDOR_ROLES, required: true },
    /** SHA-256: whoever reads the store cannot accept. */
    tokenHash: { type: String, required: true },
    status: { type: String, enum: INVITATION_STATUSES, required: true, default: 'PENDING' },
    /** Store and address while the invitation is pending, unset afterwards. Unique: one open invitation an address. */
    openKey: { type: String },
    invitedBy: { type: String, required: true },
    expiresAt: { type: Date, required: true },
  },
  { timestamps: true, versionKey: false },
);

/** Addresses of people who never joined are not kept for ever. */
const KEPT_AFTER_EXPIRY_SECONDS = 90 * 24 * 60 * 60;

invitationSchema.index({ tokenHash: 1 }, { unique: true }); // acceptVendorInvitation
invitationSchema.index({ openKey: 1 }, { unique: true, partialFilterExpression: { openKey: { $type: 'string' } } }); // inviteVendorMember
invitationSchema.index({ vendorId: 1, email: 1 }); // inviteVendorMember: what a newer one replaces
invitationSchema.index({ email: 1, createdAt: 1 }); // inviteVendorMember: e-mails to one address
invitationSchema.index({ vendorId: 1, createdAt: 1, _id: 1 }); // Query.vendorInvitations
retain(invitationSchema, { after: 'expiresAt', seconds: KEPT_AFTER_EXPIRY_SECONDS });

export type Invitation = InferSchemaType<typeof invitationSchema>;

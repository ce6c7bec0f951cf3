import { Schema, type Connection, type InferSchemaType } from 'mongoose';
import { newId } from '#shared/base/ids.ts';
import { encrypted } from '#shared/store/encrypted.ts';
import { retain } from '#shared/store/retention.ts';
import { unnamedSecret } from './providers/cipher.ts';
import { ROLES } from './roles.ts';

const TOKEN_PURPOSES = ['VERIFY_EMAIL', 'RESET_PASSWORD', 'CHANGE_EMAIL', 'DELETE_ACCOUNT', 'MFA_CHALLENGE'] as const;
export type TokenPurpose = (typeof TOKEN_PURPOSES)[number];

const KEPT_MAIL_SECONDS = 7 * 24 * 3_600;

const addressSchema = new Schema(
  {
    _id: { type: String, required: true },
    label: { type: String, default: null },
    recipient: { type: String, required: true },
    phone: { type: String, required: true },
    line1: { type: String, required: true },
    line2: { type: String, default: null },
    city: { type: String, required: true },
    region: { type: String, default: null },
    postalCode: { type: String, default: null },
    country: { type: String, required: true },
    location: { type: new Schema({ longitude: Number, latitude: Number }, { _id: false }), default: null },
  },
  { versionKey: false },
);

const MFA_SECRET = { purpose: 'accounts-vault', unnamedSecret };

const mfaSchema = new Schema(
  {
    /** Null until a first code has shown that the authenticator has it. */
    secret: encrypted(MFA_SECRET),
    pendingSecret: encrypted(MFA_SECRET),
    enabledAt: { type: Date, default: null },
    /** The latest time step a code was accepted for: none at or before it is accepted again. */
    lastStep: { type: Number, default: -1 },
    /** Hashes of those that are left. */
    recoveryCodes: { type: [String], default: [] },
  },
  { _id: false },
);

const userSchema = new Schema(
  {
    _id: { type: String, default: () => newId('usr') },
    email: { type: String, required: true },
    verified: { type: Boolean, default: false },
    name: { type: String, required: true },
    /** What the name is found and sorted by. */
    searchName: { type: String, required: true },
    phone: { type: String, default: null },
    locale: { type: String, default: null },
    profile: { type: [new Schema({ key: String, value: String }, { _id: false })], default: [] },
    /** A PHC string of Argon2id, or a bcrypt hash that waits for its owner's next sign-in; null for who signs in elsewhere only. */
    passwordHash: { type: String, default: null },
    googleSubject: { type: String, default: null },
    mfa: { type: mfaSchema, default: () => ({}) },
    roles: { type: [String], enum: ROLES, required: true },
    scopes: { type: [String], default: [] },
    isActive: { type: Boolean, default: true },
    deactivationReason: { type: String, default: null },
    addresses: { type: [addressSchema], default: [] },
    defaultAddressId: { type: String, default: null },
    /** Written by each sign-in, so that one beside a deactivation, a deletion or a new password meets it. */
    lastSignInAt: { type: Date, default: null },
    version: { type: Number, default: 1 },
  },
  { timestamps: true, versionKey: false },
);

userSchema.index({ email: 1 }, { unique: true }); // login
userSchema.index({ googleSubject: 1 }, { unique: true, partialFilterExpression: { googleSubject: { $type: 'string' } } }); // one account a person at Google
userSchema.index({ googleSubject: 1, _id: 1 }); // googleOAuth: a partial index on a type serves no query for a value
userSchema.index({ createdAt: -1, _id: -1 }); // Query.users
userSchema.index({ searchName: 1, _id: 1 }); // Query.users by name
userSchema.index({ roles: 1 }); // Query.users, the last admin
retain(userSchema, { forEver: 'an account ends when its owner or an admin deletes it' });

/** One sign-in on one device: a family of refresh tokens, of which the newest is good. */
const sessionSchema = new Schema(
  {
    _id: { type: String, default: () => newId('ses') },
    userId: { type: String, required: true },
    ip: { type: String, default: null },
    userAgent: { type: String, default: null },
    lifetimeMs: { type: Number, required: true },
    startedAt: { type: Date, required: true },
    lastUsedAt: { type: Date, required: true },
    expiresAt: { type: Date, required: true },
    revokedAt: { type: Date, default: null },
    revokedBecause: { type: String, default: null },
  },
  { versionKey: false },
);

sessionSchema.index({ userId: 1, revokedAt: 1, _id: -1 }); // Query.sessions
sessionSchema.index({ revokedAt: 1 }); // announce-revoked-sessions
retain(sessionSchema, { after: 'expiresAt', seconds: 0 });

/** By hash. Used ones stay until they expire: seeing one again gives a thief away. */
const refreshTokenSchema = new Schema(
  {
    _id: { type: String, required: true },
    sessionId: { type: String, required: true },
    usedAt: { type: Date, default: null },
    expiresAt: { type: Date, required: true },
  },
  { versionKey: false },
);

refreshTokenSchema.index({ sessionId: 1 }); // deleteAccount, endSessions
retain(refreshTokenSchema, { after: 'expiresAt', seconds: 0 });

/** What a mail (or the first step of a sign-in) hands out, by hash: for one purpose of one user, once. */
const tokenSchema = new Schema(
  {
    _id: { type: String, required: true },
    userId: { type: String, required: true },
    purpose: { type: String, enum: TOKEN_PURPOSES, required: true },
    email: { type: String, default: null },
    rememberMe: { type: Boolean, default: true },
    expiresAt: { type: Date, required: true },
  },
  { versionKey: false },
);

tokenSchema.index({ userId: 1, purpose: 1 }); // a newer one ends the older ones
retain(tokenSchema, { after: 'expiresAt', seconds: 0 });

/** Somebody on the way to Google and back, by the hash of what only the own client holds. */
const signInFlowSchema = new Schema(
  {
    _id: { type: String, required: true },
    nonce: { type: String, required: true },
    codeVerifier: { type: String, required: true },
    expiresAt: { type: Date, required: true },
  },
  { versionKey: false },
);

retain(signInFlowSchema, { after: 'expiresAt', seconds: 0 });

/** A mail that was kept here, because no mail server is configured. */
const keptMailSchema = new Schema(
  {
    _id: { type: String, required: true },
    to: { type: String, required: true },
    subject: { type: String, required: true },
    text: { type: String, required: true },
    html: { type: String, required: true },
    sentAt: { type: Date, required: true },
  },
  { versionKey: false },
);

keptMailSchema.index({ to: 1, sentAt: 1 }); // listKeptMails
retain(keptMailSchema, { after: 'sentAt', seconds: KEPT_MAIL_SECONDS });

export type User = InferSchemaType<typeof userSchema>;
export type Address = InferSchemaType<typeof addressSchema>;
export type Session = InferSchemaType<typeof sessionSchema>;
export type KeptMail = InferSchemaType<typeof keptMailSchema>;

export const models = (db: Connection) => ({
  User: db.model('User', userSchema),
  Session: db.model('Session', sessionSchema),
  RefreshToken: db.model('RefreshToken', refreshTokenSchema),
  Token: db.model('Token', tokenSchema),
  SignInFlow: db.model('SignInFlow', signInFlowSchema),
  KeptMail: db.model('KeptMail', keptMailSchema),
});

export type Models = ReturnType<typeof models>;

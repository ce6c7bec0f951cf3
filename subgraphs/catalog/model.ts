import { Schema, type Connection, type InferSchemaType, type Types } from 'mongoose';
import { newId } from '#shared/base/ids.ts';
import { moneySchema } from '#shared/store/money-schema.ts';
import { retain } from '#shared/store/retention.ts';
import { PRODUCT_STATES } from './machine.ts';
import { ATTRIBUTE_TYPES } from './attribute-types.ts';

export type Value = string | number | boolean | string[];

const text = { type: String, default: null };
const time = { type: Date, default: null };
const inner = { _id: false } as const;

const optionSchema = new Schema({ value: { type: String, required: true }, label: { type: String, required: true }, swatch: text }, inner);

const attributeSchema = new Schema(
  {
    _id: { type: String, default: () => newId('att') },
    /** Null: an attribute of the marketplace, for all vendors. */
    vendorId: text,
    code: { type: String, required: true },
    name: { type: String, required: true },
    type: { type: String, enum: ATTRIBUTE_TYPES, required: true },
    unit: text,
    options: { type: [optionSchema], required: true },
    filterable: { type: Boolean, required: true },
    variantAxis: { type: Boolean, required: true },
    version: { type: Number, required: true, default: 1 },
  },
  { timestamps: true, versionKey: false },
);
attributeSchema.index({ vendorId: 1, code: 1 }, { unique: true }); // Query.productAttributes, CSV columns
retain(attributeSchema, { forEver: 'products are described by it until its vendor deletes it' });

const valueSchema = new Schema(
  { attributeId: { type: String, required: true }, value: { type: Schema.Types.Mixed, required: true } },
  inner,
);
/** `text` is how the value reads, kept here so that a variant's name needs no second query. */
const axisSchema = new Schema(
  {
    attributeId: { type: String, required: true },
    value: { type: Schema.Types.Mixed, required: true },
    text: { type: String, required: true },
  },
  inner,
);
const entrySchema = new Schema({ key: { type: String, required: true }, value: { type: String, default: '' } }, inner);

const mediaSchema = new Schema({
  _id: { type: String, default: () => newId('med') },
  key: { type: String, required: true },
  contentType: { type: String, required: true },
  alt: { type: String, default: '' },
});

const variantSchema = new Schema({
  _id: { type: String, default: () => newId('var') },
  sku: { type: String, required: true },
  axes: { type: [axisSchema], required: true },
  price: { type: moneySchema, required: true },
  compareAtPrice: { type: moneySchema, default: null },
  weightGrams: { type: Number, default: null },
  barcode: text,
  mediaId: text,
  archivedAt: time,
  version: { type: Number, required: true, default: 1 },
  createdAt: { type: Date, required: true },
  updatedAt: { type: Date, required: true },
});

const productSchema = new Schema(
  {
    _id: { type: String, default: () => newId('prd') },
    vendorId: { type: String, required: true },
    /** A copy of what vendors said last: products of a suspended vendor are in no public list. */
    vendorSuspended: { type: Boolean, required: true, default: false },
    name: { type: String, required: true },
    /** The name as it is searched and sorted. */
    nameKey: { type: String, required: true },
    slug: { type: String, required: true },
    /** Unique: vendor and slug. What was deleted has only its own id here and below, so that slug and SKUs are free again. */
    slugKey: { type: String, required: true },
    /** Unique: vendor and SKU of each variant, behind the product's own id, since an empty list would be one value for all. */
    skuKeys: { type: [String], required: true },
    description: text,
    categoryIds: { type: [String], required: true },
    tags: { type: [String], required: true },
    attributes: { type: [valueSchema], required: true },
    axisIds: { type: [String], required: true },
    variants: { type: [variantSchema], required: true },
    media: { type: [mediaSchema], required: true },
    metadata: { type: [entrySchema], required: true },
    privateMetadata: { type: [entrySchema], required: true },
    /** Values of the product and of its living variants, one entry each: what filters look at. */
    facets: { type: [valueSchema], required: true },
    /** Of the living variants; null without one. */
    lowestPrice: { type: moneySchema, default: null },
    highestPrice: { type: moneySchema, default: null },
    state: { type: String, enum: PRODUCT_STATES, required: true, default: 'DRAFT' },
    publishAt: time,
    unpublishAt: time,
    version: { type: Number, required: true, default: 1 },
    deletedAt: time,
    createdAt: { type: Date, required: true },
    updatedAt: { type: Date, required: true },
  },
  { versionKey: false },
);
productSchema.index({ slugKey: 1 }, { unique: true }); // Query.productBySlug, SLUG_TAKEN
productSchema.index({ skuKeys: 1 }, { unique: true }); // SKU_TAKEN
productSchema.index({ 'variants._id': 1 }); // Query.variant, findVariants
productSchema.index({ state: 1, createdAt: -1, _id: -1 }); // Query.products, newest first
productSchema.index({ state: 1, 'lowestPrice.amount': 1, _id: 1 }); // Query.products, by price
productSchema.index({ state: 1, nameKey: 1, _id: 1 }); // Query.products, by name or its beginning
productSchema.index({ categoryIds: 1, createdAt: -1, _id: -1 }); // Category.products
productSchema.index({ vendorId: 1, createdAt: -1, _id: -1 }); // Vendor.products
productSchema.index({ vendorId: 1, _id: 1 }); // startProductExport
productSchema.index({ 'facets.attributeId': 1, 'facets.value': 1 }); // ProductWhere.attributes
productSchema.index({ tags: 1 }); // ProductWhere.tags
retain(productSchema, { forEver: 'orders name it, also after it was deleted' });

/** What vendors said last about one vendor; an older word that arrives late changes nothing. */
const vendorSchema = new Schema(
  { _id: { type: String }, suspended: { type: Boolean, required: true }, at: { type: Date, required: true } },
  { versionKey: false },
);
retain(vendorSchema, { forEver: 'one row for each vendor' });

/** A file that may be handed in, and whether it was put to use. */
const uploadSchema = new Schema(
  {
    _id: { type: String, default: () => newId('upl') },
    vendorId: { type: String, required: true },
    purpose: { type: String, enum: ['MEDIA', 'IMPORT'], required: true },
    key: { type: String, required: true },
    contentType: { type: String, required: true },
    size: { type: Number, required: true, default: 0 },
    expiresAt: { type: Date, required: true },
    /** The product or import that took it; what was looked at then does not change any more. */
    usedBy: text,
  },
  { timestamps: true, versionKey: false },
);

uploadSchema.index({ usedBy: 1, expiresAt: 1 }); // the job remove-unused-uploads
uploadSchema.index({ key: 1 }); // CSV column media
uploadSchema.index({ vendorId: 1, usedBy: 1 }); // what a vendor has drawn and not used
uploadSchema.index({ purpose: 1, expiresAt: 1 }); // the job remove-unused-uploads, files of imports
retain(uploadSchema, { job: 'remove-unused-uploads', rest: 'one that is used lives with what uses it' });

/** What a vendor has drawn in a day: one row, so that two who draw at the same moment do not both take the last. */
const drawnSchema = new Schema(
  {
    _id: { type: String },
    files: { type: Number, required: true, default: 0 },
    bytes: { type: Number, required: true, default: 0 },
    endsAt: { type: Date, required: true },
  },
  { versionKey: false },
);
retain(drawnSchema, { after: 'endsAt', seconds: 0 });

/** Its owner reads how it ended for this long. */
const KEPT_IMPORT_SECONDS = 90 * 24 * 3_600;
const IMPORT_STATES = ['QUEUED', 'RUNNING', 'DONE', 'FAILED', 'CANCELLED'] as const;

const rowErrorSchema = new Schema(
  { row: Number, column: text, code: { type: String, required: true }, message: { type: String, required: true } },
  inner,
);

const importSchema = new Schema(
  {
    _id: { type: String, default: () => newId('imp') },
    vendorId: { type: String, required: true },
    startedBy: { type: String, required: true },
    key: { type: String, required: true },
    errorPolicy: { type: String, required: true },
    state: { type: String, enum: IMPORT_STATES, required: true, default: 'QUEUED' },
    /** Parts that are imported. */
    parts: { type: Number, required: true, default: 0 },
    /** Set when the file was read to its end once. */
    total: { type: Number, default: null },
    processed: { type: Number, required: true, default: 0 },
    created: { type: Number, required: true, default: 0 },
    updated: { type: Number, required: true, default: 0 },
    failed: { type: Number, required: true, default: 0 },
    finishedAt: time,
    errors: { type: [rowErrorSchema], required: true },
    errorCount: { type: Number, required: true, default: 0 },
  },
  { timestamps: true, versionKey: false, suppressReservedKeysWarning: true },
);
retain(importSchema, { after: 'finishedAt', seconds: KEPT_IMPORT_SECONDS, rest: 'one that is under way ends' });

/** What `lean` gives: arrays of plain objects, where mongoose names its own document arrays. */
type Plain<T> = 0 extends 1 & T
  ? T
  : T extends Date
    ? Date
    : // oxlint-disable-next-line typescript/no-explicit-any -- the second parameter says nothing about what is stored
      T extends Types.DocumentArray<infer U, any>
      ? Plain<U>[]
      : T extends readonly (infer U)[]
        ? Plain<U>[]
        : T extends object
          ? { [K in keyof T]: Plain<T[K]> }
          : T;
type Raw<S> = Plain<InferSchemaType<S>>;

export type Attribute = Raw<typeof attributeSchema>;
export type AttributeOption = Attribute['options'][number];
export type Product = Raw<typeof productSchema>;
export type Variant = Product['variants'][number];
export type Media = Product['media'][number];
export type ProductImport = Raw<typeof importSchema>;
export type Upload = Raw<typeof uploadSchema>;

export const models = (db: Connection) => ({
  Product: db.model('Product', productSchema),
  Attribute: db.model('Attribute', attributeSchema),
  VendorState: db.model('VendorState', vendorSchema),
  Upload: db.model('Upload', uploadSchema),
  UploadsDrawn: db.model('UploadsDrawn', drawnSchema),
  ProductImport: db.model('ProductImport', importSchema),
});

export type Models = ReturnType<typeof models>;

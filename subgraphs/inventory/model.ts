import { Schema, type Connection, type InferRawDocTypeFromSchema } from 'mongoose';
import { newId } from '#shared/base/ids.ts';
import { appendOnly } from '#shared/store/append-only.ts';
import { retain } from '#shared/store/retention.ts';

const text = { type: String, default: null };
const required = { type: String, required: true } as const;
const count = { type: Number, required: true, default: 0 } as const;

const addressSchema = new Schema(
  {
    line1: required,
    line2: text,
    city: required,
    region: text,
    postalCode: text,
    country: required,
    /** GeoJSON: longitude first. */
    location: {
      type: new Schema(
        { type: { type: String, enum: ['Point'], required: true }, coordinates: { type: [Number], required: true } },
        { _id: false },
      ),
      default: null,
    },
  },
  { _id: false },
);

const warehouseSchema = new Schema(
  {
    _id: { type: String, default: () => newId('wrh') },
    vendorId: required,
    name: required,
    address: { type: addressSchema, default: null },
    priority: { type: Number, required: true },
    isActive: { type: Boolean, required: true, default: true },
    /** Vendor of the warehouse that is made when a vendor without one first stocks something; unset in all others. Unique. */
    defaultOf: { type: String },
    /** Counts the stock items ever opened here: a first item and the closing of the warehouse then cannot pass each other. */
    itemsOpened: count,
    version: { type: Number, required: true, default: 1 },
  },
  { timestamps: true, versionKey: false },
);

warehouseSchema.index({ vendorId: 1, priority: 1, _id: 1 }); // Query.warehouses
warehouseSchema.index({ vendorId: 1, name: 1 }, { unique: true }); // createWarehouse
warehouseSchema.index({ defaultOf: 1 }, { unique: true, partialFilterExpression: { defaultOf: { $type: 'string' } } }); // the first setStock
retain(warehouseSchema, { forEver: 'movements and reservations name it' });

/** `available` is kept, not computed, so that the condition on it can stand in the filter of the update that takes it. */
const stockItemSchema = new Schema(
  {
    _id: { type: String, default: () => newId('sti') },
    vendorId: required,
    productId: required,
    variantId: required,
    warehouseId: required,
    onHand: count,
    reserved: count,
    available: count,
    lowStockThreshold: { type: Number, default: null },
    isLow: { type: Boolean, required: true, default: false },
    isDiscontinued: { type: Boolean, required: true, default: false },
    /** How many movements there are: the next one is written under the next number, or not at all. */
    sequence: count,
    version: count,
    changedAt: { type: Date, required: true },
  },
  { versionKey: false },
);

stockItemSchema.index({ variantId: 1, warehouseId: 1 }, { unique: true }); // reserveStock, findStock, ProductVariant.stock
stockItemSchema.index({ productId: 1 }); // Product.stock
stockItemSchema.index({ vendorId: 1, _id: 1 }); // Query.stockItems
stockItemSchema.index({ warehouseId: 1, _id: 1 }); // Query.stockItems, deactivateWarehouse
retain(stockItemSchema, { forEver: 'its ledger does not end when it is sold no more' });

export const CAUSES = ['RECEIVED', 'ADJUSTED', 'RESERVED', 'RELEASED', 'COMMITTED', 'RETURNED', 'EXPIRED', 'TRANSFERRED'] as const;
export type Cause = (typeof CAUSES)[number];

const movementSchema = new Schema(
  {
    _id: { type: String, default: () => newId('mov') },
    stockItemId: required,
    sequence: { type: Number, required: true },
    vendorId: required,
    variantId: required,
    warehouseId: required,
    cause: { type: String, enum: CAUSES, required: true },
    quantity: { type: Number, required: true },
    onHandChange: { type: Number, required: true },
    reservedChange: { type: Number, required: true },
    onHand: { type: Number, required: true },
    reserved: { type: Number, required: true },
    available: { type: Number, required: true },
    actorId: text,
    reference: text,
    reason: text,
    occurredAt: { type: Date, required: true },
  },
  { versionKey: false },
);

movementSchema.index({ stockItemId: 1, sequence: 1 }, { unique: true }); // StockItem.movements; and no two changes from one balance
movementSchema.index({ vendorId: 1, _id: 1 }); // Query.stockMovements
movementSchema.index({ reference: 1 }); // Query.stockMovements by reference
movementSchema.index({ variantId: 1, _id: 1 }); // Query.stockMovements of an admin, by variant
movementSchema.plugin(appendOnly);
retain(movementSchema, { forEver: 'the ledger: what is on hand is the sum of all of them' });

const RESERVATION_STATES = ['HELD', 'COMMITTED', 'RELEASED', 'EXPIRED'] as const;

const lineSchema = new Schema(
  { variantId: required, stockItemId: required, warehouseId: required, quantity: { type: Number, required: true }, returned: count },
  { _id: false },
);

const reservationSchema = new Schema(
  {
    _id: { type: String, default: () => newId('rsv') },
    reference: required,
    /** Empty for the mark that a release leaves when it comes before the reservation. */
    holder: { type: String, default: '' },
    state: { type: String, enum: RESERVATION_STATES, required: true },
    lines: { type: [lineSchema], required: true },
    returnIds: { type: [String], required: true, default: [] },
    expiresAt: { type: Date, required: true },
    createdAt: { type: Date, required: true },
    committedAt: { type: Date, default: null },
    endedAt: { type: Date, default: null },
    reason: text,
    /** Set when nothing was ever sold by it: what nobody can ask for any more may go. */
    forgetAt: { type: Date },
  },
  { versionKey: false },
);

reservationSchema.index({ reference: 1 }, { unique: true }); // every command
reservationSchema.index({ state: 1, expiresAt: 1 }); // expire-reservations
reservationSchema.index({ holder: 1, state: 1, expiresAt: 1 }); // at most 20 open ones
retain(reservationSchema, { after: 'forgetAt', seconds: 0, rest: 'what was sold by it may come back' });

/** One row that every reservation of a holder writes, so that two at once cannot both be the twentieth. */
const holderSchema = new Schema({ _id: { type: String }, reservations: count, at: { type: Date, required: true } }, { versionKey: false });
retain(holderSchema, { after: 'at', seconds: 24 * 3_600 });

const alertSchema = new Schema(
  {
    _id: { type: String, default: () => newId('sal') },
    stockItemId: required,
    vendorId: required,
    variantId: required,
    warehouseId: required,
    state: { type: String, enum: ['OPEN', 'ACKNOWLEDGED'], required: true },
    /** The stock item while the alert is open, unset afterwards. Unique: one open alert an item. */
    openKey: { type: String },
    available: { type: Number, required: true },
    threshold: { type: Number, required: true },
    timesRaised: { type: Number, required: true },
    raisedAt: { type: Date, required: true },
    lastRaisedAt: { type: Date, required: true },
    acknowledgedAt: { type: Date, default: null },
    acknowledgedById: text,
  },
  { versionKey: false },
);

alertSchema.index({ vendorId: 1, _id: 1 }); // Query.stockAlerts
alertSchema.index({ variantId: 1, _id: 1 }); // Query.stockAlerts of a variant, for admins
alertSchema.index({ stockItemId: 1, _id: -1 }); // recordAlert: the latest of an item
alertSchema.index({ openKey: 1 }, { unique: true, partialFilterExpression: { openKey: { $type: 'string' } } }); // raising it again
alertSchema.index({ openKey: 1, _id: 1 }); // the same: a partial index on a type serves no query for a value
retain(alertSchema, { after: 'acknowledgedAt', seconds: 180 * 24 * 3_600, rest: 'an open one waits for somebody to see it' });

export type Warehouse = InferRawDocTypeFromSchema<typeof warehouseSchema>;
export type WarehouseAddress = InferRawDocTypeFromSchema<typeof addressSchema>;
export type StockItem = InferRawDocTypeFromSchema<typeof stockItemSchema>;
export type StockMovement = InferRawDocTypeFromSchema<typeof movementSchema>;
export type Reservation = InferRawDocTypeFromSchema<typeof reservationSchema>;
export type ReservationLine = Omit<InferRawDocTypeFromSchema<typeof lineSchema>, '_id'>;
export type StockAlert = InferRawDocTypeFromSchema<typeof alertSchema>;

export const models = (db: Connection) => ({
  Warehouse: db.model('Warehouse', warehouseSchema),
  StockItem: db.model('StockItem', stockItemSchema),
  StockMovement: db.model('StockMovement', movementSchema),
  Reservation: db.model('Reservation', reservationSchema),
  Holder: db.model('Holder', holderSchema),
  StockAlert: db.model('StockAlert', alertSchema),
});

export type Models = ReturnType<typeof models>;

import { Schema, type Connection, type InferRawDocTypeFromSchema } from 'mongoose';
import { newId } from '#shared/base/ids.ts';
import { moneySchema } from '#shared/store/money-schema.ts';
import { retain } from '#shared/store/retention.ts';
import { VENDOR_ORDER_STATUSES } from './contract.ts';

const cartLineSchema = new Schema(
  {
    _id: { type: String, default: () => newId('lin') },
    variantId: { type: String, required: true },
    vendorId: { type: String, required: true },
    quantity: { type: Number, required: true, min: 1 },
    /** What the buyer was shown when it was put in. */
    priceSeen: { type: moneySchema, required: true },
    /** What it was called and looked like then: nobody else can tell once it is gone. Null in lines of old. */
    productName: { type: String, default: null },
    variantName: { type: String, default: null },
    imageUrl: { type: String, default: null },
  },
  { versionKey: false },
);

const cartSchema = new Schema(
  {
    _id: { type: String, default: () => newId('crt') },
    userId: { type: String, default: null },
    /** SHA-256 of the guest's secret. */
    guestHash: { type: String, default: null },
    lines: { type: [cartLineSchema], required: true, default: [] },
    /** The order that is being made of it; one at a time. */
    checkout: { type: String, default: null },
    /** SHA-256 of the secrets of guests' carts that were merged into it, the latest last: merging again is then known to be no mistake. */
    mergedGuests: { type: [String], required: true, default: [] },
    version: { type: Number, required: true, default: 1 },
  },
  { timestamps: true, versionKey: false },
);

cartSchema.index({ userId: 1 }, { unique: true, partialFilterExpression: { userId: { $type: 'string' } } }); // one cart a user
cartSchema.index({ guestHash: 1 }, { unique: true, partialFilterExpression: { guestHash: { $type: 'string' } } }); // one cart a guest
// A partial index on a type serves no query for a value.
cartSchema.index({ userId: 1, _id: 1 }); // Query.cart, User.cart
cartSchema.index({ guestHash: 1, _id: 1 }); // Query.cart(guestToken:)
retain(cartSchema, {
  after: 'updatedAt',
  seconds: 30 * 24 * 3_600,
  only: { guestHash: { $type: 'string' } },
  rest: 'a user has one cart; a guest who does not come back leaves nothing behind',
});

const statusChangeSchema = new Schema(
  {
    previousStatus: { type: String, enum: [...VENDOR_ORDER_STATUSES, null], default: null },
    newStatus: { type: String, enum: VENDOR_ORDER_STATUSES, required: true },
    actor: { type: String, enum: ['BUYER', 'VENDOR', 'ADMIN', 'SYSTEM'], required: true },
    actorId: { type: String, default: null },
    reason: { type: String, default: null },
    at: { type: Date, required: true },
  },
  { _id: false, versionKey: false },
);

const addressSchema = new Schema(
  {
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
  { _id: false, versionKey: false },
);

const orderSchema = new Schema(
  {
    _id: { type: String, required: true },
    buyerId: { type: String, required: true },
    status: { type: String, enum: VENDOR_ORDER_STATUSES, required: true },
    paymentMethod: { type: String, required: true },
    /** Both follow the vendor orders: what is cancelled is not paid. */
    subtotal: { type: moneySchema, required: true },
    total: { type: moneySchema, required: true },
    /** Total when it was placed. Null in orders of old, whose total is that. */
    originalTotal: { type: moneySchema, default: null },
    /** Null once the buyer's account is deleted and the order is over. */
    shippingAddress: { type: addressSchema, default: null },
    isBuyerDeleted: { type: Boolean, required: true, default: false },
    note: { type: String, default: null },
    timeline: { type: [statusChangeSchema], required: true },
    placedAt: { type: Date, required: true },
    version: { type: Number, required: true, default: 1 },
  },
  { versionKey: false },
);

orderSchema.index({ buyerId: 1, placedAt: -1, _id: -1 }); // Query.orders, User.orders
orderSchema.index({ placedAt: -1, _id: -1 }); // Query.orders of admins
orderSchema.index({ buyerId: 1, 'total.amount': 1, _id: 1 }); // Query.orders by TOTAL
orderSchema.index({ 'total.amount': 1, _id: 1 }); // Query.orders of admins by TOTAL
orderSchema.index({ status: 1, placedAt: -1, _id: -1 }); // Query.orders of admins with a status
orderSchema.index({ status: 1, 'total.amount': 1, _id: 1 }); // the same, by TOTAL
retain(orderSchema, { forEver: 'what was bought and paid stays provable; its address goes with the account' });

const orderLineSchema = new Schema(
  {
    _id: { type: String, required: true },
    variantId: { type: String, required: true },
    productId: { type: String, required: true },
    productName: { type: String, required: true },
    // A product with one variant has no name for it, which `required` would refuse.
    variantName: { type: String, default: '' },
    sku: { type: String, required: true },
    imageUrl: { type: String, default: null },
    quantity: { type: Number, required: true, min: 1 },
    unitPrice: { type: moneySchema, required: true },
    total: { type: moneySchema, required: true },
  },
  { versionKey: false },
);

const vendorOrderSchema = new Schema(
  {
    _id: { type: String, required: true },
    orderId: { type: String, required: true },
    vendorId: { type: String, required: true },
    buyerId: { type: String, required: true },
    status: { type: String, enum: VENDOR_ORDER_STATUSES, required: true },
    lines: { type: [orderLineSchema], required: true },
    subtotal: { type: moneySchema, required: true },
    shippingAddress: { type: addressSchema, default: null },
    note: { type: String, default: null },
    timeline: { type: [statusChangeSchema], required: true },
    placedAt: { type: Date, required: true },
    version: { type: Number, required: true, default: 1 },
  },
  { versionKey: false },
);

vendorOrderSchema.index({ orderId: 1, _id: 1 }); // Order.vendorOrders
vendorOrderSchema.index({ vendorId: 1, placedAt: -1, _id: -1 }); // Query.vendorOrders, Vendor.orders
vendorOrderSchema.index({ vendorId: 1, status: 1 }); // findUnfinishedParts
vendorOrderSchema.index({ buyerId: 1 }); // User.Deleted
vendorOrderSchema.index({ vendorId: 1, status: 1, placedAt: -1, _id: -1 }); // Query.vendorOrders with a status
retain(vendorOrderSchema, { forEver: 'what was sold stays provable' });

/** Whose account is gone. An access token outlives it for moments, and events may be late: what such a buyer begins then is refused. */
const deletedBuyerSchema = new Schema({ _id: { type: String, required: true }, at: { type: Date, required: true } }, { versionKey: false });
/** Access tokens and checkouts live for an hour at most. */
retain(deletedBuyerSchema, { after: 'at', seconds: 7 * 24 * 3_600 });

export type Cart = InferRawDocTypeFromSchema<typeof cartSchema> & { updatedAt: Date };
export type CartLine = Cart['lines'][number];
export type Order = InferRawDocTypeFromSchema<typeof orderSchema>;
export type VendorOrder = InferRawDocTypeFromSchema<typeof vendorOrderSchema>;
export type OrderLine = VendorOrder['lines'][number];
export type OrderAddress = NonNullable<Order['shippingAddress']>;

export const models = (db: Connection) => ({
  Cart: db.model('Cart', cartSchema),
  Order: db.model('Order', orderSchema),
  VendorOrder: db.model('VendorOrder', vendorOrderSchema),
  DeletedBuyer: db.model('DeletedBuyer', deletedBuyerSchema),
});

export type Models = ReturnType<typeof models>;

import { z } from 'zod';
import { defineCommand } from '#shared/kit/define-command.ts';
import { defineEvent } from '#shared/kit/define-event.ts';
import { defineJob } from '#shared/kit/define-job.ts';

const timestamp = z.iso.datetime();
const variantId = z.string();
const key = (event: { variantId: string }): string => event.variantId;

/** `quantity` is what is available now in this warehouse. */
export const inventoryUpdated = defineEvent(
  'Inventory.Updated',
  z.object({ productId: z.string(), variantId, vendorId: z.string(), quantity: z.number().int(), warehouse: z.string(), timestamp }),
  { key },
);

const low = {
  productId: z.string(),
  variantId,
  vendorId: z.string(),
  available: z.number().int(),
  threshold: z.number().int(),
  warehouse: z.string(),
  timestamp,
};

/** Available stock in this warehouse fell to the threshold or below it, or to nothing; or the threshold was set above it. Said once for each time. */
export const lowStockReached = defineEvent('Inventory.LowStockReached', z.object(low), { key });

/** Somebody at the vendor must see to it that goods come in. `wasLow`: it had been low before, and fell further. */
export const lowStockAlert = defineJob('inventory-alerts', {
  payload: z.object({ stockItemId: z.string(), wasLow: z.boolean().default(false), ...low }),
});

/** Something that had run out, in every warehouse, can be bought again. */
export const productBackInStock = defineEvent(
  'Product.BackInStock',
  z.object({ productId: z.string(), variantId, vendorId: z.string(), timestamp }),
  { key },
);

/** Held goods went back on the shelf because nobody paid in time. `reference` is what they were held for. */
export const reservationExpired = defineEvent(
  'Reservation.Expired',
  z.object({ reservationId: z.string(), reference: z.string(), timestamp }),
  { key: ({ reference: id }) => id },
);

const quantity = z.number().int().min(1).max(10_000);
const reference = z.string().min(1).max(100);

/**
 * Holds all lines or none for `reference`, and answers the same when asked again. Problem INSUFFICIENT_STOCK (`typename` InsufficientStockError)
 * with `variantId` and `available` for the first line that cannot be held; TOO_MANY_RESERVATIONS; RESERVATION_ENDED for a reference that was
 * released or has expired; RESERVATION_DIFFERS for one that holds other lines.
 */
export const reserveStock = defineCommand('inventory', 'reserveStock', {
  input: z.object({
    reference,
    lines: z.array(z.object({ variantId, quantity })).min(1).max(250),
    /** Default: the setting `inventory.reservationSeconds`. */
    ttlSeconds: z.number().int().min(1).max(86_400).optional(),
    /** Reserves for this buyer; `inventory.openReservations` at a time. */
    holder: z.string(),
  }),
  output: z.object({ reservationId: z.string(), expiresAt: z.iso.datetime() }),
  changes: true,
});

/** Prolongs the hold, never shortens it. Problem RESERVATION_ENDED when it has expired, was released or committed. */
export const extendReservation = defineCommand('inventory', 'extendReservation', {
  input: z.object({ reference, ttlSeconds: z.number().int().min(1).max(86_400) }),
  output: z.object({ expiresAt: z.iso.datetime() }),
  changes: true,
});

/** The goods are sold: they leave the shelf. Again is the same. Problem RESERVATION_ENDED when the hold has expired or was released. */
export const commitReservation = defineCommand('inventory', 'commitReservation', {
  input: z.object({ reference }),
  output: z.object({ committed: z.literal(true) }),
  changes: true,
});

/**
 * Undoes a reservation whatever became of it: what was held is free again, what was committed comes back on hand. Never refused: a hold
 * that does not exist is remembered as released, so that a late `reserveStock` for the same reference cannot hold anything.
 */
export const releaseReservation = defineCommand('inventory', 'releaseReservation', {
  input: z.object({ reference, reason: z.string().max(200).default('') }),
  output: z.object({ released: z.literal(true) }),
  changes: true,
});

/**
 * Puts some of the goods of a committed reservation back on hand, once for each `returnId`. Problem RESERVATION_NOT_COMMITTED; RETURN_EXCEEDS_SOLD
 * with `variantId` and `returnable` when more would come back than went.
 */
export const restockReservation = defineCommand('inventory', 'restockReservation', {
  input: z.object({
    reference,
    returnId: z.string(),
    lines: z.array(z.object({ variantId, quantity })).min(1).max(250),
    reason: z.string().max(200).default(''),
  }),
  output: z.object({ restocked: z.literal(true) }),
  changes: true,
});

/** Available pieces over all warehouses; 0 for what was never stocked. At most 250. */
export const findStock = defineCommand('inventory', 'findStock', {
  input: z.object({ variantIds: z.array(variantId).max(250) }),
  output: z.object({ stock: z.array(z.object({ variantId, available: z.number().int() })) }),
});

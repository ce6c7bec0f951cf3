import type { z } from 'zod';
import { connection, type Fields, type ListArguments } from '#shared/store/pagination.ts';
import type { findStock } from '../contract.ts';
import type { Ctx } from '../loaders.ts';
import type { StockAlert, StockItem, StockMovement } from '../model.ts';

/** Strangers learn that there are at least so many, not how many. */
const MAX_SHOWN = 100;

const ITEM_FIELDS: Fields = {
  vendorId: 'id',
  warehouseId: 'id',
  variantId: 'id',
  productId: 'id',
  isLow: 'boolean',
  onHand: 'int',
  available: 'int',
};
const ITEM_SORTS = { CREATED_AT: '_id', AVAILABLE: 'available', ON_HAND: 'onHand' };

const MOVEMENT_FIELDS: Fields = {
  vendorId: 'id',
  warehouseId: 'id',
  variantId: 'id',
  stockItemId: 'id',
  cause: 'enum',
  reference: 'text',
  occurredAt: 'date',
};

const ALERT_FIELDS: Fields = { vendorId: 'id', variantId: 'id', state: 'enum' };

/** What `VariantStock` and `ProductStock` show. */
export interface StockView {
  /** Null for a product: only the fields of a variant ask whose it is. */
  variantId: string | null;
  items: StockItem[];
}

/** What the viewer may not see is as good as not there. */
export async function ifSeen<T extends { vendorId: string }>(ctx: Ctx, loading: Promise<T | null>): Promise<T | null> {
  const found = await loading;
  return found && (await ctx.loaders.sees(found.vendorId)) ? found : null;
}

/** Pieces that can be bought, over all warehouses. */
export const availableOf = (items: readonly StockItem[]): number =>
  items.reduce((total, { available, isDiscontinued }) => total + (isDiscontinued ? 0 : available), 0);

export const shownToAll = (items: readonly StockItem[]): number => Math.min(MAX_SHOWN, availableOf(items));

/** A vendor's warehouses in the order in which they are used; none for whoever may not see them. */
export async function listWarehouses(ctx: Ctx, vendorId: string) {
  if (!(await ctx.loaders.sees(vendorId))) return [];
  return ctx.models.Warehouse.find({ vendorId }).sort({ priority: 1, _id: 1 }).lean();
}

/** The stock of the vendors the viewer works for, or everybody's for an admin. */
export const listItems = async (ctx: Ctx, given: ListArguments) =>
  connection<StockItem>(ctx.models.StockItem, { ...given, filter: await ctx.loaders.seenOnly(), fields: ITEM_FIELDS, sorts: ITEM_SORTS });

/** What changed that stock, newest first. */
export const listMovements = async (ctx: Ctx, given: ListArguments) =>
  connection<StockMovement>(ctx.models.StockMovement, { ...given, filter: await ctx.loaders.seenOnly(), fields: MOVEMENT_FIELDS });

/** The ledger of one item, the last movement first. */
export const listMovementsOf = (ctx: Ctx, { _id }: StockItem, given: ListArguments) =>
  connection<StockMovement>(ctx.models.StockMovement, {
    ...given,
    filter: { stockItemId: _id },
    sorts: { SEQUENCE: 'sequence' },
    defaultSort: { field: 'SEQUENCE', direction: 'DESC' },
  });

/** Alerts of the vendors the viewer works for, newest first. */
export const listAlerts = async (ctx: Ctx, given: ListArguments) =>
  connection<StockAlert>(ctx.models.StockAlert, { ...given, filter: await ctx.loaders.seenOnly(), fields: ALERT_FIELDS });

/** Answers the command findStock. */
export async function findAvailable(ctx: Ctx, { variantIds }: z.infer<typeof findStock.input>) {
  const items = await ctx.models.StockItem.find({ variantId: { $in: variantIds } }).lean();
  const byVariant = Map.groupBy(items, ({ variantId }) => variantId);
  return { stock: variantIds.map((variantId) => ({ variantId, available: availableOf(byVariant.get(variantId) ?? []) })) };
}

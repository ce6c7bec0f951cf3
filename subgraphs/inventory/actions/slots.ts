import { invalid, notFound, Problem, type InputPath } from '#shared/base/errors.ts';
import { newId } from '#shared/base/ids.ts';
import { isDuplicateKey, outsideTransactions } from '#shared/store/mongo.ts';
import type { Ctx, Owner } from '../loaders.ts';
import type { StockItem, Warehouse } from '../model.ts';

export interface Place {
  variantId: string;
  /** The vendor's first warehouse when left out. */
  warehouseId?: string | null | undefined;
  /** Where in the input it stands. */
  path: InputPath;
  /** The input field that names the warehouse. */
  field?: string;
}

/** A stock item, or one that is not stored yet because the variant was never stocked there. */
export interface Slot {
  item: StockItem;
  warehouse: Warehouse;
}

/** So many pieces can lie in one place: 50 warehouses full of them still fit into a GraphQL Int. */
export const MAX_UNITS = 10_000_000;

/**
 * The slots of these places, each once, for a viewer who may change them; a place that cannot be is answered by its refusal. FORBIDDEN when any
 * of the variants is another vendor's. Does its waiting before the transaction's first read.
 */
export async function findSlots(ctx: Ctx, places: Place[]): Promise<(Slot | Problem)[]> {
  const owners = await requireOwners(ctx, places);
  const defaults = await findDefaults(ctx, places, owners);
  const warehouseIdOf = (place: Place) => place.warehouseId ?? defaults.get(owners.get(place.variantId)?.vendorId ?? '') ?? '';
  const variantIds = places.map(({ variantId }) => variantId);
  const warehouseIds = places.map(warehouseIdOf);
  await ctx.providers.locks.acquire(ctx.session!, [...variantIds, ...warehouseIds], { deadline: ctx.deadline });
  const warehouses = new Map((await ctx.models.Warehouse.find({ _id: { $in: warehouseIds } }).lean()).map((each) => [each._id, each]));
  const items = await ctx.models.StockItem.find({ variantId: { $in: variantIds }, warehouseId: { $in: warehouseIds } }).lean();
  const known = new Map(items.map((item) => [keyOf(item), item]));
  const taken = new Set<string>();

  return places.map((place): Slot | Problem => {
    const { variantId, path, field = 'warehouseId' } = place;
    const owner = owners.get(variantId);
    if (!owner) return notFound('ProductVariant', variantId, [...path, 'variantId']);
    const warehouse = warehouses.get(warehouseIdOf(place));
    // Another vendor's warehouse is nothing this viewer may know of.
    if (!warehouse || warehouse.vendorId !== owner.vendorId) return notFound('Warehouse', warehouseIdOf(place), [...path, field]);
    const key = keyOf({ variantId, warehouseId: warehouse._id });
    if (taken.has(key)) return invalid([...path, 'variantId'], 'This variant stands here twice for the same warehouse.');
    taken.add(key);
    const item = known.get(key);
    return { item: item ?? newItem(ctx, variantId, owner, warehouse._id), warehouse };
  });
}

/** The slot, or its refusal thrown. */
export function required(slot: Slot | Problem | undefined): Slot {
  if (!slot || slot instanceof Problem) throw slot ?? new Error('Every place has a slot');
  return slot;
}

/** Nothing is put into a closed warehouse. */
export const closedProblem = ({ warehouse }: Slot, path: InputPath): Problem | undefined =>
  warehouse.isActive ? undefined : new Problem('WAREHOUSE_INACTIVE', 'This warehouse is closed.', { path });

/** Stores new items. Writes their warehouses too: whoever closes one at the same moment then meets this transaction. */
export async function openItems(ctx: Ctx, items: StockItem[]): Promise<void> {
  if (items.length === 0) return;
  await ctx.models.StockItem.insertMany(items, { lean: true });
  const byWarehouse = [...Map.groupBy(items, ({ warehouseId }) => warehouseId)].sort(([a], [b]) => (a < b ? -1 : 1));
  for (const [warehouseId, opened] of byWarehouse) {
    await ctx.models.Warehouse.updateOne({ _id: warehouseId }, { $inc: { itemsOpened: opened.length } });
  }
}

/** Stored by whoever moves it. */
export function newItem(ctx: Ctx, variantId: string, { vendorId, productId, isDiscontinued }: Owner, warehouseId: string): StockItem {
  return {
    _id: newId('sti'),
    vendorId,
    productId,
    variantId,
    warehouseId,
    onHand: 0,
    reserved: 0,
    available: 0,
    lowStockThreshold: null,
    isLow: false,
    isDiscontinued,
    sequence: 0,
    version: 0,
    changedAt: ctx.now(),
  };
}

/** Not stored yet: an item is stored by its first movement, or by a count of nothing, which makes its first version. */
export const isNew = ({ sequence, version }: StockItem): boolean => sequence === 0 && version === 0;

/** The vendor's open warehouse that is used first; made when the vendor has none at all. */
export async function firstWarehouse(ctx: Ctx, vendorId: string): Promise<string> {
  const { Warehouse } = ctx.models;
  const open = await Warehouse.findOne({ vendorId, isActive: true }, { _id: 1 }).sort({ priority: 1, _id: 1 }).lean();
  if (open) return open._id;
  const closed = await Warehouse.findOne({ vendorId }, { _id: 1 }).sort({ priority: 1, _id: 1 }).lean();
  if (closed) return closed._id;
  try {
    const [made] = await Warehouse.create([{ vendorId, name: 'Main warehouse', priority: 0, defaultOf: vendorId }]);
    return made!._id;
  } catch (error) {
    // Two at once: the index lets one of them make it.
    if (isDuplicateKey(error)) return firstWarehouse(ctx, vendorId);
    throw error;
  }
}

const keyOf = ({ variantId, warehouseId }: { variantId: string; warehouseId: string }): string => `${variantId} ${warehouseId}`;

/** Outside the transaction: asking another subgraph takes its time, and whose a variant is never changes. */
async function requireOwners(ctx: Ctx, places: Place[]): Promise<Map<string, Owner>> {
  const ids = [...new Set(places.map(({ variantId }) => variantId))];
  const found = await outsideTransactions(() => ctx.loaders.ownerOfVariant.loadMany(ids));
  const owners = new Map<string, Owner>();
  for (const [index, owner] of found.entries()) {
    if (owner instanceof Error) throw owner;
    if (owner) owners.set(ids[index]!, owner);
  }
  for (const vendorId of new Set([...owners.values()].map((owner) => owner.vendorId)))
    await ctx.loaders.memberships.require(vendorId, 'STOCK');
  return owners;
}

/** Outside the transaction: a warehouse that was made stays, whatever becomes of what asked for it. */
async function findDefaults(ctx: Ctx, places: Place[], owners: Map<string, Owner>): Promise<Map<string, string>> {
  const defaults = new Map<string, string>();
  for (const { variantId, warehouseId } of places) {
    const vendorId = owners.get(variantId)?.vendorId;
    if (warehouseId || !vendorId || defaults.has(vendorId)) continue;
    defaults.set(vendorId, await outsideTransactions(() => firstWarehouse(ctx, vendorId)));
  }
  return defaults;
}

import type { Ctx } from '../loaders.ts';
import type { StockItem } from '../model.ts';
import { move } from './move.ts';
import { firstWarehouse, newItem } from './slots.ts';

export interface Piece {
  stockItemId: string;
  quantity: number;
}

/** Items by id, as they are in this transaction. */
export async function itemsOf(ctx: Ctx, pieces: readonly { stockItemId: string }[]): Promise<Map<string, StockItem>> {
  const items = await ctx.models.StockItem.find({ _id: { $in: pieces.map(({ stockItemId }) => stockItemId) } }).lean();
  return new Map(items.map((item) => [item._id, item]));
}

/** Sold pieces go back to where they came from, or to the vendor's first warehouse when that one was closed meanwhile. */
export async function putBack(ctx: Ctx, pieces: readonly Piece[], why: { reference: string; reason?: string }): Promise<void> {
  const items = await itemsOf(ctx, pieces);
  const closed = new Set(await closedAmong(ctx, [...items.values()]));
  const back = new Map<string, { item: StockItem; quantity: number }>();
  for (const { stockItemId, quantity } of pieces.filter((piece) => piece.quantity > 0)) {
    const sold = items.get(stockItemId)!;
    const item = closed.has(sold.warehouseId)
      ? await itemElsewhere(
          ctx,
          sold,
          [...back.values()].map((each) => each.item),
        )
      : sold;
    back.set(item._id, { item, quantity: quantity + (back.get(item._id)?.quantity ?? 0) });
  }
  await move(
    ctx,
    [...back.values()].map(({ item, quantity }) => ({ item, cause: 'RETURNED' as const, onHand: quantity })),
    why,
  );
}

async function closedAmong(ctx: Ctx, items: StockItem[]): Promise<string[]> {
  const ids = [...new Set(items.map(({ warehouseId }) => warehouseId))];
  return (await ctx.models.Warehouse.find({ _id: { $in: ids }, isActive: false }, { _id: 1 }).lean()).map(({ _id }) => _id);
}

async function itemElsewhere(ctx: Ctx, sold: StockItem, opened: StockItem[]): Promise<StockItem> {
  const warehouseId = await firstWarehouse(ctx, sold.vendorId);
  const isThere = (item: StockItem) => item.variantId === sold.variantId && item.warehouseId === warehouseId;
  const known = opened.find(isThere) ?? (await ctx.models.StockItem.findOne({ variantId: sold.variantId, warehouseId }).lean());
  return known ?? newItem(ctx, sold.variantId, sold, warehouseId);
}

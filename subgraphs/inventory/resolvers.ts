import type { ListArguments } from '#shared/store/pagination.ts';
import { mutation } from '#shared/kit/mutation.ts';
import { AcknowledgeStockAlert, acknowledgeStockAlert, availableOfAlert } from './actions/alerts.ts';
import {
  availableOf,
  ifSeen,
  listAlerts,
  listItems,
  listMovements,
  listMovementsOf,
  listWarehouses,
  shownToAll,
  type StockView,
} from './actions/reading.ts';
import {
  AdjustStock,
  adjustStock,
  BulkSetStock,
  bulkSetStock,
  SetLowStockThreshold,
  setLowStockThreshold,
  SetStock,
  setStock,
  TransferStock,
  transferStock,
} from './actions/stock.ts';
import {
  ActivateWarehouse,
  activateWarehouse,
  CreateWarehouse,
  createWarehouse,
  DeactivateWarehouse,
  deactivateWarehouse,
  UpdateWarehouse,
  updateWarehouse,
} from './actions/warehouses.ts';
import type { Ctx } from './loaders.ts';
import type { Reservation, ReservationLine, StockAlert, StockItem, StockMovement, Warehouse, WarehouseAddress } from './model.ts';

const userOf = (id: string | null | undefined) => (id ? { id } : null);

export const resolvers = {
  Query: {
    warehouse: (_root: unknown, { id }: { id: string }, ctx: Ctx) => ifSeen(ctx, ctx.loaders.warehouse.load(id)),
    warehouses: (_root: unknown, { vendorId }: { vendorId: string }, ctx: Ctx) => listWarehouses(ctx, vendorId),
    stockItem: (_root: unknown, { id }: { id: string }, ctx: Ctx) => ifSeen(ctx, ctx.loaders.stockItem.load(id)),
    stockItems: (_root: unknown, args: ListArguments, ctx: Ctx) => listItems(ctx, args),
    stockMovements: (_root: unknown, args: ListArguments, ctx: Ctx) => listMovements(ctx, args),
    stockAlerts: (_root: unknown, args: ListArguments, ctx: Ctx) => listAlerts(ctx, args),
    reservation: (_root: unknown, { reference }: { reference: string }, { models }: Ctx) =>
      models.Reservation.findOne({ reference }).lean(),
  },
  Mutation: {
    createWarehouse: mutation(CreateWarehouse, createWarehouse),
    updateWarehouse: mutation(UpdateWarehouse, updateWarehouse),
    deactivateWarehouse: mutation(DeactivateWarehouse, deactivateWarehouse),
    activateWarehouse: mutation(ActivateWarehouse, activateWarehouse),
    setStock: mutation(SetStock, setStock),
    adjustStock: mutation(AdjustStock, adjustStock),
    transferStock: mutation(TransferStock, transferStock),
    setLowStockThreshold: mutation(SetLowStockThreshold, setLowStockThreshold),
    bulkSetStock: mutation(BulkSetStock, bulkSetStock),
    acknowledgeStockAlert: mutation(AcknowledgeStockAlert, acknowledgeStockAlert),
  },
  Product: {
    __resolveReference: ({ id }: { id: string }) => ({ id }),
    stock: async ({ id }: { id: string }, _args: unknown, { loaders }: Ctx): Promise<StockView> => ({
      variantId: null,
      items: await loaders.itemsOfProduct.load(id),
    }),
  },
  ProductVariant: {
    __resolveReference: ({ id }: { id: string }) => ({ id }),
    stock: async ({ id }: { id: string }, _args: unknown, { loaders }: Ctx): Promise<StockView> => ({
      variantId: id,
      items: await loaders.itemsOfVariant.load(id),
    }),
  },
  ProductStock: {
    isAvailable: ({ items }: StockView) => availableOf(items) > 0,
    totalAvailable: ({ items }: StockView) => shownToAll(items),
  },
  VariantStock: {
    isAvailable: ({ items }: StockView) => availableOf(items) > 0,
    availableToBuy: ({ items }: StockView) => shownToAll(items),
    isLow: ({ items }: StockView) => items.some(({ isLow }) => isLow),
    available: ({ items }: StockView) => availableOf(items),
    items: ({ items }: StockView) => items,
  },
  Warehouse: {
    __resolveReference: ({ id }: { id: string }, ctx: Ctx) => ifSeen(ctx, ctx.loaders.warehouse.load(id)),
    id: (warehouse: Warehouse) => warehouse._id,
    vendor: ({ vendorId }: Warehouse) => ({ id: vendorId }),
  },
  WarehouseAddress: {
    location: ({ location }: WarehouseAddress) => location && { longitude: location.coordinates[0], latitude: location.coordinates[1] },
  },
  StockItem: {
    __resolveReference: ({ id }: { id: string }, ctx: Ctx) => ifSeen(ctx, ctx.loaders.stockItem.load(id)),
    id: (item: StockItem) => item._id,
    variant: ({ variantId }: StockItem) => ({ id: variantId }),
    product: ({ productId }: StockItem) => ({ id: productId }),
    vendor: ({ vendorId }: StockItem) => ({ id: vendorId }),
    warehouse: ({ warehouseId }: StockItem, _args: unknown, { loaders }: Ctx) => loaders.warehouse.load(warehouseId),
    movements: (item: StockItem, args: ListArguments, ctx: Ctx) => listMovementsOf(ctx, item, args),
  },
  StockMovement: {
    id: (movement: StockMovement) => movement._id,
    stockItem: ({ stockItemId }: StockMovement, _args: unknown, { loaders }: Ctx) => loaders.stockItem.load(stockItemId),
    variant: ({ variantId }: StockMovement) => ({ id: variantId }),
    warehouse: ({ warehouseId }: StockMovement, _args: unknown, { loaders }: Ctx) => loaders.warehouse.load(warehouseId),
    actor: ({ actorId }: StockMovement) => userOf(actorId),
  },
  StockAlert: {
    __resolveReference: ({ id }: { id: string }, ctx: Ctx) => ifSeen(ctx, ctx.loaders.stockAlert.load(id)),
    id: (alert: StockAlert) => alert._id,
    available: (alert: StockAlert, _args: unknown, ctx: Ctx) => availableOfAlert(ctx, alert),
    stockItem: ({ stockItemId }: StockAlert, _args: unknown, { loaders }: Ctx) => loaders.stockItem.load(stockItemId),
    variant: ({ variantId }: StockAlert) => ({ id: variantId }),
    warehouse: ({ warehouseId }: StockAlert, _args: unknown, { loaders }: Ctx) => loaders.warehouse.load(warehouseId),
    acknowledgedBy: ({ acknowledgedById }: StockAlert) => userOf(acknowledgedById),
  },
  Reservation: {
    id: (reservation: Reservation) => reservation._id,
    // Its time is up whether the job has come round or not.
    status: ({ state, expiresAt }: Reservation, _args: unknown, ctx: Ctx) =>
      state === 'HELD' && expiresAt <= ctx.now() ? 'EXPIRED' : state,
  },
  ReservationLine: {
    variant: ({ variantId }: ReservationLine) => ({ id: variantId }),
    warehouse: ({ warehouseId }: ReservationLine, _args: unknown, { loaders }: Ctx) => loaders.warehouse.load(warehouseId),
  },
};

import { allow, hasRole, isSignedIn, objectRule } from '#shared/kit/permissions.ts';
import type { StockView } from './actions/reading.ts';
import type { Ctx } from './loaders.ts';

const isAdmin = hasRole('admin');
const isInside = objectRule('isInside', ({ vendorId }: { vendorId: string }, _args: unknown, ctx: Ctx) => ctx.loaders.sees(vendorId));
const isInsideOfVariant = objectRule(
  'isInsideOfVariant',
  ({ variantId }: StockView, _args: unknown, ctx: Ctx) => variantId !== null && ctx.loaders.seesVariant(variantId),
);

export const permissions = {
  Query: {
    warehouse: isSignedIn,
    warehouses: isSignedIn,
    stockItem: isSignedIn,
    stockItems: isSignedIn,
    stockMovements: isSignedIn,
    stockAlerts: isSignedIn,
    reservation: isAdmin,
  },
  Mutation: {
    createWarehouse: isSignedIn,
    updateWarehouse: isSignedIn,
    deactivateWarehouse: isSignedIn,
    activateWarehouse: isSignedIn,
    setStock: isSignedIn,
    adjustStock: isSignedIn,
    transferStock: isSignedIn,
    setLowStockThreshold: isSignedIn,
    bulkSetStock: isSignedIn,
    acknowledgeStockAlert: isSignedIn,
  },
  Product: { '*': allow },
  ProductVariant: { '*': allow },
  ProductStock: { '*': allow },
  VariantStock: { '*': allow, available: isInsideOfVariant, items: isInsideOfVariant },
  Warehouse: { '*': isInside },
  StockItem: { '*': isInside },
  StockMovement: { '*': isInside },
  StockAlert: { '*': isInside },
  Reservation: { '*': isAdmin },
  ReservationLine: { '*': isAdmin },
};

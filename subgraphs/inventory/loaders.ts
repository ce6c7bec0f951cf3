import DataLoader from 'dataloader';
import type { Context } from '#shared/kit/context.ts';
import { byId, manyBy } from '#shared/store/loaders.ts';
import { findVariants } from '../catalog/contract.ts';
import { createMemberships } from '../vendors/contract.ts';
import type { Models, StockAlert, StockItem, Warehouse } from './model.ts';
import type { KeyedMutex } from '#shared/store/keyed-mutex.ts';

export interface Providers {
  locks: KeyedMutex;
}

export const loaders = (models: Models, ctx: Context<Models, unknown, Providers>) => {
  const memberships = createMemberships(ctx);
  const isAdmin = ctx.viewer?.roles.includes('admin') ?? false;
  const itemsOfVariant = manyBy<StockItem>(models.StockItem, 'variantId');
  const ownerOfVariant = new DataLoader<string, Owner | null>((variantIds) => findOwners(ctx, itemsOfVariant, variantIds), {
    maxBatchSize: MAX_VARIANTS,
  });

  /** Members of the vendor, whatever their permissions, and admins. */
  const sees = async (vendorId: string): Promise<boolean> => isAdmin || memberships.has(vendorId);

  return {
    memberships,
    warehouse: byId<Warehouse>(models.Warehouse),
    stockItem: byId<StockItem>(models.StockItem),
    stockAlert: byId<StockAlert>(models.StockAlert),
    itemsOfVariant,
    itemsOfProduct: manyBy<StockItem>(models.StockItem, 'productId'),
    ownerOfVariant,
    sees,
    /** Whether the viewer may know the exact stock of a variant, also of one that was never stocked. */
    async seesVariant(variantId: string): Promise<boolean> {
      if (isAdmin) return true;
      // Who works for nobody needs no question to the catalog.
      if ((await memberships.all()).length === 0) return false;
      const owner = await ownerOfVariant.load(variantId);
      return owner !== null && sees(owner.vendorId);
    },
    /** What lists are limited to: the vendors the viewer works for; everything for an admin. */
    seenOnly: async (): Promise<Record<string, unknown>> =>
      isAdmin ? {} : { vendorId: { $in: (await memberships.all()).map(({ vendorId }) => vendorId) } },
  };
};

export interface Owner {
  vendorId: string;
  productId: string;
  /** Its product was deleted. */
  isDiscontinued: boolean;
}

export type Ctx = Context<Models, ReturnType<typeof loaders>, Providers>;

/** As many as the catalog answers at once. */
const MAX_VARIANTS = 250;

/** Whose a variant is: known from its stock, and before it was ever stocked from the catalog. Null when there is no such variant. */
async function findOwners(
  ctx: Pick<Ctx, 'call'>,
  itemsOfVariant: DataLoader<string, StockItem[]>,
  variantIds: readonly string[],
): Promise<(Owner | null)[]> {
  const stocked = await Promise.all(variantIds.map((id) => itemsOfVariant.load(id)));
  const unknown = variantIds.filter((_id, index) => stocked[index]!.length === 0);
  const { variants } = unknown.length > 0 ? await ctx.call(findVariants, { variantIds: unknown }) : { variants: [] };
  const found = new Map(variants.map(({ variantId, vendorId, productId }) => [variantId, { vendorId, productId, isDiscontinued: false }]));
  return variantIds.map((id, index) => {
    const item = stocked[index]![0];
    return item ?? found.get(id) ?? null;
  });
}

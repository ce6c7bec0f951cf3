import { answering, open, viewer, type Data, type TestApp } from '#shared/testing/open.ts';
import { findVariants } from '../../catalog/contract.ts';
import { findMemberships, type VendorPermission } from '../../vendors/contract.ts';
import { commitReservation, findStock, releaseReservation, reserveStock } from '../contract.ts';
import type { Ctx } from '../loaders.ts';
import { subgraph } from '../subgraph.ts';
import type { KeyedMutex } from '#shared/store/keyed-mutex.ts';

export const ann = viewer('usr_ann');
export const bob = viewer('usr_bob');
/** Works for Ann's store, but not on its stock. */
export const clerk = viewer('usr_clerk');
export const stranger = viewer('usr_stranger');
export const admin = viewer('usr_admin', ['admin']);

const WORKS: Record<string, [vendorId: string, permissions: VendorPermission[]]> = {
  usr_ann: ['ven_ann', ['STOCK']],
  usr_bob: ['ven_bob', ['STOCK']],
  usr_clerk: ['ven_ann', ['ORDERS']],
};

const ITEM = 'id onHand reserved available version lowStockThreshold isLow isDiscontinued warehouse { id name }';
const ERRORS =
  'userErrors { code message path ... on StaleVersionError { currentVersion } ... on StockReservedError { reserved } ... on InsufficientStockError { variantId available } }';

const mutation = (name: string, fields: string): string => {
  const type = name[0]!.toUpperCase() + name.slice(1);
  return `mutation ($input: ${type}Input!) { ${name}(input: $input) { ${fields} ${ERRORS} } }`;
};
const WAREHOUSE = 'warehouse { id name priority isActive version address { line1 city country location { longitude latitude } } }';

export const MUTATIONS = {
  setStock: mutation('setStock', `stockItem { ${ITEM} }`),
  adjustStock: mutation('adjustStock', `stockItem { ${ITEM} }`),
  transferStock: mutation('transferStock', `from { ${ITEM} } to { ${ITEM} }`),
  setLowStockThreshold: mutation('setLowStockThreshold', `stockItem { ${ITEM} }`),
  bulkSetStock: mutation('bulkSetStock', `results { stockItem { ${ITEM} } ${ERRORS} }`),
  createWarehouse: mutation('createWarehouse', WAREHOUSE),
  updateWarehouse: mutation('updateWarehouse', WAREHOUSE),
  deactivateWarehouse: mutation('deactivateWarehouse', WAREHOUSE),
  activateWarehouse: mutation('activateWarehouse', WAREHOUSE),
  acknowledgeStockAlert: mutation('acknowledgeStockAlert', 'stockAlert { id state acknowledgedAt acknowledgedBy { id } }'),
};

export interface Shop extends AsyncDisposable {
  app: TestApp;
  /** How often another subgraph was asked. */
  asked: { catalog: number; vendors: number };
  /** Stores that are suspended as far as `vendors` answers. */
  suspended: Set<string>;
  /** The payload of a mutation, asked by Ann unless said otherwise. */
  run(name: keyof typeof MUTATIONS, input: object, as?: typeof ann | null): Promise<Data>;
  /** A variant of Ann's store that no other test knows: `var_ann_1`. */
  variant(): string;
  /** A new variant with so many pieces in the first warehouse, or in those named. */
  stocked(onHand: number | Record<string, number>): Promise<string>;
  warehouse(priority?: number): Promise<string>;
  item(variantId: string): Promise<Data>;
  available(variantId: string): Promise<number>;
  reserve(
    reference: string,
    lines: Record<string, number>,
    rest?: { holder?: string; ttlSeconds?: number },
  ): Promise<{ reservationId: string; expiresAt: string }>;
  commit(reference: string): Promise<unknown>;
  release(reference: string): Promise<unknown>;
  /** A reference that no other test knows. */
  reference(): string;
  ctx(): Ctx;
}

/** Inventory alone, beside a catalog that knows `var_ann_*` and `var_bob_*`, and vendors of whom Ann and Bob run one each. */
export async function openShop({ locks }: { locks?: KeyedMutex } = {}): Promise<Shop> {
  const asked = { catalog: 0, vendors: 0 };
  const suspended = new Set<string>();
  const stateOf = (vendorId: string) => (suspended.has(vendorId) ? ('SUSPENDED' as const) : ('ACTIVE' as const));
  const app = await open(subgraph, {
    viewer: ann,
    ...(locks && { providers: { inventory: { locks } } }),
    answers: [
      answering(findMemberships, ({ userId }) => {
        asked.vendors += 1;
        const [vendorId, permissions] = WORKS[userId] ?? [];
        return { memberships: vendorId ? [{ vendorId, role: 'STAFF', permissions: permissions!, state: stateOf(vendorId) }] : [] };
      }),
      answering(findVariants, ({ variantIds }) => {
        asked.catalog += 1;
        return { variants: variantIds.filter((id) => /^var_(ann|bob)_/.test(id)).map(copyOf) };
      }),
    ],
  });
  let last = 0;
  const next = () => (last += 1);

  const shop: Shop = {
    app,
    asked,
    suspended,
    run: async (name, input, as = ann) => {
      const { data, errors } = await app.ask(MUTATIONS[name], { input }, { as });
      if (errors) throw Object.assign(new Error(errors[0]!.message), errors[0]!.extensions);
      return data[name];
    },
    variant: () => `var_ann_${next()}`,
    async stocked(onHand) {
      const variantId = shop.variant();
      for (const [warehouseId, count] of typeof onHand === 'number' ? [[undefined, onHand] as const] : Object.entries(onHand)) {
        const { userErrors } = await shop.run('setStock', { variantId, warehouseId, onHand: count, expectedVersion: 0 });
        if (userErrors.length > 0) throw new Error(userErrors[0].message);
      }
      return variantId;
    },
    async warehouse(priority) {
      const { warehouse } = await shop.run('createWarehouse', { vendorId: 'ven_ann', name: `Shed ${next()}`, priority });
      return warehouse.id;
    },
    item: (variantId) => shop.ctx().models.StockItem.findOne({ variantId }).lean(),
    available: async (variantId) => (await app.call(findStock, { variantIds: [variantId] })).stock[0]!.available,
    reserve: (reference, lines, { holder = `hld_${next()}`, ttlSeconds = 600 } = {}) =>
      app.call(reserveStock, {
        reference,
        holder,
        ttlSeconds,
        lines: Object.entries(lines).map(([variantId, quantity]) => ({ variantId, quantity })),
      }),
    commit: (reference) => app.call(commitReservation, { reference }),
    release: (reference) => app.call(releaseReservation, { reference, reason: '' }),
    reference: () => `ord_${next()}`,
    ctx: () => app.context() as Ctx,
    [Symbol.asyncDispose]: () => app.close(),
  };
  return shop;
}

const copyOf = (variantId: string) => ({
  variantId,
  productId: variantId.replace('var_', 'prd_'),
  vendorId: `ven_${variantId.split('_')[1]}`,
  sku: variantId,
  productName: 'Cup',
  variantName: '',
  price: { amount: 1_000, currency: 'ZMW' },
  isForSale: true,
  categoryIds: [],
  imageUrl: null,
  productVersion: 1,
});

/** `ok`, or the code of the refusal. */
export const codeOf = (answer: Promise<unknown>): Promise<string> =>
  answer.then(
    () => 'ok',
    (error: Error & { code?: string }) => error.code ?? error.message,
  );

/** Numbers from 0 to below 1 that are the same for the same seed. */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** For `afterAll`: closes the shop, then fails if its books do not add up. */
export async function closeSoundly(shop: Shop): Promise<void> {
  const problems = await ledgerProblems(shop.ctx());
  await shop.app.close();
  if (problems.length > 0) throw new Error(problems.join('\n'));
}

/** What the ledger does not explain; nothing, as it should be: no gap, each balance the one before and its change, and the last one is the item's. */
export async function ledgerProblems(ctx: Ctx): Promise<string[]> {
  const problems: string[] = [];
  const items = await ctx.models.StockItem.find().lean();
  const movements = Map.groupBy(
    await ctx.models.StockMovement.find().sort({ stockItemId: 1, sequence: 1 }).lean(),
    ({ stockItemId }) => stockItemId,
  );
  for (const item of items) {
    let [onHand, reserved, sequence] = [0, 0, 0];
    for (const movement of movements.get(item._id) ?? []) {
      onHand += movement.onHandChange;
      reserved += movement.reservedChange;
      sequence += 1;
      const isRight =
        movement.sequence === sequence &&
        movement.onHand === onHand &&
        movement.reserved === reserved &&
        movement.available === onHand - reserved;
      if (!isRight) problems.push(`${item.variantId}: movement ${movement.sequence} (${movement.cause}) does not follow`);
    }
    if (item.onHand !== onHand || item.reserved !== reserved || item.sequence !== sequence)
      problems.push(`${item.variantId}: the ledger says ${onHand}/${reserved}`);
    if (item.available !== item.onHand - item.reserved) problems.push(`${item.variantId}: available is ${item.available}`);
    if (item.onHand < 0 || item.reserved < 0 || item.available < 0) problems.push(`${item.variantId}: negative`);
  }
  return problems.concat(await holdProblems(ctx, items));
}

/** What is reserved is what the open reservations hold. */
async function holdProblems(ctx: Ctx, items: { _id: string; variantId: string; reserved: number }[]): Promise<string[]> {
  const held = new Map<string, number>();
  for (const { lines } of await ctx.models.Reservation.find({ state: 'HELD' }).lean()) {
    for (const { stockItemId, quantity } of lines) held.set(stockItemId, (held.get(stockItemId) ?? 0) + quantity);
  }
  return items.flatMap(({ _id, variantId, reserved }) =>
    reserved === (held.get(_id) ?? 0) ? [] : [`${variantId}: ${reserved} reserved, ${held.get(_id) ?? 0} held`],
  );
}

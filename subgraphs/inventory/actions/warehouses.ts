import { z } from 'zod';
import { notFound, Problem } from '#shared/base/errors.ts';
import { country, idempotencyKey, text } from '#shared/base/input.ts';
import { isDuplicateKey } from '#shared/store/mongo.ts';
import { updateVersioned } from '#shared/store/versioned-update.ts';
import type { Ctx } from '../loaders.ts';
import { settings } from '../settings.ts';
import type { Warehouse } from '../model.ts';

/** A vendor's warehouses are shown as one plain list. */

const id = text({ min: 1, max: 100 });
const name = text({ min: 1, max: 100 });
const priority = z.int().min(0, 'must not be negative').max(1_000_000, 'must be at most 1000000');

const Address = z
  .object({
    line1: text({ min: 1, max: 200 }),
    line2: text({ max: 200 }).nullish(),
    city: text({ min: 1, max: 100 }),
    region: text({ max: 100 }).nullish(),
    postalCode: text({ max: 20 }).nullish(),
    country: country(),
    location: z.object({ longitude: z.number().min(-180).max(180), latitude: z.number().min(-90).max(90) }).nullish(),
  })
  .transform(({ location, ...address }) => ({
    ...address,
    location: location ? { type: 'Point' as const, coordinates: [location.longitude, location.latitude] } : null,
  }));

export const CreateWarehouse = z.object({
  vendorId: id,
  name,
  address: Address.nullish(),
  priority: priority.nullish(),
  idempotencyKey: idempotencyKey().nullish(),
});

/** A new warehouse, used after all others unless `priority` says otherwise. */
export async function createWarehouse(ctx: Ctx, { vendorId, name: called, address, priority: wanted }: z.infer<typeof CreateWarehouse>) {
  await ctx.loaders.memberships.require(vendorId, 'STOCK');
  await ctx.providers.locks.acquire(ctx.session!, [vendorId], { deadline: ctx.deadline });
  const known = await ctx.models.Warehouse.find({ vendorId }, { priority: 1 }).sort({ priority: -1 }).lean();
  const most = await ctx.settings.get(settings.warehouses, { vendor: vendorId });
  if (known.length >= most) {
    throw new Problem('TOO_MANY_WAREHOUSES', `A vendor has at most ${most} warehouses.`, { path: ['input', 'vendorId'] });
  }
  const last = known[0]?.priority ?? -1;
  const [warehouse] = await refuseTakenName(
    ctx.models.Warehouse.create([{ vendorId, name: called, address: address ?? null, priority: wanted ?? Math.min(last + 1, 1_000_000) }]),
  );
  return { warehouse: warehouse!.toObject() };
}

const version = { id, expectedVersion: z.int() };

export const UpdateWarehouse = z.object({ ...version, name: name.optional(), address: Address.nullish(), priority: priority.optional() });

/** Changes what is given, if nobody changed the warehouse since `expectedVersion`. */
export async function updateWarehouse(ctx: Ctx, { id: _id, expectedVersion, ...fields }: z.infer<typeof UpdateWarehouse>) {
  await requireWarehouse(ctx, _id);
  const changes = Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
  return { warehouse: await refuseTakenName(change(ctx, { _id, expectedVersion, changes })) };
}

export const DeactivateWarehouse = z.object(version);

/** Closes a warehouse in which nothing lies and nothing is held. */
export async function deactivateWarehouse(ctx: Ctx, { id: _id, expectedVersion }: z.infer<typeof DeactivateWarehouse>) {
  const current = await requireWarehouse(ctx, _id);
  if (!current.isActive) return { warehouse: current };
  const isFull = await ctx.models.StockItem.exists({ warehouseId: _id, $or: [{ onHand: { $gt: 0 } }, { reserved: { $gt: 0 } }] });
  if (isFull) throw new Problem('WAREHOUSE_NOT_EMPTY', 'Something still lies in this warehouse.', { path: ['input', 'id'] });
  // Writing its items makes whoever fills one of them at this moment meet this transaction.
  await ctx.models.StockItem.updateMany({ warehouseId: _id }, { $set: { changedAt: ctx.now() } });
  return { warehouse: await change(ctx, { _id, expectedVersion, changes: { isActive: false } }) };
}

export const ActivateWarehouse = z.object(version);

/** Opens a closed warehouse again. */
export async function activateWarehouse(ctx: Ctx, { id: _id, expectedVersion }: z.infer<typeof ActivateWarehouse>) {
  const current = await requireWarehouse(ctx, _id);
  return { warehouse: current.isActive ? current : await change(ctx, { _id, expectedVersion, changes: { isActive: true } }) };
}

/** What the viewer may not see does not exist; what it sees and may not change is FORBIDDEN. */
async function requireWarehouse(ctx: Ctx, _id: string): Promise<Warehouse> {
  const found = await ctx.models.Warehouse.findById(_id).lean();
  if (!found || !(await ctx.loaders.sees(found.vendorId))) throw notFound('Warehouse', _id, ['input', 'id']);
  await ctx.loaders.memberships.require(found.vendorId, 'STOCK');
  return found;
}

interface Change {
  _id: string;
  expectedVersion: number;
  changes: Partial<Warehouse>;
}

const change = (ctx: Ctx, { _id: id, expectedVersion, changes }: Change): Promise<Warehouse> =>
  updateVersioned<Warehouse>(ctx.models.Warehouse, { id, expectedVersion, set: changes, noun: 'warehouse' });

async function refuseTakenName<T>(write: PromiseLike<T>): Promise<T> {
  try {
    return await write;
  } catch (error) {
    if (isDuplicateKey(error)) throw new Problem('WAREHOUSE_NAME_TAKEN', 'Another warehouse has this name.', { path: ['input', 'name'] });
    throw error;
  }
}

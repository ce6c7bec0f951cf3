import { z } from 'zod';
import { invalid, Problem, type InputPath } from '#shared/base/errors.ts';
import { newId } from '#shared/base/ids.ts';
import { idempotencyKey, list, text } from '#shared/base/input.ts';
import { userError } from '#shared/kit/mutation.ts';
import type { Ctx } from '../loaders.ts';
import type { StockItem } from '../model.ts';
import { isLow, move, tellLow, type Move } from './move.ts';
import { closedProblem, findSlots, isNew, MAX_UNITS, openItems, required, type Slot } from './slots.ts';

const id = text({ min: 1, max: 100 });
const pieces = z.int().min(0, 'must not be negative').max(MAX_UNITS, `must be at most ${MAX_UNITS}`);
const version = z.int().min(0, 'must not be negative');
const reason = text({ max: 200 }).nullish();
const place = { variantId: id, warehouseId: id.nullish() };
const line = { ...place, onHand: pieces, expectedVersion: version };

export const SetStock = z.object({ ...line, reason, idempotencyKey: idempotencyKey().nullish() });

/** Sets what lies on the shelf, if nobody changed it since `expectedVersion`. What is held for orders stays held. */
export async function setStock(ctx: Ctx, input: z.infer<typeof SetStock>) {
  const slot = required((await findSlots(ctx, [{ ...input, path: ['input'] }]))[0]);
  const problem = countProblem(slot, input, ['input']);
  if (problem) throw problem;
  const [stockItem] = await setCounts(ctx, [{ slot, onHand: input.onHand }], input.reason);
  return { stockItem };
}

const BulkLine = z.object({ ...line, expectedVersion: version.nullish() });

export const BulkSetStock = z.object({
  lines: list(BulkLine, { min: 1 }),
  errorPolicy: z.enum(['REJECT_EVERYTHING', 'REJECT_FAILED_LINES']).default('REJECT_EVERYTHING'),
  reason,
  idempotencyKey: idempotencyKey().nullish(),
});

/** Sets many at once: all or nothing, or each line for itself, as the policy says. */
export async function bulkSetStock(ctx: Ctx, { lines, errorPolicy, reason: why }: z.infer<typeof BulkSetStock>) {
  const pathOf = (index: number) => ['input', 'lines', index];
  const slots = await findSlots(
    ctx,
    lines.map((each, index) => ({ ...each, path: pathOf(index) })),
  );
  const checked = slots.map((slot, index) => (slot instanceof Problem ? slot : (countProblem(slot, lines[index]!, pathOf(index)) ?? slot)));
  const refused = checked.find((each) => each instanceof Problem);
  if (refused && errorPolicy === 'REJECT_EVERYTHING') throw refused;
  const counts = checked.flatMap((slot, index) => (slot instanceof Problem ? [] : [{ slot, onHand: lines[index]!.onHand }]));
  const items = new Map((await setCounts(ctx, counts, why)).map((item) => [item._id, item]));
  return {
    results: checked.map((each) =>
      each instanceof Problem
        ? { stockItem: null, userErrors: [userError(each)] }
        : { stockItem: items.get(each.item._id), userErrors: [] },
    ),
  };
}

export const AdjustStock = z
  .object({
    ...place,
    delta: z
      .int()
      .min(-MAX_UNITS)
      .max(MAX_UNITS)
      .refine((delta) => delta !== 0, 'must not be 0'),
    kind: z.enum(['RECEIVED', 'ADJUSTED']).default('ADJUSTED'),
    reason: text({ min: 1, max: 200 }),
    reference: text({ max: 100 }).nullish(),
    idempotencyKey: idempotencyKey(),
  })
  .refine(({ kind, delta }) => kind !== 'RECEIVED' || delta > 0, { path: ['delta'], message: 'must be positive when goods come in' });

/** Adds or takes away pieces; never more than are available. */
export async function adjustStock(ctx: Ctx, input: z.infer<typeof AdjustStock>) {
  const slot = required((await findSlots(ctx, [{ ...input, path: ['input'] }]))[0]);
  const { item } = slot;
  const path = ['input', 'delta'];
  const closed = input.delta > 0 ? closedProblem(slot, ['input', 'warehouseId']) : undefined;
  if (closed) throw closed;
  if (item.available + input.delta < 0) throw insufficient(item.variantId, item.available, path);
  if (item.onHand + input.delta > MAX_UNITS) throw invalid(path, `No more than ${MAX_UNITS} pieces can lie in one place.`);
  const [stockItem] = await move(ctx, [{ item, cause: input.kind, onHand: input.delta }], { ...input, actorId: ctx.viewer!.id });
  return { stockItem };
}

export const TransferStock = z
  .object({
    variantId: id,
    fromWarehouseId: id,
    toWarehouseId: id,
    quantity: z.int().min(1, 'must be at least 1').max(MAX_UNITS, `must be at most ${MAX_UNITS}`),
    reason,
    idempotencyKey: idempotencyKey(),
  })
  .refine(({ fromWarehouseId, toWarehouseId }) => fromWarehouseId !== toWarehouseId, {
    path: ['toWarehouseId'],
    message: 'must be another warehouse',
  });

/** Moves pieces from one warehouse to another; both ledgers name the same transfer. */
export async function transferStock(ctx: Ctx, { variantId, quantity, reason: why, ...ends }: z.infer<typeof TransferStock>) {
  const slots = await findSlots(ctx, [
    { variantId, warehouseId: ends.fromWarehouseId, path: ['input'], field: 'fromWarehouseId' },
    { variantId, warehouseId: ends.toWarehouseId, path: ['input'], field: 'toWarehouseId' },
  ]);
  const [source, target] = [required(slots[0]), required(slots[1])];
  const closed = closedProblem(target, ['input', 'toWarehouseId']);
  if (closed) throw closed;
  if (source.item.available < quantity) throw insufficient(variantId, source.item.available, ['input', 'quantity']);
  if (target.item.onHand + quantity > MAX_UNITS)
    throw invalid(['input', 'quantity'], `No more than ${MAX_UNITS} pieces can lie in one place.`);
  const moves: Move[] = [
    { item: source.item, cause: 'TRANSFERRED', onHand: -quantity },
    { item: target.item, cause: 'TRANSFERRED', onHand: quantity },
  ];
  const [from, to] = await move(ctx, moves, { reference: newId('trf'), reason: why ?? null, actorId: ctx.viewer!.id });
  return { from, to };
}

export const SetLowStockThreshold = z.object({ ...place, threshold: pieces.nullish(), expectedVersion: version });

/** Says when alerts are raised: at once, when there is less already. */
export async function setLowStockThreshold(
  ctx: Ctx,
  { threshold = null, expectedVersion, ...where }: z.infer<typeof SetLowStockThreshold>,
) {
  const { item } = required((await findSlots(ctx, [{ ...where, path: ['input'] }]))[0]);
  if (isNew(item)) throw new Problem('NOT_FOUND', 'This variant was never stocked there.', { path: ['input', 'variantId'] });
  const stockItem = await ctx.models.StockItem.findOneAndUpdate(
    { _id: item._id, version: expectedVersion },
    { $set: { lowStockThreshold: threshold, isLow: isLow(item.available, threshold), changedAt: ctx.now() }, $inc: { version: 1 } },
    { returnDocument: 'after' },
  ).lean();
  if (!stockItem) throw stale(item, ['input', 'expectedVersion']);
  if (stockItem.isLow && !item.isLow && !stockItem.isDiscontinued) tellLow(ctx, stockItem, false);
  return { stockItem };
}

interface Count {
  slot: Slot;
  onHand: number;
}

/** Why a count cannot be taken over, if it cannot. */
function countProblem(slot: Slot, wanted: z.infer<typeof BulkLine>, path: InputPath): Problem | undefined {
  const { item } = slot;
  const { expectedVersion = null, onHand } = wanted;
  if (expectedVersion !== null && expectedVersion !== item.version) return stale(item, [...path, 'expectedVersion']);
  if (onHand < item.reserved) {
    const message = 'More pieces are held for orders than would be left.';
    return new Problem('STOCK_RESERVED', message, { path: [...path, 'onHand'], typename: 'StockReservedError', reserved: item.reserved });
  }
  return onHand > item.onHand || isNew(item) ? closedProblem(slot, [...path, 'warehouseId']) : undefined;
}

/** The items afterwards, in order. One that is as counted already stays as it is. */
async function setCounts(ctx: Ctx, counts: Count[], why: string | null | undefined): Promise<StockItem[]> {
  const wanted = counts.map(({ slot: { item }, onHand }) => ({ item, delta: onHand - item.onHand }));
  const moves = wanted.flatMap(({ item, delta }): Move[] =>
    delta === 0 ? [] : [{ item, cause: isNew(item) ? 'RECEIVED' : 'ADJUSTED', onHand: delta }],
  );
  // Counting nothing is a count as well.
  const empty = wanted.flatMap(({ item, delta }) => (delta === 0 && isNew(item) ? [{ ...item, version: 1 }] : []));
  await openItems(ctx, empty);
  const moved = await move(ctx, moves, { reason: why ?? null, actorId: ctx.viewer!.id });
  const after = new Map([...empty, ...moved].map((item) => [item._id, item]));
  return wanted.map(({ item }) => after.get(item._id) ?? item);
}

const insufficient = (variantId: string, available: number, path: InputPath): Problem =>
  new Problem('INSUFFICIENT_STOCK', 'There are fewer pieces than wanted.', {
    path,
    typename: 'InsufficientStockError',
    variantId,
    available,
  });

const stale = (item: StockItem, path: InputPath): Problem =>
  new Problem('STALE_VERSION', 'Somebody changed this stock meanwhile.', {
    path,
    typename: 'StaleVersionError',
    currentVersion: item.version,
  });

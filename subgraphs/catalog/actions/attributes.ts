import { z } from 'zod';
import { forbidden, invalid, notFound, Problem, type InputPath } from '#shared/base/errors.ts';
import { idempotencyKey, list, slug, text } from '#shared/base/input.ts';
import { isDuplicateKey } from '#shared/store/mongo.ts';
import { productUpdated } from '../contract.ts';
import type { Ctx } from '../loaders.ts';
import { ATTRIBUTE_TYPES, OPTION_TYPES } from '../attribute-types.ts';
import type { Attribute, AttributeOption } from '../model.ts';
import { checkVersion } from './editing.ts';
import { KNOWN_BY, namesOf, type KnownBy } from './known-by.ts';

const name = text({ min: 1, max: 60 });
const option = z.object({
  value: slug(),
  label: name,
  swatch: z
    .string()
    .regex(/^#[\da-f]{6}$/i, 'must be a colour such as #b22222')
    .nullish(),
});
const options = list(option);

export const CreateAttribute = z.object({
  vendorId: z.string().nullish(),
  code: slug(),
  name,
  type: z.enum(ATTRIBUTE_TYPES),
  unit: text({ min: 1, max: 12 }).nullish(),
  options: options.nullish(),
  filterable: z.boolean().nullish(),
  variantAxis: z.boolean().nullish(),
  idempotencyKey: idempotencyKey().optional(),
});

export async function createAttribute(ctx: Ctx, input: z.infer<typeof CreateAttribute>) {
  const vendorId = input.vendorId ?? null;
  await requireOwner(ctx, vendorId);
  const chosen = checkOptions(input.type, input.options ?? []);
  if (input.unit && input.type !== 'NUMBER') throw invalid(['input', 'unit'], 'Only numbers have a unit.');
  checkAxis(input.type, input.variantAxis ?? false);
  // A vendor's attribute must not stand in the way of the marketplace's: CSV columns know them by code alone.
  if (await ctx.models.Attribute.exists({ code: input.code, vendorId: { $in: [null, vendorId] } })) throw codeTaken();
  const { code, type } = input;
  const wanted = {
    vendorId,
    code,
    name: input.name,
    type,
    unit: input.unit ?? null,
    options: chosen,
    filterable: input.filterable ?? false,
    variantAxis: input.variantAxis ?? false,
  };
  try {
    const [attribute] = await ctx.models.Attribute.create([wanted]);
    return { attribute: attribute!.toObject() };
  } catch (error) {
    if (isDuplicateKey(error)) throw codeTaken();
    throw error;
  }
}

export const UpdateAttribute = z.object({
  id: z.string(),
  expectedVersion: z.int(),
  name: name.optional(),
  options: options.optional(),
  filterable: z.boolean().optional(),
  variantAxis: z.boolean().optional(),
});

/** Options that products have stay. New words for an option are on all variants at once. */
export async function updateAttribute(ctx: Ctx, { id, expectedVersion, ...input }: z.infer<typeof UpdateAttribute>) {
  const before = await ctx.models.Attribute.findById(id).lean<Attribute>();
  if (!before) throw notFound('ProductAttribute', id, ['input', 'id']);
  await requireOwner(ctx, before.vendorId ?? null);
  checkVersion(before, expectedVersion);
  const chosen = input.options && checkOptions(before.type, input.options);
  if (input.variantAxis !== undefined) checkAxis(before.type, input.variantAxis);
  if (chosen) await refuseLostOptions(ctx, before, chosen);
  if (input.variantAxis === false && (await ctx.models.Product.exists({ ...usersOf(before), axisIds: id, deletedAt: null }).comment(RARE)))
    throw inUse(['input', 'variantAxis']);
  const changes = { ...input, ...(chosen && { options: chosen }) };
  const attribute = await ctx.models.Attribute.findOneAndUpdate(
    { _id: id, version: expectedVersion },
    { $set: changes, $inc: { version: 1 } },
    { returnDocument: 'after' },
  ).lean<Attribute>();
  for (const { value, label } of relabelled(before, chosen ?? [])) await relabel(ctx, before, { value, label });
  return { attribute };
}

async function requireOwner(ctx: Ctx, vendorId: string | null): Promise<void> {
  if (vendorId !== null) return ctx.loaders.memberships.require(vendorId, 'PRODUCTS');
  if (!ctx.viewer?.roles.includes('admin')) throw forbidden();
}

function checkOptions(type: Attribute['type'], given: z.infer<typeof options>): AttributeOption[] {
  const takes = OPTION_TYPES.includes(type);
  if (takes && given.length === 0) throw invalid(['input', 'options'], 'This type of attribute needs options.');
  if (!takes && given.length > 0) throw invalid(['input', 'options'], 'This type of attribute has no options.');
  return given.map(({ value, label, swatch }, index) => {
    const path: InputPath = ['input', 'options', index];
    if (given.findIndex((other) => other.value === value) !== index) throw invalid([...path, 'value'], 'This option is given twice.');
    if ((type === 'COLOUR') !== Boolean(swatch)) throw invalid([...path, 'swatch'], 'Colours have a swatch, other options have none.');
    return { value, label, swatch: swatch?.toLowerCase() ?? null };
  });
}

function checkAxis(type: Attribute['type'], variantAxis: boolean): void {
  if (variantAxis && (type === 'BOOLEAN' || type === 'MULTISELECT'))
    throw invalid(['input', 'variantAxis'], 'This type of attribute cannot part variants.');
}

const codeTaken = (): Problem => new Problem('CODE_TAKEN', 'There is an attribute with this code.', { path: ['input', 'code'] });
const inUse = (path: InputPath): Problem => new Problem('ATTRIBUTE_IN_USE', 'Products use this.', { path });

async function refuseLostOptions(ctx: Ctx, before: Attribute, chosen: AttributeOption[]): Promise<void> {
  const lost = before.options.map(({ value }) => value).filter((value) => !chosen.some((each) => each.value === value));
  if (lost.length === 0) return;
  const holds = { $elemMatch: { attributeId: before._id, value: { $in: lost } } };
  const users = { ...usersOf(before), deletedAt: null };
  for (const holding of [{ attributes: holds }, { 'variants.axes': holds }])
    if (await ctx.models.Product.exists({ ...users, ...holding }).comment(RARE)) throw inUse(['input', 'options']);
}

/** Products that can have an attribute: those of its vendor, or all for one of the operator's. */
const usersOf = ({ vendorId }: Attribute) => (vendorId ? { vendorId } : {});
const RARE = 'plan: attributes of the operator change rarely';

const relabelled = (before: Attribute, chosen: AttributeOption[]): AttributeOption[] =>
  chosen.filter(({ value, label }) => before.options.some((old) => old.value === value && old.label !== label));

async function relabel(ctx: Ctx, attribute: Attribute, { value, label }: { value: string; label: string }): Promise<void> {
  const filter = { ...usersOf(attribute), 'variants.axes': { $elemMatch: { attributeId: attribute._id, value } } };
  const found = await ctx.models.Product.find(filter, KNOWN_BY).comment(RARE).lean<KnownBy[]>();
  if (found.length === 0) return;
  await ctx.models.Product.updateMany(
    filter,
    { $set: { 'variants.$[].axes.$[axis].text': label } },
    { arrayFilters: [{ 'axis.attributeId': attribute._id, 'axis.value': value }], comment: RARE },
  );
  ctx.publish(...found.map((product) => productUpdated({ ...namesOf(product), changes: ['variants'] })));
}

import { z } from 'zod';
import { translateWhere } from '#shared/store/where.ts';
import { invalid, isProblem, Problem, type InputPath } from '#shared/base/errors.ts';
import { textKey } from '#shared/base/text.ts';
import { findSubtree } from '../../categories/contract.ts';
import type { Ctx } from '../loaders.ts';
import { tagOf } from './inputs.ts';

type Filter = Record<string, unknown>;

/** What a client may ask of products, as GraphQL hands it over. */
export interface ProductWhere {
  categoryId?: string | null;
  attributes?: AttributeFilter[] | null;
  nameStartsWith?: string | null;
  vendorId?: { eq?: string | null } | null;
  state?: object | null;
  AND?: ProductWhere[] | null;
  OR?: ProductWhere[] | null;
  [field: string]: unknown;
}

interface AttributeFilter {
  attributeId: string;
  in?: string[] | null;
  gte?: number | null;
  lte?: number | null;
  is?: boolean | null;
}

/** Fields whose conditions the kit translates. */
const FIELDS = {
  vendorId: 'id',
  price: { kind: 'money', path: 'lowestPrice' },
  tags: { kind: 'text', path: 'tags', as: tagOf },
  state: 'enum',
  createdAt: 'date',
} as const;

const DEEPEST = 3;
const MAX_BRANCHES = 10;
const MAX_ATTRIBUTES = 10;
const MAX_VALUES = 50;
const MAX_PREFIX_LENGTH = 64;

/** A client's `where` as a filter of the store. Asks categories and attribute definitions for what the conditions mean. */
export async function translateProductWhere(
  ctx: Ctx,
  where: ProductWhere | null | undefined,
  path: InputPath = ['where'],
): Promise<Filter> {
  if (!where) return {};
  if (path.length > 1 + 2 * DEEPEST) throw invalid(path, `Conditions nest at most ${DEEPEST} deep.`);
  const { categoryId, attributes, nameStartsWith, AND, OR, ...plain } = where;
  const parts = [repathed(path, () => translateWhere(plain, FIELDS))];
  if (isGiven(categoryId)) parts.push({ categoryIds: { $in: await subtreeOf(ctx, categoryId) } });
  if (isGiven(nameStartsWith)) parts.push(prefixFilter(nameStartsWith, [...path, 'nameStartsWith']));
  if (isGiven(attributes)) parts.push(...(await attributeFilters(ctx, attributes, [...path, 'attributes'])));
  if (isGiven(AND)) parts.push({ $and: await branches(ctx, AND, [...path, 'AND']) });
  if (isGiven(OR)) parts.push({ $or: await branches(ctx, OR, [...path, 'OR']) });
  return { $and: parts };
}

const isGiven = <T>(value: T | null | undefined): value is T => value !== null && value !== undefined;

async function branches(ctx: Ctx, list: readonly ProductWhere[], path: InputPath): Promise<Filter[]> {
  if (list.length === 0 || list.length > MAX_BRANCHES) throw invalid(path, `1 to ${MAX_BRANCHES} conditions belong here.`);
  const translated: Filter[] = [];
  for (const [index, entry] of list.entries()) translated.push(await translateProductWhere(ctx, entry, [...path, index]));
  return translated;
}

/** The kit knows nothing of where in the tree its part stands. */
function repathed(path: InputPath, translate: () => Filter): Filter {
  try {
    return translate();
  } catch (error) {
    if (!isProblem(error)) throw error;
    throw new Problem(error.code, error.message, { path: [...path, ...(error.inputPath ?? []).slice(1)] });
  }
}

async function subtreeOf(ctx: Ctx, id: string): Promise<string[]> {
  const { ids } = await ctx.call(findSubtree, { id });
  return ids;
}

function prefixFilter(given: string, path: InputPath): Filter {
  const key = textKey(given);
  if (key.length === 0 || given.length > MAX_PREFIX_LENGTH || !given.isWellFormed() || given.includes('\0')) {
    throw invalid(path, `1 to ${MAX_PREFIX_LENGTH} characters belong here.`);
  }
  return { nameKey: { $regex: `^${key.replaceAll(/[\\^$.*+?()[\]{}|/-]/g, String.raw`\$&`)}` } };
}

const AttributeCondition = z.object({
  attributeId: z.string(),
  in: z.array(z.string().max(200)).min(1).max(MAX_VALUES).nullish(),
  gte: z.number().nullish(),
  lte: z.number().nullish(),
  is: z.boolean().nullish(),
});

async function attributeFilters(ctx: Ctx, list: readonly AttributeFilter[], path: InputPath): Promise<Filter[]> {
  if (list.length > MAX_ATTRIBUTES) throw invalid(path, `At most ${MAX_ATTRIBUTES} attributes belong here.`);
  const definitions = await ctx.loaders.attribute.loadMany(list.map(({ attributeId }) => attributeId));
  return list.map((entry, index) => {
    const place = [...path, index];
    const parsed = AttributeCondition.safeParse(entry);
    if (!parsed.success) throw invalid([...place, ...(parsed.error.issues[0]?.path ?? []).map(String)], 'The value is not acceptable.');
    const definition = definitions[index];
    if (!definition || definition instanceof Error || !definition.filterable) {
      throw invalid([...place, 'attributeId'], 'Lists cannot be narrowed by this attribute.');
    }
    return { facets: { $elemMatch: { attributeId: entry.attributeId, ...valueFilter(parsed.data, place) } } };
  });
}

function valueFilter({ in: oneOf, gte, lte, is }: z.infer<typeof AttributeCondition>, path: InputPath): Filter {
  const conditions: Filter[] = [];
  if (isGiven(oneOf)) conditions.push({ value: { $in: oneOf } });
  if (isGiven(gte)) conditions.push({ value: { $gte: gte } });
  if (isGiven(lte)) conditions.push({ value: { $lte: lte } });
  if (isGiven(is)) conditions.push({ value: { $eq: is } });
  if (conditions.length === 0) throw invalid(path, 'A condition on the value belongs here.');
  return conditions.length === 1 ? conditions[0]! : { $and: conditions };
}

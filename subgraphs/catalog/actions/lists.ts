import { createHash } from 'node:crypto';
import { connection, type Connection, type ListArguments } from '#shared/store/pagination.ts';
import { forbidden, invalid, unauthenticated } from '#shared/base/errors.ts';
import type { Ctx } from '../loaders.ts';
import type { Attribute, Product } from '../model.ts';
import { settings } from '../settings.ts';
import { isPublic, publicFilter, seesAll } from '../visibility.ts';
import { translateProductWhere, type ProductWhere } from './where.ts';

export interface ProductList extends Omit<ListArguments, 'where'> {
  where?: ProductWhere | null;
}

const SORTS = { CREATED_AT: 'createdAt', PRICE: 'lowestPrice.amount', NAME: 'nameKey' };
const NEWEST_FIRST = { field: 'CREATED_AT', direction: 'DESC' } as const;

/** Kept together, so that one change makes all of them stale. */
export const PAGES = 'products:page:*';
export const CATEGORY_PAGES = 'products:category:*';

/** What everyone can see, kept for some time; or, when the state is asked for, what there is of one's own, as it is now. */
export async function listProducts(ctx: Ctx, list: ProductList): Promise<Connection<Product>> {
  if (!list.where?.state) {
    if (namesState(list.where)) throw invalid(['where', 'state'], 'The state is asked for at the top of the conditions.');
    return listPublic(ctx, list);
  }
  await requireOwn(ctx, list.where);
  return read(ctx, list, { deletedAt: null });
}

const namesState = (where: ProductWhere | null | undefined): boolean =>
  [...(where?.AND ?? []), ...(where?.OR ?? [])].some((inner) => Boolean(inner.state) || namesState(inner));

async function requireOwn(ctx: Ctx, { vendorId }: ProductWhere): Promise<void> {
  if (!ctx.viewer) throw unauthenticated();
  if (ctx.viewer.roles.includes('admin')) return;
  if (!vendorId?.eq || !(await seesAll(ctx, vendorId.eq))) throw forbidden();
}

async function read(ctx: Ctx, { where, ...list }: ProductList, visible: Record<string, unknown>): Promise<Connection<Product>> {
  const filter = { $and: [visible, await translateProductWhere(ctx, where)] };
  const plan =
    where && isComposed(where) ? 'a range under another order, or conditions joined at will, walk the order that is asked for' : undefined;
  return connection<Product>(ctx.models.Product, { ...list, filter, sorts: SORTS, defaultSort: NEWEST_FIRST, plan });
}

const isComposed = ({ price, nameStartsWith, AND, OR }: ProductWhere): boolean => Boolean(price ?? nameStartsWith ?? AND ?? OR);

/** A page as it is kept: which products, not what they look like, so that what was hidden since can be left out. */
interface Page {
  edges: { id: string; cursor: string }[];
  hasNextPage: boolean;
  hasPreviousPage: boolean;
}

async function listPublic(ctx: Ctx, list: ProductList): Promise<Connection<Product>> {
  const { key, seconds, groups } = await placeOf(ctx, list);
  const page = await ctx.cache.cached<Page>(key, seconds, () => readPage(ctx, list), { groups });
  const products = await ctx.loaders.sharedProduct.loadMany(page.edges.map(({ id }) => id));
  const edges = page.edges.flatMap(({ cursor }, index) => {
    const node = products[index];
    if (node instanceof Error) throw node;
    return node && isPublic(node, ctx.now()) ? [{ node, cursor }] : [];
  });
  return {
    edges,
    nodes: edges.map(({ node }) => node),
    pageInfo: {
      hasNextPage: page.hasNextPage,
      hasPreviousPage: page.hasPreviousPage,
      startCursor: page.edges[0]?.cursor ?? null,
      endCursor: page.edges.at(-1)?.cursor ?? null,
    },
    totalCount: () =>
      ctx.cache.cached(
        `${key}:count`,
        seconds,
        async () => (await read(ctx, { where: list.where, first: 0 }, publicFilter(ctx.now()))).totalCount(),
        { groups },
      ),
  };
}

async function readPage(ctx: Ctx, list: ProductList): Promise<Page> {
  const { edges, pageInfo } = await read(ctx, list, publicFilter(ctx.now()));
  const { hasNextPage, hasPreviousPage } = pageInfo;
  return { edges: edges.map(({ node, cursor }) => ({ id: node._id, cursor })), hasNextPage, hasPreviousPage };
}

const SEARCH_FIELDS = ['attributes', 'tags', 'price', 'nameStartsWith', 'createdAt', 'AND', 'OR'] as const;

/**
 * Under which name a page is kept and for how long: plain pages, pages of a category, and everything that is narrowed further. The
 * time is part of the name, so that dates of publication take effect after that long at the latest.
 */
async function placeOf(ctx: Ctx, list: ProductList): Promise<{ key: string; seconds: number; groups: string[] }> {
  const { where } = list;
  const at = (seconds: number): string => {
    const asked = JSON.stringify([
      list.first,
      list.after,
      list.last,
      list.before,
      list.sort,
      where,
      Math.floor(ctx.now().getTime() / 1_000 / seconds),
    ]);
    return createHash('sha256').update(asked).digest('base64url');
  };
  if (SEARCH_FIELDS.some((field) => where?.[field] !== undefined && where[field] !== null)) {
    const seconds = await ctx.settings.get(settings.searchCacheSeconds);
    return { key: `products:search:${at(seconds)}`, seconds, groups: [] };
  }
  if (where?.categoryId) {
    const seconds = await ctx.settings.get(settings.categoryCacheSeconds);
    return { key: `products:category:${where.categoryId}:${at(seconds)}`, seconds, groups: [CATEGORY_PAGES] };
  }
  const seconds = await ctx.settings.get(settings.pageCacheSeconds);
  return { key: `products:page:${at(seconds)}`, seconds, groups: [PAGES] };
}

/** Attributes of the marketplace and of one vendor, by name. */
export const listAttributes = (
  ctx: Ctx,
  { vendorId, ...list }: ListArguments & { vendorId?: string | null },
): Promise<Connection<Attribute>> =>
  connection<Attribute>(ctx.models.Attribute, {
    ...list,
    filter: { vendorId: { $in: vendorId ? [null, vendorId] : [null] } },
    sorts: { NAME: 'name' },
    defaultSort: { field: 'NAME' },
  });

/** The same list with one more condition, beside whatever the client says about the same field. */
export function within(list: ProductList, field: 'vendorId' | 'categoryId', condition: unknown): ProductList {
  const where: ProductWhere = { ...list.where };
  const said = where[field];
  const both = said === null || said === undefined ? {} : { AND: [...(where.AND ?? []), { [field]: said }] };
  return { ...list, where: { ...where, ...both, [field]: condition } };
}

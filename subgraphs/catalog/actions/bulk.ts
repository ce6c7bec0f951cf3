import { z } from 'zod';
import { notFound, Problem, type InputPath } from '#shared/base/errors.ts';
import { idempotencyKey, list } from '#shared/base/input.ts';
import { userError, type UserError } from '#shared/kit/mutation.ts';
import type { Ctx } from '../loaders.ts';
import type { Product } from '../model.ts';
import { attempts, draftProduct } from './drafts.ts';
import { changed, checkVersion, differing, refuseTaken, updateOf, type Changes } from './editing.ts';
import { findFacts, type Facts, type Wanted } from './facts.ts';
import { NewProduct, ProductChange, VariantChange } from './inputs.ts';
import { addDrafted, changesOf, wantedByChange, wantedByNew } from './products.ts';
import { ERROR_POLICIES, parseRow, release, type ErrorPolicy, type ParsedRow } from './rows.ts';
import { changedBy, replaced } from './variants.ts';

const Bulk = z.object({
  vendorId: z.string(),
  products: list(z.unknown(), { min: 1 }),
  errorPolicy: z.enum(ERROR_POLICIES).nullish(),
  idempotencyKey: idempotencyKey().optional(),
});

interface Outcome<T> {
  taken: T | undefined;
  problems: Problem[];
}

/** Which entry met another product at the last moment is not known. */
const PLACES = { path: ['input', 'products'], slugPath: ['input', 'products'] };

const pathOf = (index: number): InputPath => ['input', 'products', index];

export const BulkCreateProducts = Bulk;

/** All entries in one transaction; the policy decides what a wrong one spoils. */
export async function bulkCreateProducts(ctx: Ctx, { vendorId, products, errorPolicy }: z.infer<typeof Bulk>) {
  await ctx.loaders.memberships.require(vendorId, 'PRODUCTS');
  const policy = errorPolicy ?? 'REJECT_ALL';
  const rows = products.map((given, index) => parseRow(NewProduct, given, { path: pathOf(index), lenient: policy === 'IGNORE_FAILED' }));
  const facts = await findFacts(ctx, vendorId, union(rows.flatMap(({ row }) => (row ? [wantedByNew(row)] : []))));
  const outcomes = rows.map((row, index) => draftRow(facts, row, { index, policy, now: ctx.now() }));
  refuseIfRejected(policy, outcomes);
  const taken = outcomes.flatMap(({ taken: product }) => product ?? []);
  await refuseTaken(addDrafted(ctx, taken), PLACES);
  return { results: resultsOf(outcomes), createdCount: taken.length };
}

interface RowOptions {
  index: number;
  policy: ErrorPolicy;
  now: Date;
}

function draftRow(
  facts: Facts,
  { row, problems: misread, place }: ParsedRow<NewProduct>,
  { index, policy, now }: RowOptions,
): Outcome<Product> {
  if (!row) return { taken: undefined, problems: misread };
  const { attempt, problems } = attempts();
  const product = draftProduct(facts, row, { path: pathOf(index), now, attempt });
  const all = [...misread, ...problems.map((problem) => moved(problem, place))];
  // Without a slug there is no product, however much is forgiven.
  if (all.length === 0 || (policy === 'IGNORE_FAILED' && product.slug !== '')) return { taken: product, problems: all };
  release(facts, product);
  return { taken: undefined, problems: all };
}

const moved = (problem: Problem, place: (path: InputPath) => InputPath): Problem =>
  new Problem(problem.code, problem.message, { ...problem.facts, typename: problem.typename, path: place(problem.inputPath ?? []) });

export const BulkUpdateProducts = Bulk;

const ChangeRow = ProductChange.omit({ variantAxes: true }).extend({ variants: list(VariantChange, { max: 100 }).optional() });
type ChangeRow = z.infer<typeof ChangeRow>;

interface Edit {
  before: Product;
  changes: Changes;
}

/** All entries in one transaction, each against the version it was made from. */
export async function bulkUpdateProducts(ctx: Ctx, { vendorId, products, errorPolicy }: z.infer<typeof Bulk>) {
  await ctx.loaders.memberships.require(vendorId, 'PRODUCTS');
  const policy = errorPolicy ?? 'REJECT_ALL';
  const rows = products.map((given, index) => parseRow(ChangeRow, given, { path: pathOf(index), lenient: policy === 'IGNORE_FAILED' }));
  const ids = rows.flatMap(({ row }) => row?.id ?? []);
  const found = await ctx.models.Product.find({ _id: { $in: ids } }).lean<Product[]>();
  const own = found.filter((product) => product.vendorId === vendorId && !product.deletedAt);
  const known = new Map(own.map((product) => [product._id, product]));
  const wanted = rows.flatMap(({ row }) => (row ? [wantedByRow(row, known)] : []));
  const facts = await findFacts(ctx, vendorId, union(wanted));
  const seen = new Set<string>();
  const outcomes = rows.map((row, index) => editRow(facts, row, { index, policy, now: ctx.now(), known, seen }));
  refuseIfRejected(policy, outcomes);
  const edits = outcomes.flatMap(({ taken }) => taken ?? []).filter(({ changes }) => Object.keys(changes).length > 0);
  await writeEdits(ctx, edits);
  return { results: resultsOf(outcomes.map(({ taken, problems }) => ({ taken: taken?.before, problems }))), updatedCount: edits.length };
}

const wantedByRow = (row: ChangeRow, known: ReadonlyMap<string, Product>): Required<Wanted> => {
  const wanted = wantedByChange(row);
  const axisIds = row.variants ? (known.get(row.id)?.axisIds ?? []) : [];
  return { ...wanted, attributeIds: [...wanted.attributeIds, ...axisIds], skus: (row.variants ?? []).flatMap(({ sku }) => sku ?? []) };
};

interface EditOptions extends RowOptions {
  known: ReadonlyMap<string, Product>;
  seen: Set<string>;
}

function editRow(
  facts: Facts,
  { row, problems: misread, place }: ParsedRow<ChangeRow>,
  { index, policy, now, known, seen }: EditOptions,
): Outcome<Edit> {
  if (!row) return { taken: undefined, problems: misread };
  const path = pathOf(index);
  const before = known.get(row.id);
  const { attempt, problems } = attempts();
  const isRight = attempt(() => {
    if (!before) throw notFound('Product', row.id, [...path, 'id']);
    if (seen.has(row.id)) throw new Problem('INVALID', 'This product is named twice.', { path: [...path, 'id'] });
    checkVersion(before, row.expectedVersion, path);
    return true;
  });
  if (!before || !isRight) return { taken: undefined, problems: [...misread, ...problems] };
  seen.add(row.id);
  const changes = changesOf(facts, before, row, { path: [...path], attempt });
  let working = before;
  for (const [position, input] of (row.variants ?? []).entries()) {
    const place_ = [...path, 'variants', position];
    const variant = attempt(() => {
      const old = working.variants.find(({ _id }) => _id === input.id);
      if (!old) throw notFound('ProductVariant', input.id, [...place_, 'id']);
      return changedBy(facts, working, { variant: old, input, path: place_, now });
    });
    if (variant) working = { ...working, variants: replaced(working, variant) };
  }
  const all = [...misread, ...problems.map((problem) => moved(problem, place))];
  if (all.length > 0 && policy !== 'IGNORE_FAILED') {
    release(facts, before, before);
    return { taken: undefined, problems: all };
  }
  return { taken: { before, changes: differing(before, { ...changes, variants: working.variants }) }, problems: all };
}

async function writeEdits(ctx: Ctx, edits: readonly Edit[]): Promise<void> {
  if (edits.length === 0) return;
  const now = ctx.now();
  const writes = edits.map(({ before, changes }) => ({
    updateOne: { filter: { _id: before._id, version: before.version, deletedAt: null }, update: updateOf(before, changes, now) },
  }));
  await refuseTaken(ctx.models.Product.bulkWrite(writes), PLACES);
  ctx.publish(...edits.map(({ before, changes }) => changed(before, changes)));
}

function union(wanted: readonly Required<Wanted>[]): Wanted {
  return {
    attributeIds: wanted.flatMap(({ attributeIds }) => attributeIds),
    categoryIds: wanted.flatMap(({ categoryIds }) => categoryIds),
    slugs: wanted.flatMap(({ slugs }) => slugs),
    skus: wanted.flatMap(({ skus }) => skus),
  };
}

function refuseIfRejected(policy: ErrorPolicy, outcomes: readonly Outcome<unknown>[]): void {
  if (policy !== 'REJECT_ALL' || outcomes.every(({ problems }) => problems.length === 0)) return;
  const results = resultsOf(outcomes.map(({ problems }) => ({ taken: undefined, problems })));
  throw new Problem('REJECTED', 'An entry is wrong, so none was taken.', {
    path: ['input', 'products'],
    typename: 'BulkRejectedError',
    results,
  });
}

interface BulkResult {
  index: number;
  productId: string | null;
  userErrors: UserError[];
}

/** Only ids: a stored answer that holds hundreds of products would outgrow its row. */
const resultsOf = (outcomes: readonly Outcome<Pick<Product, '_id'>>[]): BulkResult[] =>
  outcomes.map(({ taken, problems }, index) => ({ index, productId: taken?._id ?? null, userErrors: problems.map(userError) }));

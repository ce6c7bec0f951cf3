import { setImmediate as turn } from 'node:timers/promises';
import type { z } from 'zod';
import { invalid, isProblem, Problem } from '#shared/base/errors.ts';

import { validationMessage } from '#shared/base/validation-messages.ts';
import type { Ctx } from '../loaders.ts';
import type { Attribute, Product, ProductImport } from '../model.ts';
import { splitList, type Row } from './csv.ts';
import type { TableRow } from './csv-reading.ts';
import { keyOf as uniqueKey } from '../keys.ts';
import { attempts, draftProduct, draftVariant, keysOf, summaryOf, type Attempt } from './drafts.ts';
import { changed, differing, updateOf } from './editing.ts';
import { findFacts, type Facts } from './facts.ts';
import { archivedAs, keyOf, mediaFrom, mediaIdOf, metadataFrom, stateFrom, wantsArchived } from './import-cells.ts';
import { columnOf, productInput, variantInput } from './import-rows.ts';
import { skuOf } from './import-parts.ts';
import { failureOf } from './jobs.ts';
import { MAX_VARIANTS, NewProduct, NewVariant, ProductChange, VariantChange } from './inputs.ts';
import { addDrafted, changesOf } from './products.ts';
import { refuseNothingToSell } from './publication.ts';
import { parseRow, release } from './rows.ts';
import { changedBy, replaced } from './variants.ts';

export interface RowProblem {
  row: number;
  column: string | null;
  code: string;
  message: string;
}

/** What a part of an import looks things up in. */
interface Table {
  facts: Facts;
  /** By code. */
  attributes: ReadonlyMap<string, Attribute>;
  products: Map<string, Product>;
  /** Media of the vendor that were looked at before, by key. */
  files: ReadonlyMap<string, { contentType: string }>;
  lenient: boolean;
  now: Date;
}

/** Takes the rows of some products: all that is right is written at once, and what is wrong is told by row. */
export async function importGroups(ctx: Ctx, running: ProductImport, rows: readonly TableRow[]) {
  const groups = [...Map.groupBy(rows, ({ cells }) => cells['slug'] ?? '')];
  const table = await lookUp(ctx, running, rows);
  const problems: RowProblem[] = [];
  const made: Product[] = [];
  const edits: { before: Product; after: Product }[] = [];
  let [updated, failed] = [0, 0];
  for (const [slug, group] of groups) {
    const before = table.products.get(slug);
    const taken = await takeAnyGroup(ctx, table, { before, group });
    problems.push(...taken.problems);
    // A product that is not taken takes all its rows with it.
    failed += taken.product ? new Set(taken.problems.map(({ row }) => row)).size : group.length;
    if (!taken.product) continue;
    if (!before) made.push(taken.product);
    else {
      updated += 1;
      edits.push({ before, after: taken.product });
    }
  }
  await addDrafted(ctx, made);
  await writeEdits(ctx, edits, table.now);
  return { created: made.length, updated, failed, problems: problems.toSorted((a, b) => a.row - b.row) };
}

async function lookUp(ctx: Ctx, { vendorId, errorPolicy }: ProductImport, rows: readonly TableRow[]): Promise<Table> {
  const cells = (column: string): string[] => [...new Set(rows.map(({ cells: row }) => row[column] ?? '').filter(Boolean))];
  const definitions = await ctx.models.Attribute.find({ vendorId: { $in: [null, vendorId] } }).lean<Attribute[]>();
  const slugs = cells('slug');
  const found = await ctx.models.Product.find({ slugKey: { $in: slugs.map((slug) => uniqueKey(vendorId, slug)) } }).lean<Product[]>();
  const facts = await findFacts(ctx, vendorId, {
    categoryIds: cells('categories').flatMap(splitList),
    slugs,
    skus: cells('sku').map(skuOf),
  });
  const keys = [...cells('media').flatMap(splitList).map(keyOf), ...cells('variant_media')];
  const uploads =
    keys.length > 0 ? await ctx.models.Upload.find({ key: { $in: keys }, vendorId, purpose: 'MEDIA', usedBy: { $ne: null } }).lean() : [];
  return {
    facts: { ...facts, attributes: new Map(definitions.map((attribute) => [attribute._id, attribute])) },
    attributes: new Map(definitions.map((attribute) => [attribute.code, attribute])),
    products: new Map(found.map((product) => [product.slug, product])),
    files: new Map(uploads.map(({ key, contentType }) => [key, { contentType }])),
    lenient: errorPolicy === 'IGNORE_FAILED',
    now: ctx.now(),
  };
}

interface Group {
  table: Table;
  problems: RowProblem[];
  attemptAt: (number: number, input: Record<string, unknown>) => Attempt;
}

interface Taken {
  product: Product | undefined;
  problems: RowProblem[];
}

/** A product that trips us does not take the others with it. Everybody else has a turn before each. */
async function takeAnyGroup(ctx: Ctx, table: Table, { before, group }: { before: Product | undefined; group: TableRow[] }): Promise<Taken> {
  await turn();
  const row = group[0]!.number;
  try {
    return takeGroup(table, before, group);
  } catch (error) {
    ctx.log.error({ err: error, row }, 'a product of an import could not be read');
    return { product: undefined, problems: [{ row, column: null, ...failureOf(error) }] };
  }
}

function takeGroup(table: Table, before: Product | undefined, all: readonly TableRow[]): Taken {
  const problems = all.flatMap(({ number, fault }) => (fault ? [{ row: number, ...fault, code: 'INVALID' }] : []));
  const rows = all.filter(({ fault }) => !fault);
  if (rows.length === 0 || (all[0]!.fault && !table.lenient)) return { product: undefined, problems };
  const attemptAt =
    (row: number, input: Record<string, unknown>): Attempt =>
    (check) => {
      try {
        return check();
      } catch (error) {
        if (!isProblem(error)) throw error;
        const column = columnOf(error.inputPath ?? [], input, table.attributes);
        problems.push({ row, column, code: error.code, message: error.message });
        return undefined;
      }
    };
  const group: Group = { table, problems, attemptAt };
  let product = productFrom(group, before, rows[0]!);
  if (product) for (const row of rows) product = withVariant(group, product, row);
  if (product && (!before || rows[0]!.cells['name'] !== '')) product = withState(group, product, rows[0]!);
  const isHeld = !product || staysReleased(group, product, rows.at(-1)!);
  if (product && isHeld && (problems.length === 0 || table.lenient))
    return { product: before ? product : { ...product, ...summaryOf(product), ...keysOf(product) }, problems };
  if (product) release(table.facts, product, before);
  return { product: undefined, problems };
}

/** False when a released product would have nothing to sell, which nobody's policy makes right. */
function staysReleased({ problems, attemptAt }: Group, product: Product, last: TableRow): boolean {
  if (product.state !== 'PUBLISHED') return true;
  if (problems.some(({ code }) => code === 'NOTHING_TO_SELL')) return false;
  return attemptAt(last.number, {})(() => refuseNothingToSell(product, ['variant_state']) ?? true) ?? false;
}

/** The product as its first row wants it, still without changes of variants. */
function productFrom({ table, problems, attemptAt }: Group, before: Product | undefined, { number, cells }: TableRow): Product | undefined {
  const { facts, attributes, lenient, now } = table;
  // A row without a name goes on with the product of an earlier row.
  if (before && cells['name'] === '') return before;
  const input = productInput(cells, attributes, before);
  const attempt = attemptAt(number, input);
  const unknown = unknownCodes(cells, attributes);
  for (const column of unknown) problems.push({ row: number, column, code: 'NOT_FOUND', message: 'There is no attribute with this code.' });
  const schema = before ? ProductChange : NewProduct;
  const { row, problems: misread } = parseRow(schema, before ? { ...input, id: before._id, expectedVersion: before.version } : input, {
    path: [],
    lenient,
  });
  for (const problem of misread) attempt(() => raise(problem));
  if (!row) return undefined;
  const nested = attempts();
  const product = before
    ? { ...before, ...differing(before, changesOf(facts, before, row as ProductChange, { path: [], attempt: nested.attempt })) }
    : draftProduct(facts, row as NewProduct, { path: [], now, attempt: nested.attempt });
  for (const problem of nested.problems) attempt(() => raise(problem));
  if (product.slug === '') return undefined;
  return { ...product, ...attempt(() => mediaFrom(table.files, product, cells)), ...attempt(() => metadataFrom(cells)) };
}

function raise(problem: Problem): never {
  throw problem;
}

const unknownCodes = (cells: Row, attributes: ReadonlyMap<string, Attribute>): string[] =>
  Object.keys(cells).filter(
    (column) => column.startsWith('attribute:') && cells[column] !== '' && !attributes.has(column.slice('attribute:'.length)),
  );

function withVariant({ table, attemptAt }: Group, product: Product, { number, cells }: TableRow): Product {
  // A product without variants has one row without a SKU.
  const sku = skuOf(cells['sku'] ?? '');
  if (!sku) return product;
  const { facts, attributes, now } = table;
  const old = product.variants.find((variant) => variant.sku === sku);
  const currency = facts.currency;
  const input = variantInput(cells, attributes, { axisIds: product.axisIds, currency, known: old });
  const attempt = attemptAt(number, input);
  const variant = attempt(() => {
    const [mediaId, archived] = [mediaIdOf(product, cells), wantsArchived(cells)];
    if (old) {
      const change = read(VariantChange, { ...input, mediaId, id: old._id, expectedVersion: old.version });
      return archivedAs(product, changedBy(facts, product, { variant: old, input: change, path: [], now }), { archived, now });
    }
    if (product.variants.length >= MAX_VARIANTS) {
      throw new Problem('TOO_MANY_VARIANTS', `A product has at most ${MAX_VARIANTS} variants.`, { path: ['sku'] });
    }
    const made = draftVariant(facts, product, read(NewVariant, input), { path: [], now, archived: archived ?? false });
    return { ...made, mediaId: mediaId ?? null };
  });
  if (!variant) return product;
  return { ...product, variants: old ? replaced(product, variant) : [...product.variants, variant] };
}

function read<S extends z.ZodType>(schema: S, given: unknown): z.output<S> {
  const parsed = schema.safeParse(given, { error: validationMessage });
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw invalid((issue?.path ?? []) as string[], `The value ${issue?.message ?? 'is not acceptable'}.`);
}

function withState({ table, attemptAt }: Group, product: Product, { number, cells }: TableRow): Product {
  return attemptAt(number, {})(() => stateFrom(product, cells, table.now)) ?? product;
}

async function writeEdits(ctx: Ctx, edits: readonly { before: Product; after: Product }[], now: Date): Promise<void> {
  const real = edits
    .map(({ before, after }) => ({ before, changes: differing(before, after) }))
    .filter(({ changes }) => Object.keys(changes).length > 0);
  if (real.length === 0) return;
  await ctx.models.Product.bulkWrite(
    real.map(({ before, changes }) => ({
      updateOne: { filter: { _id: before._id, version: before.version }, update: updateOf(before, changes, now) },
    })),
  );
  ctx.publish(...real.map(({ before, changes }) => changed(before, changes)));
}

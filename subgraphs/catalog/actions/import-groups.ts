import { invalid, isProblem, Problem } from '../../../shared/errors.ts';
import { newId } from '../../../shared/ids.ts';
import type { Ctx } from '../loaders.ts';
import { actionsFrom, PRODUCT_STATES, stateAfter, type ProductState } from '../machine.ts';
import type { Attribute, Media, Product, ProductImport } from '../model.ts';
import { splitList, type NumberedRow, type Row } from './csv.ts';
import { attempts, checkVariant, draftProduct, draftVariant, summaryOf, type Attempt } from './drafts.ts';
import { changed, differing, updateOf } from './editing.ts';
import { findFacts, type Facts } from './facts.ts';
import { columnOf, factsOf, productInput, variantInput } from './import-rows.ts';
import { metadataList, MOST_VARIANTS, NewProduct, NewVariant, ProductChange, VariantChange } from './inputs.ts';
import { announced, changesOf } from './products.ts';
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
export async function importGroups(ctx: Ctx, running: ProductImport, rows: readonly NumberedRow[]) {
  const groups = [...Map.groupBy(rows, ({ cells }) => (cells['slug'] ?? '').trim())];
  const table = await lookUp(ctx, running, rows);
  const problems: RowProblem[] = [];
  const made: Product[] = [];
  const edits: { before: Product; after: Product }[] = [];
  let updated = 0;
  for (const [slug, group] of groups) {
    const before = table.products.get(slug);
    const taken = takeGroup(table, before, group);
    problems.push(...taken.problems);
    if (!taken.product) continue;
    if (!before) made.push(taken.product);
    else {
      updated += 1;
      edits.push({ before, after: taken.product });
    }
  }
  if (made.length > 0) await ctx.models.Product.insertMany(made);
  await writeEdits(ctx, edits, table.now);
  ctx.publish(...made.map(announced));
  return { created: made.length, updated, failed: failedRows(groups, problems, table.lenient), problems };
}

/** A strict import takes a product as a whole or not at all. */
function failedRows(groups: readonly [string, NumberedRow[]][], problems: readonly RowProblem[], lenient: boolean): number {
  const wrong = new Set(problems.map(({ row }) => row));
  if (lenient) return wrong.size;
  return groups.reduce((sum, [, group]) => sum + (group.some(({ number }) => wrong.has(number)) ? group.length : 0), 0);
}

async function lookUp(ctx: Ctx, { vendorId, errorPolicy }: ProductImport, rows: readonly NumberedRow[]): Promise<Table> {
  const cells = (column: string): string[] => [...new Set(rows.map(({ cells: row }) => row[column] ?? '').filter(Boolean))];
  const definitions = await ctx.models.Attribute.find({ vendorId: { $in: [null, vendorId] } }).lean<Attribute[]>();
  const slugs = cells('slug').map((slug) => slug.trim());
  const found = await ctx.models.Product.find({ vendorId, deletedAt: null, slug: { $in: slugs } }).lean<Product[]>();
  const facts = await findFacts(ctx, vendorId, { categoryIds: cells('categories').flatMap(splitList), slugs, skus: cells('sku') });
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

const keyOf = (entry: string): string => entry.split(' ', 1)[0] ?? '';

interface Group {
  table: Table;
  problems: RowProblem[];
  attemptAt: (number: number, input: Record<string, unknown>) => Attempt;
}

function takeGroup(
  table: Table,
  before: Product | undefined,
  rows: readonly NumberedRow[],
): { product: Product | undefined; problems: RowProblem[] } {
  const problems: RowProblem[] = [];
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
  if (product) product = withState(group, product, rows[0]!);
  if (product && (problems.length === 0 || table.lenient))
    return { product: before ? product : { ...product, ...summaryOf(product) }, problems };
  if (product) release(table.facts, product, before);
  return { product: undefined, problems };
}

/** The product as its first row wants it, still without changes of variants. */
function productFrom(
  { table, problems, attemptAt }: Group,
  before: Product | undefined,
  { number, cells }: NumberedRow,
): Product | undefined {
  const { facts, attributes, lenient, now } = table;
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
  return { ...product, ...attempt(() => mediaFrom(table, product, cells)), ...attempt(() => metadataFrom(cells)) };
}

function raise(problem: Problem): never {
  throw problem;
}

const unknownCodes = (cells: Row, attributes: ReadonlyMap<string, Attribute>): string[] =>
  Object.keys(cells).filter(
    (column) => column.startsWith('attribute:') && cells[column] !== '' && !attributes.has(column.slice('attribute:'.length)),
  );

function mediaFrom({ files }: Table, product: Product, cells: Row): { media?: Media[] } {
  if (cells['media'] === undefined) return {};
  const media = splitList(cells['media']).map((entry, index) => {
    const key = keyOf(entry);
    const known = product.media.find((each) => each.key === key);
    const file = known ?? files.get(key);
    if (!file) throw invalid(['media', index], 'There is no file with this key among the media of this vendor.');
    return { _id: known?._id ?? newId('med'), key, contentType: file.contentType, alt: entry.slice(key.length + 1) };
  });
  return { media };
}

function metadataFrom(cells: Row): Partial<Product> {
  const read = (column: string): Product['metadata'] | undefined => {
    const text = cells[column];
    if (text === undefined) return undefined;
    const parsed = metadataList.safeParse(factsOf(text));
    if (!parsed.success) throw invalid([column], 'A JSON object of texts belongs here, such as {"colour":"red"}, with at most 50 entries.');
    return parsed.data;
  };
  const [metadata, privateMetadata] = [read('metadata'), read('private_metadata')];
  return { ...(metadata && { metadata }), ...(privateMetadata && { privateMetadata }) };
}

function withVariant({ table, attemptAt }: Group, product: Product, { number, cells }: NumberedRow): Product {
  // A product without variants has one row without a SKU.
  if (!cells['sku']) return product;
  const { facts, attributes, now } = table;
  const old = product.variants.find(({ sku }) => sku === cells['sku']);
  const currency = facts.currency;
  const input = variantInput(cells, attributes, { axisIds: product.axisIds, currency, known: old });
  const variant = attemptAt(
    number,
    input,
  )(() => {
    const mediaId = mediaIdOf(product, cells);
    const made = old
      ? changedBy(facts, product, {
          variant: old,
          input: read(VariantChange, { ...input, mediaId, id: old._id, expectedVersion: old.version }),
          path: [],
          now,
        })
      : { ...draftVariant(facts, product, read(NewVariant, input), { path: [], now }), mediaId: mediaId ?? null };
    if (!old && product.variants.length >= MOST_VARIANTS)
      throw new Problem('TOO_MANY_VARIANTS', `A product has at most ${MOST_VARIANTS} variants.`, { path: ['sku'] });
    return archivedAs(product, made, { cells, now });
  });
  if (!variant) return product;
  return { ...product, variants: old ? replaced(product, variant) : [...product.variants, variant] };
}

function read<T>(
  schema: {
    safeParse(
      given: unknown,
    ): { success: true; data: T } | { success: false; error: { issues: { path: PropertyKey[]; message: string }[] } };
  },
  given: unknown,
): T {
  const parsed = schema.safeParse(given);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw invalid((issue?.path ?? []) as string[], `The value ${issue?.message ?? 'is not acceptable'}.`);
}

function mediaIdOf(product: Product, cells: Row): string | null | undefined {
  const key = cells['variant_media'];
  if (!key) return key === undefined ? undefined : null;
  const found = product.media.find((each) => each.key === key);
  if (!found) throw invalid(['variant_media'], 'The product has no media with this key.');
  return found._id;
}

function archivedAs(
  product: Product,
  variant: Product['variants'][number],
  { cells, now }: { cells: Row; now: Date },
): Product['variants'][number] {
  const state = cells['variant_state'];
  if (!state) return variant;
  if (state !== 'ACTIVE' && state !== 'ARCHIVED') throw invalid(['variant_state'], 'ACTIVE or ARCHIVED belongs here.');
  if ((state === 'ARCHIVED') === Boolean(variant.archivedAt)) return variant;
  const moved = { ...variant, archivedAt: state === 'ARCHIVED' ? now : null, version: variant.version + 1 };
  checkVariant(product, moved, []);
  return moved;
}

/** One step of the state machine at most: an archived product is not released by a file. */
function withState({ table, attemptAt }: Group, product: Product, { number, cells }: NumberedRow): Product {
  const moved = attemptAt(
    number,
    {},
  )(() => {
    const publishAt = timeOf(cells, 'publish_at');
    const unpublishAt = timeOf(cells, 'unpublish_at');
    const state = cells['state'] || product.state;
    if (!PRODUCT_STATES.includes(state as ProductState)) throw invalid(['state'], `One of ${PRODUCT_STATES.join(', ')} belongs here.`);
    const dates = {
      ...(publishAt !== undefined && { publishAt }),
      ...(unpublishAt !== undefined && { unpublishAt }),
    };
    const next = { ...product, ...dates, state: movedTo(product.state, state as ProductState) };
    if (next.state !== 'PUBLISHED') return next;
    if (!next.variants.some(({ archivedAt }) => !archivedAt))
      throw new Problem('NOTHING_TO_SELL', 'The product has no variant that could be bought.', { path: ['state'] });
    const from = next.publishAt ?? table.now;
    if (next.unpublishAt && next.unpublishAt <= from) throw invalid(['unpublish_at'], 'A product disappears after it has appeared.');
    return { ...next, publishAt: from };
  });
  return moved ?? product;
}

function movedTo(from: ProductState, to: ProductState): ProductState {
  if (from === to || actionsFrom(from).some((action) => stateAfter(from, action) === to)) return to;
  throw new Problem('PRODUCT_STATE', `A product that is ${from.toLowerCase()} cannot become ${to.toLowerCase()}.`, { path: ['state'] });
}

function timeOf(cells: Row, column: string): Date | null | undefined {
  const text = cells[column];
  if (!text) return text === undefined ? undefined : null;
  const time = new Date(text);
  if (Number.isNaN(time.getTime())) throw invalid([column], 'A time such as 2026-03-01T08:30:00Z belongs here.');
  return time;
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
  ctx.publish(...real.map(({ before, changes }) => changed(before, changes, now)));
}

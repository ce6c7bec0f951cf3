import { invalid, Problem } from '#shared/base/errors.ts';
import { newId } from '#shared/base/ids.ts';
import { scalars } from '#shared/kit/scalars.ts';
import { validationMessage } from '#shared/base/validation-messages.ts';
import { actionsFrom, PRODUCT_STATES, stateAfter, type ProductState } from '../machine.ts';
import type { Media, Product, Variant } from '../model.ts';
import { splitList, type Row } from './csv.ts';
import { checkVariant, distinct } from './drafts.ts';
import { factsOf } from './import-rows.ts';
import { metadataList } from './inputs.ts';
import { alt, MAX_MEDIA } from './media.ts';
import { publicationDates } from './publication.ts';

/* Cells that mean more than a value: media, facts, states and dates. Each refusal has the column as its path. */

/** The first word of an entry of the media column. */
export const keyOf = (entry: string): string => entry.split(' ', 1)[0] ?? '';

/** `files` are media of the vendor that were looked at before, by key. */
export function mediaFrom(files: ReadonlyMap<string, { contentType: string }>, product: Product, cells: Row): { media?: Media[] } {
  if (cells['media'] === undefined) return {};
  const media = splitList(cells['media']).map((entry, index) => {
    const key = keyOf(entry);
    const known = product.media.find((each) => each.key === key);
    const file = known ?? files.get(key);
    if (!file) throw invalid(['media', index], 'There is no file with this key among the media of this vendor.');
    const words = alt.safeParse(entry.slice(key.length + 1), { error: validationMessage });
    if (!words.success) throw invalid(['media', index], `The text of a file ${words.error.issues[0]?.message ?? 'is not acceptable'}.`);
    return { _id: known?._id ?? newId('med'), key, contentType: file.contentType, alt: words.data };
  });
  const keys = media.map(({ key }) => key);
  const twice = keys.findIndex((key, index) => keys.indexOf(key) !== index);
  if (twice >= 0) throw invalid(['media', twice], 'This file is named twice.');
  if (media.length > MAX_MEDIA) throw invalid(['media'], `A product has at most ${MAX_MEDIA} media.`);
  return { media };
}

export function metadataFrom(cells: Row): Partial<Product> {
  const read = (column: string): Product['metadata'] | undefined => {
    const text = cells[column];
    if (text === undefined) return undefined;
    const parsed = metadataList.safeParse(factsOf(text));
    if (!parsed.success) throw invalid([column], 'A JSON object of texts belongs here, such as {"colour":"red"}, with at most 50 entries.');
    return distinct(parsed.data, [column]);
  };
  const [metadata, privateMetadata] = [read('metadata'), read('private_metadata')];
  return { ...(metadata && { metadata }), ...(privateMetadata && { privateMetadata }) };
}

export function mediaIdOf(product: Product, cells: Row): string | null | undefined {
  const key = cells['variant_media'];
  if (!key) return key === undefined ? undefined : null;
  const found = product.media.find((each) => each.key === key);
  if (!found) throw invalid(['variant_media'], 'The product has no media with this key.');
  return found._id;
}

/** Whether the row wants the variant archived; undefined when it says nothing. */
export function wantsArchived(cells: Row): boolean | undefined {
  const state = cells['variant_state'];
  if (!state) return undefined;
  if (state !== 'ACTIVE' && state !== 'ARCHIVED') throw invalid(['variant_state'], 'ACTIVE or ARCHIVED belongs here.');
  return state === 'ARCHIVED';
}

export function archivedAs(product: Product, variant: Variant, { archived, now }: { archived: boolean | undefined; now: Date }): Variant {
  if (archived === undefined || archived === Boolean(variant.archivedAt)) return variant;
  const moved = { ...variant, archivedAt: archived ? now : null, version: variant.version + 1, updatedAt: now };
  checkVariant(product, moved, []);
  return moved;
}

/** One step of the state machine at most: an archived product is not released by a file. */
export function stateFrom(product: Product, cells: Row, now: Date): Product {
  const publishAt = timeOf(cells, 'publish_at');
  const unpublishAt = timeOf(cells, 'unpublish_at');
  const state = cells['state'] || product.state;
  if (!PRODUCT_STATES.includes(state as ProductState)) throw invalid(['state'], `One of ${PRODUCT_STATES.join(', ')} belongs here.`);
  const dates = { ...(publishAt !== undefined && { publishAt }), ...(unpublishAt !== undefined && { unpublishAt }) };
  const next = { ...product, ...dates, state: movedTo(product.state, state as ProductState) };
  if (next.state !== 'PUBLISHED') return next;
  const wanted = { from: next.publishAt ?? now, until: next.unpublishAt };
  return { ...next, ...publicationDates(next, wanted, { product: ['state'], until: ['unpublish_at'] }) };
}

function movedTo(from: ProductState, to: ProductState): ProductState {
  if (from === to || actionsFrom(from).some((action) => stateAfter(from, action) === to)) return to;
  throw new Problem('PRODUCT_STATE', `A product that is ${from.toLowerCase()} cannot become ${to.toLowerCase()}.`, { path: ['state'] });
}

function timeOf(cells: Row, column: string): Date | null | undefined {
  const text = cells[column];
  if (!text) return text === undefined ? undefined : null;
  try {
    return scalars.DateTime.parseValue(text);
  } catch {
    throw invalid([column], 'A time with its zone belongs here, such as 2026-03-01T08:30:00Z.');
  }
}

import { Problem, type InputPath } from '#shared/base/errors.ts';
import { firstFree, slugsOf } from '#shared/base/slugs.ts';
import type { Product } from '../model.ts';
import type { Facts } from './facts.ts';

/* What is made of a product's name: its slug. What lists look at is its `textKey`. */

/** A slug that was asked for is refused when it is taken; one made from the name gets a number. */
export function takeSlug(facts: Facts, { _id, name }: Pick<Product, '_id' | 'name'>, wanted: string | null, path: InputPath): string {
  const isTaken = (slug: string): boolean => (facts.slugs.get(slug) ?? _id) !== _id;
  if (wanted !== null && isTaken(wanted)) throw new Problem('SLUG_TAKEN', 'Another product of this vendor has this slug.', { path });
  const slug = wanted ?? firstFree(slugsFor({ _id, name }), isTaken);
  facts.slugs.set(slug, _id);
  return slug;
}

/** What may become the slug of a product with this name, the best first. */
export const slugsFor = ({ _id, name }: { _id?: string; name: string }): string[] => slugsOf(name, { spare: 'product', max: 90, id: _id });

import { Problem, type InputPath } from '../../../shared/errors.ts';
import { slugOf } from '../../../shared/slugs.ts';
import type { Product } from '../model.ts';
import type { Facts } from './facts.ts';

/* What is made of a product's name: its slug. What lists look at is its `textKey`. */

/** A slug that was asked for is refused when it is taken; one made from the name gets a number. */
export function takeSlug(facts: Facts, { _id, name }: Pick<Product, '_id' | 'name'>, wanted: string | null, path: InputPath): string {
  const isFree = (slug: string): boolean => (facts.slugs.get(slug) ?? _id) === _id;
  if (wanted !== null && !isFree(wanted)) throw new Problem('SLUG_TAKEN', 'Another product of this vendor has this slug.', { path });
  const slug = wanted ?? slugsOf(name).find(isFree) ?? `${slugFor(name).slice(0, 60)}-${_id.toLowerCase().replaceAll(/[^a-z0-9]/g, '')}`;
  facts.slugs.set(slug, _id);
  return slug;
}

const NUMBERED_SLUGS = 20;

const slugFor = (name: string): string => slugOf(name, { spare: 'product', max: 90 });

/** What may become the slug of a product with this name, the best first. */
export const slugsOf = (name: string): string[] => [
  slugFor(name),
  ...Array.from({ length: NUMBERED_SLUGS }, (_, index) => `${slugFor(name)}-${index + 2}`),
];

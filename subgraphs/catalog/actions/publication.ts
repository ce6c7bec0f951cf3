import { invalid, Problem, type InputPath } from '../../../shared/errors.ts';
import type { Product } from '../model.ts';

interface Wanted {
  from: Date;
  until: Date | null | undefined;
}

/** Where the input says that the product shall be seen, and until when. */
interface Places {
  product: InputPath;
  until: InputPath;
}

/** The dates of a product that shall be seen by everyone, once it is sure that there is something to see. */
export function publicationDates({ variants }: Pick<Product, 'variants'>, { from, until }: Wanted, places: Places) {
  if (until && until <= from) throw invalid(places.until, 'A product disappears after it has appeared.');
  if (!variants.some(({ archivedAt }) => !archivedAt)) {
    throw new Problem('NOTHING_TO_SELL', 'The product has no variant that could be bought.', { path: places.product });
  }
  return { publishAt: from, unpublishAt: until ?? null };
}

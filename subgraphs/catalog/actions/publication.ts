import { invalid, Problem, type InputPath } from '#shared/base/errors.ts';
import { actionsFrom, type ProductAction } from '../machine.ts';
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
  refuseNothingToSell({ variants }, places.product);
  return { publishAt: from, unpublishAt: until ?? null };
}

const hasSomethingToSell = ({ variants }: Pick<Product, 'variants'>): boolean => variants.some(({ archivedAt }) => !archivedAt);

/** Holds for a product that is released, and for one that shall be. */
export function refuseNothingToSell(product: Pick<Product, 'variants'>, path: InputPath): void {
  if (!hasSomethingToSell(product)) throw new Problem('NOTHING_TO_SELL', 'The product has no variant that could be bought.', { path });
}

/** What a member may do with the product now: what its state allows, unless there is nothing to publish. */
export const availableActions = (product: Pick<Product, 'state' | 'variants' | 'deletedAt'>): ProductAction[] =>
  product.deletedAt ? [] : actionsFrom(product.state).filter((action) => action !== 'PUBLISH' || hasSomethingToSell(product));

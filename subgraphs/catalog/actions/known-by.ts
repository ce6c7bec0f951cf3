import type { Product } from '../model.ts';

/** What events call a product by: the fields to read for it. */
export const KNOWN_BY = { vendorId: 1, 'variants._id': 1 } as const;
export type KnownBy = Pick<Product, '_id' | 'vendorId' | 'variants'>;

export const namesOf = ({ _id, vendorId, variants }: KnownBy) => ({
  productId: _id,
  vendorId,
  variantIds: variants.map((variant) => variant._id),
});

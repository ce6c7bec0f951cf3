import { expect, test } from '@jest/globals';
import { expand } from './expand.ts';
import type { Listing, Vendor } from './types.ts';
import { vendors } from './vendors.ts';

const listing: Listing = {
  name: 'Tin mug',
  category: 'kitchenware',
  description: 'A mug.',
  tags: [],
};
const [vendor] = vendors as [Vendor];

test('refuses a listing without a price', () => {
  expect(() => expand(vendor, [listing], [1, 2])).toThrow('Tin mug: no price');
});

test('refuses an axis without values', () => {
  expect(() => expand(vendor, [{ ...listing, price: '5.00', axes: { size: [] } }], [1, 2])).toThrow('nothing to sell');
});

test('takes the price from the axis that carries one, and keeps 2.5 kg apart from 25 kg', () => {
  const priced = {
    ...listing,
    axes: { colour: ['Red', 'Blue'], weight: { '2.5 kg': '7.00', '25 kg': '50.00' } },
  };
  const [product] = expand(vendor, [priced], [1, 2]);
  expect(product?.variants.map(({ sku, price }) => [sku, price])).toEqual([
    ['TIY-TIN-MUG-RED-2P5KG', '7.00'],
    ['TIY-TIN-MUG-RED-25KG', '50.00'],
    ['TIY-TIN-MUG-BLUE-2P5KG', '7.00'],
    ['TIY-TIN-MUG-BLUE-25KG', '50.00'],
  ]);
});

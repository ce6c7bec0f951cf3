import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { slug } from './input.ts';
import { slugOf } from './slugs.ts';

test.each([
  ['Café Zoë', 'cafe-zoe'],
  ["Mwila's Lamp & More", 'mwilas-lamp-more'],
  ['Łódź 24, Straße', 'lodz-24-strasse'],
  ['ＦＵＬＬ width', 'full-width'],
  ['İzmir', 'izmir'],
  ['さくら', 'spare'],
  ['!?', 'spare'],
  ['', 'spare'],
  [`${'x'.repeat(99)} y`, 'x'.repeat(99)],
])('%j becomes %j', (name, expected) => {
  expect(slugOf(name, { spare: 'spare' })).toBe(expected);
});

test('is as long as it may be', () => {
  expect(slugOf('a long name', { spare: 'spare', max: 6 })).toBe('a-long');
});

test('is always what an input takes for a slug', () => {
  fc.assert(fc.property(fc.string({ unit: 'binary' }), (name) => slug().safeParse(slugOf(name, { spare: 'spare' })).success));
});

import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { slug } from './input.ts';
import { firstFree, slugOf, slugsOf } from './slugs.ts';

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

test('gets a number when the name is taken, and the id when all numbers are', () => {
  const candidates = slugsOf('魚', { spare: 'thing', id: 'thg_01J-Z' });

  expect(candidates.slice(0, 3)).toEqual(['thing', 'thing-2', 'thing-3']);
  expect(firstFree(candidates, (slug) => slug === 'thing')).toBe('thing-2');
  expect(firstFree(candidates, (slug) => /^thing(-\d{1,2})?$/.test(slug))).toBe('thing-thg01jz');
});

test('is no longer with a number than without', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', minLength: 0, maxLength: 150 }), (name) => {
      for (const candidate of slugsOf(name, { spare: 'spare', id: 'thg_01ABCDEF' })) {
        expect(slug().safeParse(candidate).success).toBe(true);
      }
    }),
  );
});

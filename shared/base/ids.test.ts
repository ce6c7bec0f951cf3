import { describe, expect, test } from '@jest/globals';
import { idSchema, newId } from './ids.ts';

describe('newId', () => {
  test('sorts by time as text', () => {
    const times = [0, 1, 1_000, Date.UTC(2026, 0, 1), Date.UTC(2026, 0, 1) + 1, 2 ** 48 - 1];

    const ids = times.map((time) => newId('nte', new Date(time)));

    expect(ids.toSorted()).toEqual(ids);
  });

  test('holds the time in its first ten digits', () => {
    // The example of the ULID text itself: 01ARYZ6S41 is this millisecond.
    expect(newId('nte', new Date(1_469_918_176_385))).toMatch(/^nte_01ARYZ6S41[0-9A-HJKMNP-TV-Z]{16}$/);
  });

  test('counts on within one millisecond, and never repeats', () => {
    const now = new Date(1_700_000_000_000);

    const ids = Array.from({ length: 20_000 }, () => newId('nte', now));

    expect(ids.every((id, index) => index === 0 || id > (ids[index - 1] as string))).toBe(true);
    expect(new Set(ids).size).toBe(ids.length);
  });

  test('draws new random digits for a new millisecond, also after the clock stepped back', () => {
    const tails = [5, 4, 5].map((time) => newId('nte', new Date(time)).slice(-16, -4));

    expect(new Set(tails).size).toBe(3);
  });

  test.each([['Nte'], [''], ['n_t'], ['1a'], ['a:b']])('refuses the prefix "%s"', (prefix) => {
    expect(() => newId(prefix)).toThrow(TypeError);
  });

  test.each([[-1], [2 ** 48], [Number.NaN]])('refuses the time %p', (time) => {
    expect(() => newId('nte', new Date(time))).toThrow(RangeError);
  });
});

describe('idSchema', () => {
  test('accepts what newId makes', () => {
    const id = newId('nte');

    expect(idSchema('nte').parse(id)).toBe(id);
  });

  test.each([
    ['another prefix', newId('brd')],
    ['small letters', newId('nte').toLowerCase()],
    ['a letter that is not in the alphabet', 'nte_01ARYZ6S41000000000000000U'],
    ['a time past 48 bits', 'nte_81ARYZ6S410000000000000000'],
    ['a line break at the end', `${newId('nte')}\n`],
    ['nothing', ''],
    ['an object', { $ne: null }],
  ])('refuses %s', (_case, value) => {
    expect(idSchema('nte').safeParse(value).success).toBe(false);
  });
});

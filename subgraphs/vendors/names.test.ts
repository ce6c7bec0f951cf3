import { describe, expect, test } from '@jest/globals';
import { isMisleading, nameKeys } from './names.ts';

const look = (one: string, other: string): boolean => nameKeys(one).some((key) => nameKeys(other).includes(key));

describe('names that look the same', () => {
  test.each([
    ['case', 'Mwila Farm', 'MWILA farm'],
    ['spacing and punctuation', "Mwila's Farm", 'Mwilas   Farm!'],
    ['Cyrillic letters', 'Mwila Farm', 'Мwilа Fаrm'],
    ['Greek capitals', 'HOT', 'ΗΟΤ'],
    ['digits for letters', 'Google', 'G00g1e'],
    ['a capital i for a small L', 'Google', 'GoogIe'],
    ['a small L for a capital i', 'Indigo', 'lndigo'],
    ['a small L for a small i', 'Tiyende Grocers', 'Tlyende Grocers'],
    ['a digit for a small i', 'Tiyende Grocers', 'T1yende Grocers'],
    ['small capitals and letters of Armenian', 'Mwinsu', 'Mwɪոsս'],
    ['rn for m', 'Modem', 'Modern'],
    ['accents', 'Café', 'CAFE'],
    ['full width', 'Acme', 'Ａｃｍｅ'],
    ['invisible characters', 'Acme', 'A\u200bc\u00adm\u2060e'],
    ['ligatures', 'Straße Ærø', 'STRASSE AERO'],
    ['the same other script', 'さくら 商店', 'さくら商店'],
  ])('share a key: %s', (_case, one, other) => {
    expect(look(one, other)).toBe(true);
  });

  test.each([
    ['Lusaka Mall', 'Lusaka Hall'],
    ['Store 1', 'Store 2'],
    ['か屋', 'が屋'],
    ['さくら商店', 'さくら本店'],
  ])('do not share one: %s and %s', (one, other) => {
    expect(look(one, other)).toBe(false);
  });

  test.each(['', '!?', '🍞', '\u200b'])('have none at all without letter or digit: %j', (name) => {
    expect(nameKeys(name)).toEqual([]);
  });
});

describe('names that mislead', () => {
  test.each([
    'Soko',
    'S0KO',
    'Ѕоkо Security',
    'The Soko Team',
    'So\u200bko Support',
    'SokoSupport',
    'Admin',
    'Security!',
    'https://soko.example',
    'www.evil.example',
    'Win at evil.com',
    'evil．com',
    'shop.co.zm',
  ])('speak for the operator or lead elsewhere: %j', (name) => {
    expect(isMisleading(name)).toBe(true);
  });

  test.each([
    'Sokoto Traders',
    'Mwila Farm',
    'Security Doors',
    'St. Mary Bakery',
    'Mr.Price',
    'A.B.C. Stores',
    'さくら商店',
    'Team Sports',
  ])('do not: %j', (name) => {
    expect(isMisleading(name)).toBe(false);
  });
});

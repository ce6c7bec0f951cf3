import { expect, test } from '@jest/globals';
import { isGuessable } from './guessable.ts';

const own = ['mwila.banda@kabwe.example', 'mwila.banda', 'mwila', 'banda', 'kabwe', 'example'];

test.each([
  'password2026',
  'p4ssw0rd-2026!',
  'soko-demo-2026!',
  'sokozambia1964',
  'liverpool!2025',
  'jesuschrist777',
  'qwertyuiop',
  'zxcvbnm,./123',
  'poiuytrewq',
  '1q2w3e4r5t',
  '0123456789',
  'abcabcabcabc',
  '2026202620',
  'mwila.banda',
  'mwila-banda-1990',
  'banda!lusaka1',
])('%s is what a guesser tries first', (password) => {
  expect(isGuessable(password, own)).toBe(true);
});

test.each([
  'correct horse battery staple',
  'a much better password',
  'ein schöner morgen',
  'x7#kq2!plm9',
  'password9283746501',
  'mwila keeps seven goats',
  'lusaka-4f1c9e2ab07d',
  'ab!#%&/()=?§',
  '🐘🦒🦏🐊🦓🐆🦛🐃🦁🐒',
])('%s is not', (password) => {
  expect(isGuessable(password, own)).toBe(false);
});

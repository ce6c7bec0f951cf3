import { expect, test } from '@jest/globals';
import { matchesSelection, nullMisfits } from './response-check.ts';

const QUERY =
  'query Q($r: [_Any!]!) { board: pinned { tags meta ... on Board { notes { text } } } _entities(representations: $r) { ... on Note { author { name } } } }';

test.each([
  [
    'a full answer',
    { board: { tags: ['a'], meta: { any: 'thing' }, notes: [{ text: 't' }, null] }, _entities: [{ author: { name: 'n' } }, null] },
  ],
  ['nothing found', { board: null, _entities: [null] }],
  ['fields that are missing', {}],
  ['no data', null],
  ['lists of lists', { board: { notes: [[{ text: 't' }]] } }],
])('accepts %s', (_case, data) => {
  expect(matchesSelection(QUERY, data)).toBe(true);
});

test.each([
  ['text for an object', { board: 'b1' }],
  ['a number in a list of objects', { board: { notes: [{ text: 't' }, 7] } }],
  ['true for an entity', { _entities: [true] }],
  ['text below an entity', { _entities: [{ author: 'Ada' }] }],
  ['text for everything', 'data'],
])('refuses %s', (_case, data) => {
  expect(matchesSelection(QUERY, data)).toBe(false);
});

test('mends what does not fit, and says where that is', () => {
  const fine = { tags: ['a'], notes: [{ text: 't' }, 7] };
  const data = { board: fine, _entities: [true, { author: 'Ada' }, { author: { name: 'Bo' } }] };

  expect(nullMisfits(QUERY, data)).toEqual({
    data: { board: { tags: ['a'], notes: [{ text: 't' }, null] }, _entities: [null, { author: null }, { author: { name: 'Bo' } }] },
    misfits: [
      ['board', 'notes', 1],
      ['_entities', 0],
      ['_entities', 1, 'author'],
    ],
  });
  expect(fine.notes[1]).toBe(7);
});

test('leaves what fits as it is', () => {
  const data = { board: { tags: 'anything' } };

  expect(nullMisfits(QUERY, data)).toEqual({ data, misfits: [] });
});

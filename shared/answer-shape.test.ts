import { expect, test } from '@jest/globals';
import { answersShape } from './answer-shape.ts';

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
  expect(answersShape(QUERY, data)).toBe(true);
});

test.each([
  ['text for an object', { board: 'b1' }],
  ['a number in a list of objects', { board: { notes: [{ text: 't' }, 7] } }],
  ['true for an entity', { _entities: [true] }],
  ['text below an entity', { _entities: [{ author: 'Ada' }] }],
  ['text for everything', 'data'],
])('refuses %s', (_case, data) => {
  expect(answersShape(QUERY, data)).toBe(false);
});

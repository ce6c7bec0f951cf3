import { expect, test } from '@jest/globals';
import { allOf } from './all-of.ts';

test('conditions on different fields stand side by side', () => {
  expect(allOf([{ a: 1 }, { $and: [{ b: { $gt: 2 } }, { $and: [{ c: 3 }] }] }, {}])).toEqual({ a: 1, b: { $gt: 2 }, c: 3 });
});

test('a second condition on a field, and a second alternative, are held as well', () => {
  const filter = allOf([{ a: { $gt: 1 }, $or: [{ b: 1 }, { b: 2 }] }, { a: { $lt: 9 } }, { $or: [{ c: 1 }, { c: 2 }] }]);

  expect(filter).toEqual({
    a: { $gt: 1 },
    $or: [{ b: 1 }, { b: 2 }],
    $and: [{ a: { $lt: 9 } }, { $or: [{ c: 1 }, { c: 2 }] }],
  });
});

test('nothing asked for is everything', () => {
  expect(allOf([{}, { $and: [] }])).toEqual({});
});

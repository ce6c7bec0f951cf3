import { describe, expect, test } from '@jest/globals';
import { faultOf, shapesOf, wordsOf, type Command, type Index } from './plan-shape.ts';

const index = (key: Record<string, number>, rest: Partial<Index> = {}): Index => ({ name: Object.keys(key).join('_'), key, ...rest });
const indexes = [
  index({ _id: 1 }, { name: '_id_' }),
  index({ ownerId: 1, placedAt: -1, _id: -1 }),
  index({ status: 1, placedAt: -1 }),
  index({ slug: 1 }, { unique: true }),
  index({ openKey: 1 }, { partialFilterExpression: { openKey: { $type: 'string' } } }),
  index({ owner: 1 }, { partialFilterExpression: { open: true } }),
];
const now = new Date();
const find = (filter: Command, sort: Command = {}, limit = 20) => faultOf(shapesOf('find', { filter, sort, limit })[0]!, indexes);

describe('an index serves', () => {
  test.each<[string, Command, Command?]>([
    ['a row by id, whatever else is asked', { _id: 'a', other: 1, $or: [{ a: 1 }] }],
    ['a row by a unique key', { slug: 'a', other: { $ne: 1 } }],
    ['the order it stands in, both ways', { ownerId: 'a' }, { placedAt: -1, _id: -1 }],
    ['the order it stands in, backwards', { $and: [{ ownerId: { $eq: 'a' } }] }, { placedAt: 1, _id: 1 }],
    ['what belongs to one owner, in whatever order', { ownerId: 'a', total: { $gt: 1 } }, { total: 1 }],
    ['an enum and a range behind it', { status: { $in: ['NEW', 'SENT'] }, placedAt: { $gt: now } }],
    ['an enum, behind which flags are sieved', { status: 'NEW', hidden: false, publishAt: { $lte: now } }, { placedAt: -1 }],
    ['an enum, but for a few rows', { status: 'NEW', placedAt: { $gt: now }, _id: { $nin: ['a'] } }],
    ['rows of which it has a part, when that is asked for', { owner: 'a', open: true }],
  ])('%s', (_case, filter, sort = {}) => {
    expect(find(filter, sort)).toBeUndefined();
  });

  test('each of several writes, and the first stage of an aggregation', () => {
    const updates = shapesOf('update', { updates: [{ q: { _id: 1 } }, { q: { total: 1 }, multi: true }] });
    const [aggregated] = shapesOf('aggregate', { pipeline: [{ $match: { ownerId: 'a' } }, { $sort: { placedAt: -1 } }, { $limit: 3 }] });

    expect(updates.map((shape) => faultOf(shape, indexes) === undefined)).toEqual([true, false]);
    expect(wordsOf(aggregated!)).toBe('{ ownerId = } sorted by placedAt -1, limited');
  });
});

describe('no index serves', () => {
  test.each<[string, Command, Command?, number?]>([
    ['a field without one', { total: 5 }],
    ['everything', {}, {}, 0],
    ['another order of everything', {}, { total: 1 }],
    ['another order of an enum', { status: 'NEW' }, { total: 1 }],
    ['one in thousands behind an enum', { status: 'NEW', tag: 'rare' }, { placedAt: -1 }],
    ['two fields joined by or', { $or: [{ ownerId: 'a' }, { slug: 'b' }] }],
    ['half of an order', { status: 'NEW' }, { placedAt: 1, _id: -1 }],
    ['a value, by a part that is defined by a type', { openKey: 'a' }],
    ['rows of which it has a part, when more is asked for', { owner: 'a' }],
  ])('%s', (_case, filter, sort = {}, limit = 20) => {
    expect(find(filter, sort, limit)).toEqual(expect.any(String));
  });
});

import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Schema, type Connection as Database, type InferSchemaType } from 'mongoose';
import { connection, type Connection, type Fields, type ListArguments } from './pagination.ts';
import { keptText } from '../base/text.ts';
import type { AnyModel } from './loaders.ts';
import { moneySchema } from './money-schema.ts';
import { money } from '../base/money.ts';
import { mongoose } from './mongo.ts';

const MONGODB_URI = process.env['MONGODB_URI'] ?? 'mongodb://127.0.0.1:27017/?directConnection=true';

const noteSchema = new Schema({
  _id: { type: String, required: true },
  title: { type: String, required: true },
  state: { type: String, enum: ['OPEN', 'DONE'], required: true },
  rank: Number,
  dueAt: Date,
  pinned: Boolean,
  fee: moneySchema,
  author: new Schema({ userId: String }, { _id: false }),
});
type Note = InferSchemaType<typeof noteSchema>;

const FIELDS: Fields = {
  id: { kind: 'id', path: '_id' },
  title: 'text',
  state: 'enum',
  rank: 'int',
  dueAt: 'date',
  pinned: 'boolean',
  fee: 'money',
  author: { kind: 'id', path: 'author.userId' },
};
const SORTS = { RANK: 'rank', TITLE: 'title', DUE_AT: 'dueAt', FEE: 'fee.amount', ID: '_id' };

let db: Database;
let Note: AnyModel<Note>;
let queries = 0;

const note = (_id: string, rest: Partial<Note> = {}): Note => ({ _id, title: `Note ${_id}`, state: 'OPEN', ...rest }) as Note;
const list = (given: ListArguments & { filter?: Record<string, unknown>; maxCount?: number } = {}) =>
  connection(Note, { fields: FIELDS, sorts: SORTS, ...given });
const ids = ({ nodes }: Connection<Note>) => nodes.map(({ _id }) => _id).join(' ');
const matching = async (where: unknown) => ids(await list({ where, sort: { field: 'ID' } }));

const refused = (code: string, ...path: (string | number)[]) => expect.objectContaining({ code, inputPath: path });

beforeAll(async () => {
  db = await mongoose
    .createConnection(MONGODB_URI, { dbName: `connections-${randomUUID().slice(0, 8)}`, monitorCommands: true })
    .asPromise();
  db.getClient().on('commandStarted', ({ commandName }) => void (queries += Number(/^(find|aggregate|count)$/.test(commandName))));
  Note = db.model('Note', noteSchema);
});

beforeEach(async () => {
  await Note.deleteMany({});
  await Note.insertMany([
    note('a', { rank: 3, state: 'DONE', dueAt: new Date('2026-01-03T00:00:00Z'), fee: money(100, 'ZMW') }),
    note('b', { rank: 1, pinned: true, title: 'Buy (red) clay', author: { userId: 'usr_1' } }),
    note('c', { rank: 3, dueAt: new Date('2026-01-01T00:00:00Z'), fee: money(300, 'JPY') }),
    note('d', { pinned: false, title: 'buy clay' }),
    note('e', { rank: 2, state: 'DONE', fee: money(250, 'ZMW') }),
  ]);
  queries = 0;
});

afterAll(async () => {
  await db.dropDatabase();
  await db.close();
});

describe('a page', () => {
  test('is the newest 20 when nothing is given', async () => {
    await Note.insertMany(Array.from({ length: 20 }, (_, index) => note(`n${String(index).padStart(2, '0')}`)));

    const page = await list();

    expect(page.nodes).toHaveLength(20);
    expect(page.nodes[0]?._id).toBe('n19');
    expect(page.pageInfo).toMatchObject({ hasNextPage: true, hasPreviousPage: false });
  });

  test('holds plain documents, the same in edges and nodes', async () => {
    const page = await list({ first: 2 });

    expect(Object.getPrototypeOf(page.nodes[0])).toBe(Object.prototype);
    expect(page.edges.map(({ node: entry }) => entry)).toEqual(page.nodes);
    expect(page.pageInfo).toMatchObject({ startCursor: page.edges[0]?.cursor, endCursor: page.edges[1]?.cursor });
  });

  test('follows a cursor forward and back', async () => {
    const sort = { field: 'ID' };
    const first = await list({ sort, first: 2 });
    const second = await list({ sort, first: 2, after: first.pageInfo.endCursor });
    const third = await list({ sort, first: 2, after: second.pageInfo.endCursor });
    const back = await list({ sort, last: 1, before: second.pageInfo.endCursor });
    const end = await list({ sort, last: 2 });
    const between = await list({ sort, first: 10, after: first.pageInfo.startCursor, before: third.pageInfo.startCursor });

    expect([first, second, third, back, end, between].map(ids)).toEqual(['a b', 'c d', 'e', 'c', 'd e', 'b c d']);
    expect([first, second, third, back, end].map(({ pageInfo }) => [pageInfo.hasPreviousPage, pageInfo.hasNextPage])).toEqual([
      [false, true],
      [true, true],
      [true, false],
      [true, true],
      [true, false],
    ]);
  });

  test('may be empty', async () => {
    const page = await list({ first: 0 });

    expect(page).toMatchObject({ edges: [], nodes: [], pageInfo: { hasNextPage: true, startCursor: null, endCursor: null } });
  });

  test.each([
    ['more than 100', { first: 101 }, 'first'],
    ['less than 0', { first: -1 }, 'first'],
    ['a fraction', { first: 1.5 }, 'first'],
    ['less than 0 from the end', { last: -1 }, 'last'],
    ['more than 100 from the end', { last: 101 }, 'last'],
    ['both ends', { first: 1, last: 1 }, 'last'],
  ])('is refused for %s', async (_case, given, argument) => {
    await expect(list(given)).rejects.toEqual(refused('INVALID', argument));
  });

  test('shows nothing that the filter of the subgraph hides, whatever the client asks for', async () => {
    const filter = { state: 'DONE' };

    expect(ids(await list({ filter, where: { state: { eq: 'OPEN' } } }))).toBe('');
    expect(ids(await list({ filter, where: { OR: [{ state: { eq: 'OPEN' } }, { rank: { gte: 0 } }] } }))).toBe('e a');
    expect(await (await list({ filter })).totalCount()).toBe(2);
  });
});

describe('totalCount', () => {
  test('is counted when it is asked for, and no further than it may', async () => {
    const page = await list({ first: 1, where: { rank: { gte: 1 } } });
    expect(queries).toBe(1);

    expect(await page.totalCount()).toBe(4);
    expect(queries).toBe(2);
    expect(await (await list({ maxCount: 3 })).totalCount()).toBe(3);
  });

  test('does not depend on the page', async () => {
    const { pageInfo } = await list({ first: 2 });

    expect(await (await list({ first: 2, after: pageInfo.endCursor })).totalCount()).toBe(5);
  });
});

describe('sort', () => {
  test.each([
    ['RANK', 'ASC', 'd b e a c'],
    ['RANK', 'DESC', 'c a e b d'],
    ['DUE_AT', 'ASC', 'b d e c a'],
    ['FEE', 'DESC', 'c e a d b'],
  ] as const)('by %s %s goes on over equal and missing values, in both directions', async (field, direction, expected) => {
    const walk = async (size: number, backward: boolean) => {
      const seen: string[] = [];
      let cursor: string | null = null;
      do {
        const page: Connection<Note> = await list({
          sort: { field, direction },
          ...(backward ? { last: size, before: cursor } : { first: size, after: cursor }),
        });
        const names = page.nodes.map(({ _id }) => _id);
        if (backward) seen.unshift(...names);
        else seen.push(...names);
        cursor = (backward ? page.pageInfo.hasPreviousPage : page.pageInfo.hasNextPage)
          ? backward
            ? page.pageInfo.startCursor
            : page.pageInfo.endCursor
          : null;
      } while (cursor);
      return seen.join(' ');
    };

    for (const size of [1, 2, 3, 5]) expect([await walk(size, false), await walk(size, true)]).toEqual([expected, expected]);
  });

  test('keeps its place when entries come and go', async () => {
    const first = await list({ sort: { field: 'TITLE' }, first: 2 });
    await Note.deleteMany({ _id: { $in: first.nodes.map(({ _id }) => _id) } });
    await Note.insertMany([note('0', { title: 'A new one' })]);

    expect(ids(await list({ sort: { field: 'TITLE' }, after: first.pageInfo.endCursor }))).toBe('c e d');
  });

  test('by several fields, each its own way, goes on where it was', async () => {
    const sort = [
      { field: 'RANK', direction: 'DESC' as const },
      { field: 'TITLE', direction: 'ASC' as const },
    ];
    await Note.insertMany([note('f', { rank: 3, title: 'Note a' })]);
    const seen: string[] = [];
    let after: string | null = null;
    do {
      const page: Connection<Note> = await list({ sort, first: 1, after });
      seen.push(ids(page));
      after = page.pageInfo.hasNextPage ? page.pageInfo.endCursor : null;
    } while (after);

    expect(seen.join(' ')).toBe('a f c e b d');
    expect(ids(await list({ sort, last: 4 }))).toBe('c e b d');
    expect(ids(await list({ sort: [], last: 2 }))).toBe('b a');
    expect(ids(await list({ sort: [...sort, { field: 'RANK', direction: 'ASC' as const }] }))).toBe('a f c e b d');
  });

  test('takes at most three fields, and says which is unknown', async () => {
    const rank = { field: 'RANK' };

    await expect(list({ sort: [rank, rank, rank, rank] })).rejects.toEqual(refused('INVALID', 'sort'));
    await expect(list({ sort: [rank, { field: 'NOPE' }] })).rejects.toEqual(refused('INVALID', 'sort', 1, 'field'));
  });

  test.each([['NOPE'], ['__proto__'], ['constructor'], [''], ['rank']])('refuses to sort by %j', async (field) => {
    await expect(list({ sort: { field } })).rejects.toEqual(refused('INVALID', 'sort', 'field'));
  });
});

describe('a cursor', () => {
  const cursor = async (given: ListArguments = {}) => (await list({ first: 1, ...given })).pageInfo.endCursor as string;

  test.each([
    ['garbage', () => 'garbage'],
    ['nothing', () => ''],
    ['another order', () => cursor({ sort: { field: 'RANK' } })],
    ['another direction', () => cursor({ sort: { field: 'ID', direction: 'ASC' } })],
    ['another list', async () => (await connection(db.model('Memo', noteSchema, 'notes'), { first: 1 })).pageInfo.endCursor as string],
    ['another spelling', async () => `${await cursor()}=`],
    ['a changed letter', async () => (await cursor()).replace(/.$/, (letter) => (letter === 'A' ? 'B' : 'A'))],
    ['an unsigned position', () => Buffer.from('["a",null]').toString('base64url')],
    [
      "a position of one's own making",
      async () => {
        const mark = Buffer.from(await cursor(), 'base64url')
          .toString()
          .slice(0, 12);
        return Buffer.from(`${mark}[{"$ne":null},null]`).toString('base64url');
      },
    ],
    ['10,000 letters', () => 'A'.repeat(10_000)],
  ])('is refused when it is %s', async (_case, make) => {
    const made = await make();

    await expect(list({ after: made })).rejects.toEqual(refused('INVALID_CURSOR', 'after'));
    await expect(list({ last: 2, before: made })).rejects.toEqual(refused('INVALID_CURSOR', 'before'));
  });
});

describe('where', () => {
  const due = (day: number) => new Date(Date.UTC(2026, 0, day));

  test.each([
    [{ state: { eq: 'DONE' } }, 'a e'],
    [{ state: { ne: 'DONE' } }, 'b c d'],
    [{ state: { in: ['DONE', 'OPEN'] } }, 'a b c d e'],
    [{ state: { in: [] } }, ''],
    [{ id: { in: ['a', 'e', 'x'] } }, 'a e'],
    [{ author: { eq: 'usr_1' } }, 'b'],
    [{ rank: { gt: 1, lte: 3 } }, 'a c e'],
    [{ rank: { eq: 2 } }, 'e'],
    [{ dueAt: { gte: due(1), lt: due(3) } }, 'c'],
    [{ rank: { gt: 1, gte: 0, lt: 9, lte: 3 } }, 'a c e'],
    [{ state: { eq: 'OPEN' }, dueAt: { gte: due(1), lte: due(1) } }, 'c'],
    [{ pinned: { eq: true } }, 'b'],
    [{ pinned: { ne: true } }, 'a c d e'],
    [{ title: { startsWith: 'Buy' } }, 'b'],
    [{ title: { startsWith: 'Buy (' } }, 'b'],
    [{ title: { startsWith: '.*' } }, ''],
    [{ fee: { currency: 'ZMW' } }, 'a e'],
    [{ fee: { currency: 'ZMW', gt: '1.00' } }, 'e'],
    [{ fee: { currency: 'JPY', eq: '300' } }, 'c'],
    [{ state: { eq: 'DONE' }, rank: { eq: 3 } }, 'a'],
    [{ OR: [{ rank: { eq: 1 } }, { AND: [{ state: { eq: 'DONE' } }, { rank: { lt: 3 } }] }] }, 'b e'],
    [{ AND: [{ rank: { gte: 2 } }, { rank: { lte: 2 } }] }, 'e'],
    [{ state: null, rank: undefined, OR: null }, 'a b c d e'],
    [{ state: {} }, 'a b c d e'],
    [{}, 'a b c d e'],
    [null, 'a b c d e'],
  ])('%j finds "%s"', async (where, found) => {
    expect(await matching(where)).toBe(found);
  });

  const deep = (levels: number): unknown => (levels === 1 ? { rank: { eq: 1 } } : { AND: [deep(levels - 1)] });

  test('nests four deep and no deeper', async () => {
    expect(await matching(deep(4))).toBe('b');
    await expect(matching(deep(5))).rejects.toEqual(refused('INVALID', 'where', 'AND', 0, 'AND', 0, 'AND', 0, 'AND', 0));
  });

  test('holds 50 conditions and no more', async () => {
    const wide = (count: number) => ({ OR: Array.from({ length: count }, () => ({ rank: { eq: 1 } })) });

    expect(await matching(wide(25))).toBe('b');
    await expect(matching(wide(26))).rejects.toEqual(refused('INVALID', 'where', 'OR', 24, 'rank'));
  });

  test.each<[string, unknown, (string | number)[]]>([
    ['an operator of the store', { state: { $ne: null } }, ['state', '$ne']],
    ['an operator of the store on top', { $where: 'sleep(1)' }, ['$where']],
    ['an operator of the store instead of AND', { $or: [{}] }, ['$or']],
    ['an object where a text belongs', { title: { eq: { $ne: null } } }, ['title', 'eq']],
    ['an object in a list', { id: { in: [{ $ne: null }] } }, ['id', 'in', 0]],
    ['a pattern', { title: { eq: /x/ } }, ['title', 'eq']],
    ['an operator of another kind', { state: { gt: 'A' } }, ['state', 'gt']],
    ['a text in place of a condition', { state: 'DONE' }, ['state']],
    ['a list in place of a condition', { state: ['DONE'] }, ['state']],
    ['null where a value belongs', { author: { eq: null } }, ['author', 'eq']],
    ['an unknown field', { secret: { eq: 'x' } }, ['secret']],
    ['a field of the document that is not declared', { 'author.userId': { eq: 'usr_1' } }, ['author.userId']],
    ['a field of every object', { constructor: { eq: 'x' } }, ['constructor']],
    ['the prototype', JSON.parse('{"__proto__": {"eq": "x"}}'), ['__proto__']],
    ['an empty OR', { OR: [] }, ['OR']],
    ['an OR that is no list', { OR: { state: { eq: 'DONE' } } }, ['OR']],
    ['a fraction', { rank: { eq: 1.5 } }, ['rank', 'eq']],
    ['a time as text', { dueAt: { gt: '2026-01-01' } }, ['dueAt', 'gt']],
    ['no time', { dueAt: { gt: new Date('x') } }, ['dueAt', 'gt']],
    ['a currency that does not exist', { fee: { currency: 'XXQ' } }, ['fee', 'currency']],
    ['an amount without currency', { fee: { gt: '1' } }, ['fee', 'currency']],
    ['an amount with too many digits', { fee: { currency: 'JPY', gt: '1.5' } }, ['fee', 'gt']],
    ['a beginning of 65 letters', { title: { startsWith: 'x'.repeat(65) } }, ['title', 'startsWith']],
    ['an empty beginning', { title: { startsWith: '' } }, ['title', 'startsWith']],
    ['NUL', { title: { eq: 'a\0' } }, ['title', 'eq']],
    ['a lone surrogate', { id: { eq: '\uD800' } }, ['id', 'eq']],
    ['10,000 letters', { title: { eq: 'x'.repeat(10_000) } }, ['title', 'eq']],
    ['251 values', { id: { in: Array(251).fill('a') } }, ['id', 'in']],
    ['a list', [], []],
    ['a text', 'state', []],
  ])('refuses %s', async (_case, where, path) => {
    await expect(matching(where)).rejects.toEqual(refused('INVALID', 'where', ...path));
    expect(queries).toBe(0);
  });

  test.each([
    ['null', { author: { eq: null } }, 'The value must not be null.'],
    ['a number for a text', { title: { eq: 7 } }, 'The value must be text.'],
    ['text for a number', { rank: { gte: '7' } }, 'The value must be a number.'],
    ['text for a list', { state: { in: 'OPEN' } }, 'The value must be a list.'],
  ])('refuses %s in words for people', async (_case, where, message) => {
    await expect(matching(where)).rejects.toMatchObject({ message });
  });

  test.each([
    ['another normal form', { title: { eq: 'e\u0301t\u00E9' } }],
    ['invisible characters', { title: { in: ['\u00E9t\u200B\u00E9'] } }],
    ['spaces around it', { title: { startsWith: ' \u00E9' } }],
  ])('finds a text in %s', async (_case, where) => {
    await Note.deleteMany({});
    await Note.insertMany([note('x', { title: '\u00E9t\u00E9' })]);

    expect(await matching(where)).toBe('x');
  });

  test('finds a text by any beginning of it, and only by that', async () => {
    const characters = fc.string({ unit: fc.constantFrom(...Array.from('a.b*c\\^$()[]{}|/-+?é😀 ')), minLength: 1, maxLength: 20 });
    const titles = characters.map(keptText).filter((title) => title !== '');
    const beginnings = characters.map((text) => text.trimStart().replace(/\s+$/, ' ')).filter((text) => text !== '');

    await fc.assert(
      fc.asyncProperty(titles, beginnings, async (title, other) => {
        await Note.deleteMany({});
        await Note.insertMany([note('x', { title })]);

        expect(await matching({ title: { startsWith: other } })).toBe(title.startsWith(other) ? 'x' : '');
        expect(await matching({ title: { startsWith: title } })).toBe('x');
      }),
      { numRuns: 60 },
    );
  });
});

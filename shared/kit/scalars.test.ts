import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { GraphQLError, GraphQLScalarType, isScalarType, isSpecifiedScalarType, Kind } from 'graphql';
import { buildSubgraphSchema } from '@apollo/subgraph';
import { parse } from 'graphql';
import { scalars } from './scalars.ts';

type Name = keyof typeof scalars;

const input = (name: Name, value: unknown): unknown => scalars[name].parseValue(value);
const output = (name: Name, value: unknown): unknown => scalars[name].serialize(value);

test('there is a resolver for every scalar of the preamble, and no other', () => {
  const preamble = readFileSync(new URL('common-types.graphql', import.meta.url), 'utf8');
  const schema = buildSubgraphSchema([
    {
      typeDefs: parse(`${preamble} type Query { now: DateTime }`),
      resolvers: scalars as Record<string, GraphQLScalarType>,
    },
  ]);

  const own = Object.values(schema.getTypeMap()).filter(
    (type) => isScalarType(type) && !isSpecifiedScalarType(type) && !/^_|__/.test(type.name),
  );

  expect(own.map(({ name }) => name).toSorted()).toEqual(Object.keys(scalars).toSorted());
});

describe('DateTime', () => {
  test.each([
    ['2026-03-01T08:30:00Z', '2026-03-01T08:30:00.000Z'],
    ['2026-03-01T08:30:00+02:00', '2026-03-01T06:30:00.000Z'],
    ['2024-02-29T00:00:00.123456Z', '2024-02-29T00:00:00.123Z'],
  ])('reads %s', (value, shown) => {
    const time = input('DateTime', value);

    expect(time).toBeInstanceOf(Date);
    expect(output('DateTime', time)).toBe(shown);
    expect(output('DateTime', value)).toBe(shown);
  });

  test.each([
    ['2026-02-30T00:00:00Z'],
    ['2026-03-01T25:00:00Z'],
    ['2026-03-01'],
    ['2026-03-01T08:30:00'],
    ['tomorrow'],
    ['0000-01-01T00:00:00Z'],
    [''],
    [0],
    [null],
    [{ $gt: '' }],
    [new Date('x')],
  ])('refuses %j', (value) => {
    expect(() => input('DateTime', value)).toThrow(GraphQLError);
  });

  test('does not show what is no time', () => {
    expect(() => output('DateTime', new Date('x'))).toThrow(GraphQLError);
    expect(() => output('DateTime', 1_700_000_000_000)).toThrow(GraphQLError);
  });
});

test.each<[Name, string, string]>([
  ['Decimal', '12.50', '12.50'],
  ['CurrencyCode', 'ZMW', 'ZMW'],
  ['PhoneNumber', '+260 97 1234567', '+260971234567'],
  ['EmailAddress', 'A@Example.com', 'a@example.com'],
  ['URL', 'https://example.com/a', 'https://example.com/a'],
  ['Cursor', 'abc-1_~', 'abc-1_~'],
])('%s reads %s', (name, value, read) => {
  expect(input(name, value)).toBe(read);
  expect(scalars[name].parseLiteral({ kind: Kind.STRING, value })).toBe(read);
});

test.each<[Name, unknown]>([
  ['Decimal', 12.5],
  ['Decimal', '1e3'],
  ['CurrencyCode', 'zmw'],
  ['CurrencyCode', 'XXQ'],
  ['PhoneNumber', '0971234567'],
  ['EmailAddress', 'a@b'],
  ['URL', 'javascript:alert(1)'],
  ['Cursor', 'a b'],
  ['Cursor', 'x'.repeat(8001)],
  ['Cursor', { $ne: null }],
])('%s refuses %j', (name, value) => {
  expect(() => input(name, value)).toThrow(GraphQLError);
});

test.each(Object.keys(scalars) as Name[])('%s refuses literals that are not text, and says so', (name) => {
  const literal = { kind: Kind.INT, value: '12' } as const;

  expect(() => scalars[name].parseLiteral(literal)).toThrow(`${name} must be text.`);
});

test.each(['Decimal', 'CurrencyCode', 'PhoneNumber', 'EmailAddress', 'URL', 'Cursor'] as Name[])('%s shows text only', (name) => {
  expect(output(name, 'as stored')).toBe('as stored');
  expect(() => output(name, 12.5)).toThrow(GraphQLError);
});

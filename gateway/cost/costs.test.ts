import { describe, expect, test } from '@jest/globals';
import { buildSchema, parse, validate, visit, type DocumentNode } from 'graphql';
import { readAppliedDirectives } from '../graphql/applied-directives.ts';
import { createCosts } from './costs.ts';

const SDL = `
  schema @link(url: "https://specs.apollo.dev/cost/v0.1", import: ["@listSize"]) { query: Query mutation: Mutation }
  directive @link(url: String, import: [String]) repeatable on SCHEMA
  directive @cost(weight: Int!) on ARGUMENT_DEFINITION | ENUM | FIELD_DEFINITION | INPUT_FIELD_DEFINITION | OBJECT | SCALAR
  directive @listSize(assumedSize: Int, slicingArguments: [String!], sizedFields: [String!], requireOneSlicingArgument: Boolean) on FIELD_DEFINITION
  type Query {
    title: String
    note: Note
    notes: [Note!]
    tags: [String]
    some: [Note!]! @listSize(assumedSize: 3)
    top(first: Int = 4): [Note] @listSize(slicingArguments: ["first"])
    page(first: Int, last: Int): Page @listSize(slicingArguments: ["first", "last"], sizedFields: ["nodes", "edges"], assumedSize: 20)
    search(text: String @cost(weight: 7)): Note
    shelf: Shelf
    either: Either
  }
  type Mutation { write(text: String): Note  erase: Boolean @cost(weight: 5) }
  interface Either { note: Note }
  type Page { nodes: [Note!]  edges: [Edge!]  total: Int @cost(weight: 2) }
  type Edge implements Either { node: Note note: Note }
  type Shelf implements Either @cost(weight: 6) { id: ID note: Note books: [[Note]] @listSize(assumedSize: 2) }
  type Note { id: ID text: String author: Person color: Color @cost(weight: 3) notes: [Note] @listSize(assumedSize: 2) }
  type Person { name: String }
  enum Color { RED }
`;
const schema = buildSchema(SDL);
const costs = createCosts(readAppliedDirectives(parse(SDL)), schema);

const estimate = (source: string, variables: Record<string, unknown> = {}, operationName?: string) => {
  const document = parse(source);
  expect(validate(schema, document)).toEqual([]);
  return costs.estimate({ document, variables, operationName });
};

describe('the estimate', () => {
  test.each<[string, string, number]>([
    ['scalars are free, one by one and in lists', '{ title tags __typename }', 0],
    ['an object costs 1, and what it holds in turn', '{ note { id author { name } } }', 2],
    ['a list of which nothing is said counts ten times', '{ notes { author { name } } }', 20],
    ['a list counts as often as its size on record', '{ some { id } }', 3],
    ['weights of fields, types and arguments stand instead', '{ note { color } search(text: "x") { id } shelf { id } }', 1 + 3 + 7 + 1 + 6],
    ['an argument that is left out weighs nothing', '{ search { id } }', 1],
    ['a list of lists counts once', '{ shelf { books { id } } }', 6 + 2],
    ['a mutation costs 10 more', 'mutation { a: write { id } erase }', 10 + 1 + 5],
    ['introspection is free', '{ __schema { types { fields { type { name } } } } }', 0],
    ['every alias counts', '{ a: note { id } b: note { id } }', 2],
    ['fragments on any type count together', '{ either { ... on Edge { node { id } } ...S } } fragment S on Shelf { note { id } }', 3],
    ['a fragment that is spread twice counts once', '{ ...N ...N } fragment N on Query { note { id } }', 1],
  ])('%s', (_case, source, cost) => {
    expect(estimate(source)).toBe(cost);
  });

  test.each<[string, string, Record<string, unknown>, number]>([
    ['a literal', '{ top(first: 7) { id } }', {}, 7],
    ['the default of the argument', '{ top { id } }', {}, 4],
    ['a variable', 'query($n: Int) { top(first: $n) { id } }', { n: 9 }, 9],
    ['the default of the variable', 'query($n: Int = 6) { top(first: $n) { id } }', {}, 6],
    ['the default of the argument for a variable that is not there', 'query($n: Int) { top(first: $n) { id } }', {}, 4],
    ['the default of the argument for nonsense', 'query($n: Int) { top(first: $n) { id } }', { n: { first: 1 } }, 4],
    ['nothing for less than nothing', 'query($n: Int) { top(first: $n) { id } }', { n: -5 }, 0],
    ['the larger of two', '{ page(first: 2, last: 30) { nodes { id } } }', {}, 31],
    ['the size on record where none is given', '{ page { nodes { id } } }', {}, 21],
  ])('uses the arguments: %s', (_case, source, variables, cost) => {
    expect(estimate(source, variables)).toBe(cost);
  });

  test('sizes the fields of a connection by its arguments, and no others', () => {
    const inFragments = '{ page(first: 5) { ...P } } fragment P on Page { ... { nodes { notes { id } } } edges { node { id } } total }';

    // 1 for the page, 2 for its total, 5 nodes with 2 notes each, 5 edges with a node each
    expect(estimate(inFragments)).toBe(1 + 2 + 5 * (1 + 2) + 5 * 2);
  });

  test('is that of the selected operation', () => {
    const source = 'query A { note { id } } query B { some { id } }';

    expect([estimate(source, {}, 'A'), estimate(source, {}, 'B')]).toEqual([1, 3]);
  });

  test('reads fragments once that double at every level', () => {
    const levels = Array.from({ length: 24 }, (_each, i) => `fragment F${i} on Note { ...F${i + 1} notes { ...F${i + 1} ...F${i + 1} } }`);
    const document = parse(`{ note { ...F0 } } ${levels.join(' ')} fragment F24 on Note { author { name } }`);
    const looks = countLooks(document);

    expect(costs.estimate({ document })).toBeGreaterThan(1_000_000);
    // As many as there are selections; fragments that are read anew at each place would take 3 to the power of 24.
    expect(looks()).toBeGreaterThan(24);
    expect(looks()).toBeLessThan(1_000);
  });
});

test('computes the actual cost from the returned data', () => {
  const document = parse('{ page(first: 50) { nodes { id author { name } } nodes { author { name } color } total } none: note { id } }');
  const note = { id: 'n', author: { name: 'a' }, color: 'RED' };
  const data = { page: { nodes: [note, { ...note, author: null }], total: 2 }, none: null };

  expect(costs.estimate({ document })).toBe(1 + 50 * 2 + 50 * (2 + 3) + 2 + 1);
  expect(costs.actual({ document }, data)).toBe(1 + 2 * (1 + 3) + 1 + 2);
  expect(costs.actual({ document }, null)).toBe(0);
});

/** Counts reads of the document's selections. */
function countLooks(document: DocumentNode): () => number {
  let looks = 0;
  visit(document, {
    SelectionSet(node) {
      const { selections } = node;
      Object.defineProperty(node, 'selections', { get: () => ((looks += 1), selections) });
    },
  });
  return () => looks;
}

import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { buildASTSchema, parse, validate, type GraphQLSchema } from 'graphql';
import { operations } from './testing/operations.ts';

const SEED = Number(process.env['SEED'] ?? 1);

function drawn(schema: GraphQLSchema, count: number): { source: string; variables: object }[] {
  return fc.sample(operations(schema), { numRuns: count, seed: SEED });
}

const schema = buildASTSchema(
  parse(`
    type Query { notes(first: Int! = 3, where: Where, kinds: [Kind!]): [Note!]!  found: [Found]  named: Named }
    type Mutation { write(input: WriteInput!): Note }
    type Subscription { written(kind: Kind): Note }
    interface Named { name: String }
    type Note implements Named { id: ID!  name: String  board: Board }
    type Board implements Named { name: String  size: Int!  notes: [Note!] }
    union Found = Note | Board
    enum Kind { SHORT LONG }
    input Where { text: String = "any"  kind: Kind  not: Where }
    input WriteInput { id: ID!  tags: [String!]  where: Where! }
  `),
);

const many = drawn(schema, 2_000);

describe('random operations', () => {
  test.each([
    ['mutations', /^mutation/],
    ['subscriptions', /^subscription/],
    ['aliases', /\ba: name/],
    ['one name for a field with other arguments', /notes_1: notes\(/],
    ['variables', /\$v0: Where[,)]/],
    ['variables with defaults', /\$v\d: \[Kind!\] = \[/],
    ['variables within literals', /\{[^{}]*kind: \$v\d/],
    ['input objects', /where: \{.*not: /],
    ['enums', /: (SHORT|LONG)\b/],
    ['null', /: null/],
    ['named fragments', /fragment F0 on /],
    ['fragments that are spread twice', /\.\.\.F0\b.*\.\.\.F0\b/s],
    ['inline fragments without a type', /\.\.\. \{/],
    ['fragments on a union', /on Found/],
    ['conditions on fields', /name @(skip|include)\(if: (true|false)\)/],
    ['conditions on fragments', /\.\.\. on \w+ @(skip|include)\(if: \$v\d\)/],
    ['one field twice', /board \{[^{}]*\} (\w+ )*board \{/],
    ['introspection', /__(schema|type\(name)/],
    ['types', /__typename/],
  ])('have %s', (_what, pattern) => {
    expect(many.some(({ source }) => pattern.test(source))).toBe(true);
  });

  test('are valid', () => {
    for (const { source } of drawn(schema, 300)) expect(validate(schema, parse(source))).toEqual([]);
  });

  test('are the same for the same seed', () => {
    expect(drawn(schema, 20)).toEqual(drawn(schema, 20));
  });
});

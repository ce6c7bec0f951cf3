import { describe, expect, test } from '@jest/globals';
import { buildSchema, GraphQLError, isObjectType, parse, type ExecutionResult, type GraphQLFieldResolver } from 'graphql';
import { Problem, problemOf } from '../base/errors.ts';
import { createCompiledExecution } from './compiled-execution.ts';

type Resolvers = Record<string, Record<string, GraphQLFieldResolver<any, any>>>;

const log: string[] = [];
const NOTES = [
  { __typename: 'Text', id: 'n1', text: 'one', tags: ['a', null, 'b'] },
  { __typename: 'Drawing', id: 'n2', strokes: 3 },
  null,
  { __typename: 'Text', id: 'n3', text: null, tags: [] },
];

const schema = buildSchema(`
  scalar Json
  enum Colour { RED GREEN }
  input Filter { colour: Colour = GREEN, words: [String!]! = ["x"], more: Filter }
  interface Note { id: ID! }
  type Text implements Note { id: ID! text: String! tags: [String] }
  type Drawing implements Note { id: ID! strokes: Int! }
  union Thing = Text | Drawing
  type Query {
    notes: [Note]
    strict: [Note!]
    thing(id: ID!): Thing
    echo(filter: Filter, json: Json, number: Int = 7): Json
    refused: String
    broken: String
    later: String!
  }
  type Mutation { write(text: String!): String! }
`);
const resolvers: Resolvers = {
  Query: {
    notes: async () => NOTES,
    strict: () => NOTES,
    thing: (_root, { id }) => NOTES.find((each) => each?.id === id),
    echo: (_root, args) => args as object,
    refused: () => {
      throw new Problem('FORBIDDEN', 'No.', { since: 2020 });
    },
    broken: async () => {
      throw new TypeError('undefined is not a function');
    },
    later: async (_root, _args, ctx) => ctx.viewer as string,
  },
  Mutation: {
    write: async (_root, { text }) => {
      await new Promise((resolve) => setImmediate(resolve));
      log.push(text as string);
      return log.join();
    },
  },
};
for (const [name, fields] of Object.entries(resolvers)) {
  const type = schema.getType(name);
  if (isObjectType(type)) for (const [field, resolve] of Object.entries(fields)) type.getFields()[field]!.resolve = resolve;
}

const interpreted = createCompiledExecution(schema, Number.POSITIVE_INFINITY);
const compiled = createCompiledExecution(schema, 0);

async function run(execution: typeof compiled, text: string, variableValues: Record<string, unknown> = {}, operationName?: string) {
  log.length = 0;
  const document = parse(text, { noLocation: true });
  return execution({ document, variableValues, operationName, contextValue: { viewer: 'v' } });
}

const plain = ({ data, errors }: ExecutionResult): unknown =>
  JSON.parse(JSON.stringify({ data, errors: errors?.map(({ message, path, extensions }) => ({ message, path, extensions })) }));

describe('a compiled document answers as an interpreted one:', () => {
  test.each<[string, string, Record<string, unknown>?, string?]>([
    ['lists, fragments and types', '{ notes { __typename id ... on Text { t: text tags } ...D } } fragment D on Drawing { strokes }'],
    ['nulls that bubble', '{ notes { id ... on Text { text } } later }'],
    ['nulls in a strict list', '{ strict { id } later }'],
    ['a union', 'query($id: ID!) { thing(id: $id) { __typename ... on Note { id } } }', { id: 'n2' }],
    ['conditions', 'query($a: Boolean!) { later @skip(if: $a) x: later @include(if: $a) notes @include(if: false) { id } }', { a: true }],
    ['defaults', '{ echo }'],
    [
      'inputs',
      'query($f: Filter, $j: Json) { echo(filter: $f, json: $j, number: 1) }',
      { f: { words: 'w', more: {} }, j: { a: [1, { b: null }] } },
    ],
    ['literals', '{ echo(filter: { colour: RED, words: [] }, json: { a: [1, "b"] }) }'],
    ['a variable that does not fit', 'query($c: Colour) { echo(filter: { colour: $c }) }', { c: 'BLUE' }],
    ['a variable of a type that holds itself', 'query($f: Filter) { echo(filter: $f) }', { f: { words: 'w', more: { words: [] } } }],
    ['a variable that is missing', 'query($id: ID!) { thing(id: $id) { __typename } }'],
    ['refusals and bugs', '{ refused broken later }'],
    ['a mutation in its order', 'mutation { a: write(text: "1") b: write(text: "2") c: write(text: "3") }'],
    ['one of two operations', 'query A { later } query B { refused }', {}, 'B'],
    ['none of two operations', 'query A { later } query B { refused }', {}, 'C'],
    ['introspection', '{ __schema { queryType { name } } __type(name: "Text") { fields { name } } }'],
  ])('%s', async (_case, text, ...[variables, operationName]) => {
    const expected = plain(await run(interpreted, text, variables, operationName));

    expect(plain(await run(compiled, text, variables, operationName))).toEqual(expected);
  });
});

test('an error keeps what was thrown', async () => {
  const { errors } = await run(compiled, '{ refused }');

  expect(errors?.[0]).toBeInstanceOf(GraphQLError);
  expect(problemOf(errors![0])).toMatchObject({ code: 'FORBIDDEN', facts: { since: 2020 } });
});

test('a document is compiled when it comes again and again', async () => {
  const document = parse('{ later }', { noLocation: true });
  const execution = createCompiledExecution(schema, 2);
  const keys = async () => Object.getPrototypeOf((await execution({ document, contextValue: { viewer: 'v' } })).data) as object | null;

  // graphql-js makes objects without a prototype, programs plain ones.
  expect([await keys(), await keys(), await keys()]).toEqual([null, null, Object.prototype]);
});

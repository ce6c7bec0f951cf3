import { expect, test } from '@jest/globals';
import { getIntrospectionQuery, graphqlSync } from 'graphql';
import { plainSubgraph } from '#shared/testing/plain-subgraph.ts';
import { resultsOf } from '../conformance/testing/run.ts';
import { composed, link, transportsOf } from '../conformance/testing/supergraph.ts';
import { openEngine } from '../supergraph/open-engine.ts';

const EVERYTHING = {
  descriptions: true,
  specifiedByUrl: true,
  directiveIsRepeatable: true,
  schemaDescription: true,
  inputValueDeprecation: true,
  oneOf: true,
};

const notes = plainSubgraph({
  name: 'notes',
  typeDefs: `${link('key', 'composeDirective')}
    extend schema @link(url: "https://example.com/trace/v1.0", import: ["@trace"]) @composeDirective(name: "@trace")
    directive @trace(level: Level! = LOW) on FIELD | FIELD_DEFINITION
    enum Level { LOW HIGH }
    "What is noted."
    schema { query: Query }
    "A day." scalar Day @specifiedBy(url: "https://example.com/day")
    "Which notes." input EntityLookup { id: ID  text: String }
    enum Hue { RED  PINK @deprecated(reason: "RED says it") }
    type Note @key(fields: "id") { id: ID! @trace  day: Day  hue(old: Hue = PINK @deprecated): Hue }
    type Query { "One of them." note(wanted: EntityLookup!): Note }
    directive @seen(times: [Int!] = [1]) repeatable on FIELD
  `,
  resolvers: { Query: { note: (_root: unknown, { wanted }: { wanted: { id: string } }) => wanted } },
});

function open(alter = (sdl: string) => sdl) {
  const log = { info: () => undefined, warn: () => undefined, error: () => undefined } as never;
  const fixture = { subgraphs: [notes] };
  const engine = openEngine({ supergraphSdl: alter(composed(fixture)), transports: transportsOf(fixture), log });
  return {
    engine,
    async ask(source: string, variables = {}) {
      const [answer] = await resultsOf(engine, { source, variables });
      return answer!;
    },
  };
}

test('supports full introspection beside data', async () => {
  const { engine, ask } = open();

  const { data, errors } = await ask(`${getIntrospectionQuery(EVERYTHING).replace('{', '{ note(wanted: { id: 7 }) { id }')}`);

  expect(errors).toBeUndefined();
  expect(data).toEqual({ note: { id: '7' }, ...graphqlSync({ schema: engine.schema, source: getIntrospectionQuery(EVERYTHING) }).data });
  expect(JSON.stringify(data)).toContain('https://example.com/day');
});

test('supports __type with variables and fragments', async () => {
  const source = `query($name: String!, $all: Boolean) { ...Types } fragment Types on Query { __type(name: $name) { ...Values } }
    fragment Values on __Type { isOneOf enumValues(includeDeprecated: $all) { name } }`;

  expect(await open().ask(source, { name: 'Hue' })).toEqual({ data: { __type: { isOneOf: null, enumValues: [{ name: 'RED' }] } } });
  expect((await open().ask(source, { name: 'Hue', all: true })).data).toMatchObject({ __type: { enumValues: { length: 2 } } });
});

test('enforces @oneOf inputs', async () => {
  const { ask } = open((sdl) => sdl.replace('input EntityLookup', 'directive @oneOf on INPUT_OBJECT\n\ninput EntityLookup @oneOf'));
  const source = 'query($wanted: EntityLookup!) { note(wanted: $wanted) { id } __type(name: "EntityLookup") { isOneOf } }';

  expect(await ask(source, { wanted: { id: 'n1' } })).toEqual({ data: { note: { id: 'n1' }, __type: { isOneOf: true } } });
  expect((await ask(source, { wanted: { id: 'n1', text: 'milk' } })).errors).toMatchObject([
    { message: expect.stringContaining('Exactly one') },
  ]);
});

test('accepts composed executable directives', async () => {
  const source =
    'query($level: Level!) { note(wanted: { id: 3 }) @trace { id @trace(level: $level) } __schema { directives { name locations } } }';

  const { data, errors } = await open().ask(source, { level: 'HIGH' });

  expect(errors).toBeUndefined();
  expect(data).toMatchObject({ note: { id: '3' } });
  expect(data).toMatchObject({ __schema: { directives: expect.arrayContaining([{ name: 'trace', locations: ['FIELD'] }]) } });
});

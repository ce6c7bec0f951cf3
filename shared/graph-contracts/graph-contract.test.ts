import { describe, expect, test } from '@jest/globals';
import { ROUTER_SUPPORTED_SUPERGRAPH_FEATURES, Supergraph } from '@apollo/federation-internals';
import { composeServices } from '@apollo/composition';
import { parse, printSchema } from 'graphql';
import { audiencesOf, contractOf } from './graph-contract.ts';

const LINK = 'extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key", "@tag", "@inaccessible"])\n';
const READER = '@tag(name: "reader")';
const EDITOR = '@tag(name: "editor")';

function supergraphOf(...sdls: string[]): string {
  const services = sdls.map((sdl, i) => ({ name: `s${i}`, url: `http://s${i}`, typeDefs: parse(LINK + sdl) }));
  const { supergraphSdl, errors } = composeServices(services);
  if (!supergraphSdl) throw new Error(String(errors));
  return supergraphSdl;
}

/** What an audience sees, without descriptions; throws when the contract is no supergraph. */
const shownTo = (audience: string, ...sdls: string[]): string => {
  const supergraph = Supergraph.build(contractOf(supergraphOf(...sdls), audience), {
    supportedFeatures: ROUTER_SUPPORTED_SUPERGRAPH_FEATURES,
  });
  const sdl = printSchema(supergraph.apiSchema().toGraphQLJSSchema());
  const types = sdl.split('\n\n').map((type) => type.replace(/\s+/g, ' ').trim());
  return types.toSorted().join('\n');
};

describe('a contract', () => {
  test('has the root fields that are tagged for it, and none without a tag', () => {
    const sdl = `type Query { a: Int ${READER} b: Int ${EDITOR} c: Int ${READER} ${EDITOR} d: Int e: Int @tag(name: "internal") }
      type Mutation { write: Int ${EDITOR} }  type Subscription { written: Int ${READER} }`;

    expect(shownTo('reader', sdl)).toBe('type Query { a: Int c: Int }\ntype Subscription { written: Int }');
    expect(shownTo('editor', sdl)).toBe('type Mutation { write: Int }\ntype Query { b: Int c: Int }');
  });

  test('has of everything below what has no tag or names it', () => {
    const sdl = `type Query { note: Note ${READER} ${EDITOR} }
      type Note { id: ID  draft(full: Boolean, raw: Boolean ${EDITOR}): String  pay: Int ${EDITOR}  state: State  old: Int @tag(name: "internal") }
      enum State { OPEN  HIDDEN ${EDITOR} }`;

    expect(shownTo('reader', sdl)).toBe(
      'enum State { OPEN }\ntype Note { id: ID draft(full: Boolean): String state: State }\ntype Query { note: Note }',
    );
    expect(shownTo('editor', sdl)).toContain('draft(full: Boolean, raw: Boolean): String pay: Int state: State }');
    expect(shownTo('editor', sdl)).not.toContain('old');
  });

  test('has no type that nothing leads to, and no field that leads to a hidden one', () => {
    const sdl = `type Query { note: Note ${READER}  vault: Vault ${EDITOR}  search(in: Filter, by: Direction!): Note ${READER} }
      type Note { id: ID  vault: Vault  ring: Ring }
      type Ring ${EDITOR} { note: Note }
      type Vault { gold: Gold }  type Gold { grams: Int }
      input Filter { text: String  only: Secret }  input Secret ${EDITOR} { x: Int }
      enum Direction { UP DOWN }`;

    expect(shownTo('reader', sdl).split('\n')).toEqual([
      'enum Direction { UP DOWN }',
      'input Filter { text: String }',
      'type Gold { grams: Int }',
      'type Note { id: ID vault: Vault }',
      'type Query { note: Note search(in: Filter, by: Direction!): Note }',
      'type Vault { gold: Gold }',
    ]);
    expect(shownTo('editor', sdl).split('\n')).toEqual([
      'type Gold { grams: Int }',
      'type Query { vault: Vault }',
      'type Vault { gold: Gold }',
    ]);
  });

  test('has no field that cannot be asked for without what is hidden', () => {
    const sdl = `type Query { a: Int ${READER}  b(in: Secret!): Int ${READER}  c(in: Half): Int ${READER} }
      input Secret ${EDITOR} { x: Int }  input Half { need: Secret!  other: Int }`;

    expect(shownTo('reader', sdl)).toBe('type Query { a: Int c: Int }');
  });

  test('promises of interfaces and unions what all that is left of them keeps', () => {
    const sdl = `type Query { named: Named ${READER}  either: Either ${READER}  none: None ${READER} }
      interface Named { id: ID  code: Int }
      type A implements Named { id: ID  code: Int }  type B implements Named { id: ID  code: Int ${EDITOR} }
      union Either = A | C  type C ${EDITOR} { x: Int }  union None = C`;

    const shown = shownTo('reader', sdl);

    expect(shown).toContain('interface Named { id: ID }');
    expect(shown).toContain('type A implements Named { id: ID code: Int }');
    expect(shown).toContain('union Either = A');
    expect(shown).not.toContain('none');
  });

  test('leaves keys that nobody sees to the planner, and keeps what was hidden before', () => {
    const one = `type Query { note: Note ${READER} }  type Note @key(fields: "id") { id: ID! ${EDITOR}  text: String  lost: Int @inaccessible }`;
    const two = 'type Note @key(fields: "id") { id: ID!  author: String }';

    expect(shownTo('reader', one, two)).toBe('type Note { text: String author: String }\ntype Query { note: Note }');
  });
});

test('there is a contract for each tag at a field of Query, but for what is internal', () => {
  const sdl = `type Query { a: Int ${READER} ${EDITOR} b: Int @tag(name: "internal") ${READER} }  type Mutation { c: Int @tag(name: "other") }`;

  expect(audiencesOf(supergraphOf(sdl))).toEqual(['editor', 'reader']);
  expect(audiencesOf(supergraphOf('type Query { a: Int }'))).toEqual([]);
});

import { expect, test } from '@jest/globals';
import { allow, hasRole, isSignedIn, objectRule } from '#shared/kit/permissions.ts';
import { rootFieldsGuardedOtherwise, rootFieldsOfNobody } from './audience.ts';
import { readSdl } from './document.ts';

const sdl = (schema: string, permissions = {}) => readSdl(schema, permissions, new Set());

const curates = hasRole('curator', 'editor');

test.each([
  ['signing in', isSignedIn, '@authenticated'],
  ['a role', curates, '@policy(policies: [["role:curator"], ["role:editor"]])'],
  ['nothing', allow, ''],
  ['what only the subgraph knows', objectRule('isAuthor', () => true), ''],
])('a root field that asks for %s says so to the gateway, and no other does', (_case, rule, directive) => {
  const permissions = { Mutation: { writeNote: rule } };
  const others = ['@authenticated', '@policy(policies: [["role:curator"]])', '@requiresScopes(scopes: [["notes:write"]])', ''];

  expect(rootFieldsGuardedOtherwise(sdl(`type Mutation { writeNote: Int ${directive} @tag(name: "a") }`, permissions))).toEqual([]);
  for (const other of others.filter((each) => each !== directive)) {
    expect(rootFieldsGuardedOtherwise(sdl(`type Mutation { writeNote: Int ${other} }`, permissions))).toEqual([
      `Mutation.writeNote has "${other}", its rule is "${directive}"`,
    ]);
  }
});

test('a root field without a tag is in no contract', () => {
  const schema = 'type Query { note: Int @tag(name: "reader")  notes: Int } extend type Query { board: Int } type Note { text: String }';

  expect(rootFieldsOfNobody(sdl(schema))).toEqual(['Query.notes', 'Query.board']);
});

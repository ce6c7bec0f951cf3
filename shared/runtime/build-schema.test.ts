import { expect, test } from '@jest/globals';
import { graphql } from 'graphql';
import { allow } from '../kit/permissions.ts';
import { buildSchema } from './build-schema.ts';
import type { Subgraph } from '../kit/define-subgraph.ts';

const notes = {
  schema: 'type Query { isReady: Boolean } type Note @key(fields: "id") { id: ID! text: String }',
  resolvers: {
    Note: {
      __resolveReference({ id }: { id: unknown }) {
        if (typeof id !== 'string') throw new TypeError('what is no id came through');
        return { id, text: `of ${id}` };
      },
    },
  },
  permissions: { Note: { '*': allow } },
  operationsApi: false,
  publicMaxAge: {},
} as unknown as Subgraph;

test('a reference without an id finds nothing, and is no error', async () => {
  const references = [{ id: 'n1' }, { id: null }, {}, { id: 7 }, { id: { $ne: null } }, { id: ['n1'] }];

  const { data, errors } = await graphql({
    schema: buildSchema(notes),
    source: 'query ($representations: [_Any!]!) { _entities(representations: $representations) { ... on Note { text } } }',
    variableValues: { representations: references.map((reference) => ({ __typename: 'Note', ...reference })) },
    contextValue: {},
  });

  expect(errors).toBeUndefined();
  expect(data).toEqual({ _entities: [{ text: 'of n1' }, null, null, null, null, null] });
});

import { describe, expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { audiencesOf, contractOf } from '#shared/graph-contracts/graph-contract.ts';
import { apiSchemaOf, coordinatesOf } from './coordinates.ts';
import { buildSchema, Kind, parse, type ConstDirectiveNode, type GraphQLSchema } from 'graphql';

const sdl = readFileSync(join(import.meta.dirname, 'supergraph.graphql'), 'utf8');
const supergraph = parse(sdl);
const ROOTS = ['Query', 'Mutation', 'Subscription'];

/** What its clients see of a contract. */
const shownTo = (audience: string): GraphQLSchema => apiSchemaOf(contractOf(sdl, audience));

const rootFieldsOf = (schema: GraphQLSchema): string[] =>
  ROOTS.flatMap((root) => {
    const type = schema.getType(root);
    return type && 'getFields' in type ? Object.keys(type.getFields()).map((field) => `${root}.${field}`) : [];
  });

const adminFields = supergraph.definitions.flatMap((definition) =>
  definition.kind === Kind.OBJECT_TYPE_DEFINITION && ROOTS.includes(definition.name.value)
    ? (definition.fields ?? [])
        .filter(({ directives = [] }) => directives.some(isForAdmins))
        .map(({ name }) => `${definition.name.value}.${name.value}`)
    : [],
);

function isForAdmins({ name, arguments: [policies] = [] }: ConstDirectiveNode): boolean {
  return name.value === 'policy' && policies?.value.kind === Kind.LIST && JSON.stringify(policies.value).includes('role:admin');
}

test('there is a contract for each audience', () => {
  expect(audiencesOf(sdl)).toEqual(['admin', 'buyer', 'partner', 'vendor']);
});

test('what is for admins is in their contract, and in no other', () => {
  expect(adminFields.length).toBeGreaterThan(10);
  expect(rootFieldsOf(shownTo('admin'))).toEqual(expect.arrayContaining(adminFields));
  for (const audience of ['buyer', 'vendor', 'partner']) {
    expect(rootFieldsOf(shownTo(audience)).filter((field) => adminFields.includes(field))).toEqual([]);
  }
});

describe('a partner', () => {
  const partner = shownTo('partner');

  test('reads the catalogue, and keeps its stock and orders up to date', () => {
    expect(rootFieldsOf(partner)).toEqual(
      expect.arrayContaining(['Query.products', 'Query.vendorOrders', 'Mutation.setStock', 'Mutation.updateVendorOrderStatus']),
    );
  });

  test('reads nothing about accounts, carts and sessions, not even that there are any', () => {
    const shown = [...rootFieldsOf(partner), ...Object.keys(partner.getTypeMap())].join(' ');

    expect(shown).not.toMatch(/login|register|password|session|mfa|cart|users|saga|deadletter|application/i);
  });
});

test('coordinates name types, fields, arguments, input fields, enum values and members of unions', () => {
  const schema = buildSchema(`
    type Query { notes(first: Int, where: NoteWhere): [Found!]! }
    union Found = Note
    interface Node { id: ID! }
    type Note implements Node { id: ID! state: State }
    enum State { OPEN }
    input NoteWhere { state: State }
    scalar Cursor
  `);

  expect(coordinatesOf(schema).filter((each) => !/^(Boolean|ID|Int|String)$/.test(each))).toEqual([
    'Cursor',
    'Found',
    'Found = Note',
    'Node',
    'Node.id',
    'Note',
    'Note.id',
    'Note.state',
    'NoteWhere',
    'NoteWhere.state',
    'Query',
    'Query.notes',
    'Query.notes(first:)',
    'Query.notes(where:)',
    'State',
    'State.OPEN',
  ]);
});

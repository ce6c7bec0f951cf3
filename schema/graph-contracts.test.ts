import { describe, expect, test } from '@jest/globals';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROUTER_SUPPORTED_SUPERGRAPH_FEATURES, Supergraph } from '@apollo/federation-internals';
import { Kind, parse, type ConstDirectiveNode, type GraphQLSchema } from 'graphql';

const FOLDER = join(import.meta.dirname, 'contracts');
const read = (file: string): string => readFileSync(file, 'utf8');
const supergraph = parse(read(join(import.meta.dirname, 'supergraph.graphql')));
const ROOTS = ['Query', 'Mutation', 'Subscription'];

/** What its clients see of a contract; throws when it is no supergraph. */
const shownBy = (contract: string): GraphQLSchema =>
  Supergraph.build(read(join(FOLDER, contract)), { supportedFeatures: ROUTER_SUPPORTED_SUPERGRAPH_FEATURES })
    .apiSchema()
    .toGraphQLJSSchema() as GraphQLSchema;

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
  expect(readdirSync(FOLDER).toSorted()).toEqual(['admin.graphql', 'buyer.graphql', 'partner.graphql', 'vendor.graphql']);
});

test('what is for admins is in their contract, and in no other', () => {
  expect(adminFields.length).toBeGreaterThan(10);
  expect(rootFieldsOf(shownBy('admin.graphql'))).toEqual(expect.arrayContaining(adminFields));
  for (const contract of ['buyer.graphql', 'vendor.graphql', 'partner.graphql']) {
    expect(rootFieldsOf(shownBy(contract)).filter((field) => adminFields.includes(field))).toEqual([]);
  }
});

describe('a partner', () => {
  const partner = shownBy('partner.graphql');

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

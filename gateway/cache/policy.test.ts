import { describe, expect, test } from '@jest/globals';
import { buildSchema, parse, validate } from 'graphql';
import { readAppliedDirectives } from '../graphql/applied-directives.ts';
import { readRequirements } from '../authorization/requirements.ts';
import { createAuthorization } from '../authorization/authorization.ts';
import { createCachePolicies } from './policy.ts';

const SDL = `
  schema
    @link(url: "https://example.org/cacheControl/v1.0", import: [{ name: "@cacheControl", as: "@keep" }])
    @link(url: "https://specs.apollo.dev/authenticated/v0.1") { query: Query mutation: Mutation subscription: Subscription }
  directive @link(url: String, import: [Import]) repeatable on SCHEMA
  directive @keep(maxAge: Int, scope: Scope, inheritMaxAge: Boolean) on FIELD_DEFINITION | OBJECT | INTERFACE | UNION
  directive @authenticated on FIELD_DEFINITION | OBJECT | INTERFACE | SCALAR | ENUM
  scalar Import
  enum Scope { PUBLIC PRIVATE }
  type Query {
    motto: String
    note: Note
    notes: [Note] @keep(maxAge: 20)
    fresh: Note @keep(maxAge: 0)
    page: Page
    mine: Note @keep(scope: PRIVATE)
    open: Secretive @keep(maxAge: 50, scope: PUBLIC)
    thing: Thing @keep(maxAge: 50, scope: PUBLIC)
    secret: Note @authenticated
    stamp: Stamp @keep(maxAge: 7)
  }
  type Mutation { write: Note }
  type Subscription { noted: Note  written: Page }
  type Note @keep(maxAge: 100, scope: PUBLIC) {
    id: ID  text: String @keep(maxAge: 60)  draft: String @keep(scope: PRIVATE)  stamp: Stamp  page: Page  locked: Int @authenticated
  }
  type Stamp @keep(inheritMaxAge: true) { at: String  inner: Stamp }
  type Page { total: Int  note: Note }
  type Secretive { name: String  hidden: String @keep(scope: PRIVATE) }
  interface Thing { name: String  size: Int }
  type Box implements Thing { name: String  size: Int @keep(scope: PRIVATE)  inside: String }
`;
const schema = buildSchema(SDL);
const appliedDirectives = readAppliedDirectives(parse(SDL));
const { isProtected } = createAuthorization(schema, readRequirements(appliedDirectives, schema));
const policies = createCachePolicies({ appliedDirectives, schema, isProtected });

const asked = (source: string, operationName?: string) => {
  const document = parse(source);
  expect(validate(schema, document)).toEqual([]);
  return { document, operationName };
};
const headerOf = (source: string, result: object = { data: {} }) => policies.headerOf(asked(source), result);

describe('Cache-Control', () => {
  test.each([
    ['{ note { id } }', 'max-age=100, public'],
    ['{ note { id text } }', 'max-age=60, public'],
    ['{ notes { id } }', 'max-age=20, public'],
    ['{ note { id } notes { id } }', 'max-age=20, public'],
    ['{ note { stamp { at inner { at } } } }', 'max-age=100, public'],
    ['{ ...Q } fragment Q on Query { note { ...N } } fragment N on Note { ... { text } }', 'max-age=60, public'],
    ['{ note { draft } }', 'max-age=100, private'],
    ['{ mine { id } }', 'max-age=100, private'],
    ['{ stamp { at } }', 'max-age=7, private'],
    ['{ note { locked } }', 'max-age=100, private'],
    ['{ secret { id } }', 'max-age=100, private'],
    ['{ open { name } }', 'max-age=50, public'],
    ['{ open { hidden } }', 'max-age=50, private'],
    ['{ fresh { id } }', 'no-store'],
    ['{ motto }', 'no-store'],
    ['{ page { total } }', 'no-store'],
    ['{ note { page { note { id } } } }', 'no-store'],
    ['{ __typename }', 'no-store'],
    ['{ __schema { queryType { name } } }', 'no-store'],
    ['mutation { write { id } }', 'no-store'],
  ])('of %s is %s', (source, header) => {
    expect(headerOf(source)).toBe(header);
  });

  test('of a response with errors, or without data, is no-store', () => {
    expect(headerOf('{ note { id } }', { data: { note: null }, errors: [new Error('no')] })).toBe('no-store');
    expect(headerOf('{ note { id } }', { data: null })).toBe('no-store');
  });

  test('is that of the selected operation', () => {
    const source = 'query A { note { id } } query B { motto }';

    expect(policies.headerOf(asked(source, 'A'), { data: {} })).toBe('max-age=100, public');
    expect(policies.headerOf(asked(source, 'B'), { data: {} })).toBe('no-store');
  });
});

describe('the scope of a response', () => {
  const ada = { id: 'p1', roles: [], scopes: [] };
  const scopeOf = (source: string, viewer: typeof ada | null) =>
    policies.scopeOf({
      ...asked(source),
      operationName: undefined,
      source,
      identity: { issuer: 'gateway', viewer },
      correlationId: 'c',
      deadline: 0,
    });

  test.each(['{ note { id text stamp { at } } }', '{ thing { name } }', 'subscription { noted { id } }'])('is empty for %s', (source) => {
    expect([scopeOf(source, ada), scopeOf(source, null)]).toEqual(['', '']);
  });

  test.each([
    ['something private', '{ note { id draft } }'],
    ['a field that says nothing, within a public one', '{ note { id page { total } } }'],
    ['a root field that says nothing', '{ note { id } motto }'],
    ['something protected', '{ note { id locked } }'],
    ['something private behind an interface', '{ thing { size } }'],
    ['a type that says nothing behind a public interface', '{ thing { ... on Box { inside } } }'],
    ['the schema', '{ note { id } __schema { queryType { name } } }'],
    ['a mutation', 'mutation { write { id } }'],
    ['an event that says nothing', 'subscription { written { total } }'],
  ])('is the whole viewer for %s', (_case, source) => {
    expect(scopeOf(source, ada)).toContain(JSON.stringify(ada));
    expect(
      new Set([null, ada, { ...ada, id: 'p2' }, { ...ada, roles: ['x'] }].map((viewer) => scopeOf(source, viewer as never))).size,
    ).toBe(4);
  });
});

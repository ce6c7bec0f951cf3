import { EventEmitter, on } from 'node:events';
import { composeSupergraph } from '../../schema/compose.ts';
import type { Viewer } from '#shared/base/identity.ts';
import { plainSubgraph, type PlainSubgraph } from '#shared/testing/plain-subgraph.ts';

/** A graph whose fields, types, enums and interfaces are protected in every way. For tests of authorization. */
export interface ProtectedFixture {
  supergraphSdl: string;
  subgraphs: PlainSubgraph[];
  changeNote: (id: string) => void;
}

const LINK = `extend schema
  @link(url: "https://specs.apollo.dev/federation/v2.9",
    import: ["@key", "@authenticated", { name: "@requiresScopes", as: "@needs" }, "@policy", "@composeDirective"])
  @link(url: "https://example.org/cacheControl/v1.0", import: ["@cacheControl"])
  @composeDirective(name: "@cacheControl")
directive @cacheControl(maxAge: Int, scope: cacheControl__Scope, inheritMaxAge: Boolean) on FIELD_DEFINITION | OBJECT | INTERFACE | UNION
enum cacheControl__Scope { PUBLIC PRIVATE }
`;

const PEOPLE = `${LINK}
  type Query { me: Person @authenticated  person(id: ID!): Person  things: [Thing!]! @cacheControl(scope: PUBLIC)  vault: Vault @cacheControl(scope: PUBLIC)  named: [Named] level: Level }
  type Mutation { rename(id: ID!, name: String!): Person  dismiss(id: ID!): Person @policy(policies: [["role:editor"]]) }
  interface Named @cacheControl(scope: PUBLIC) { id: ID!  code: String! }
  type Person implements Named @key(fields: "id") @cacheControl(scope: PUBLIC) {
    id: ID!  name: String  code: String! @authenticated
    email: String @authenticated
    pay: Int! @needs(scopes: [["pay:read"], ["pay:admin", "pay:write"]])
    level: Level
    boss: Person
  }
  type Box implements Named { id: ID!  code: String! @authenticated  inside: [Thing] }
  type Vault @needs(scopes: [["vault"]]) { gold: Int  keeper: Person }
  union Thing = Person | Vault | Box
  enum Level @policy(policies: [["role:editor"], ["role:chief", "unheard-of"]]) { LOW HIGH }
`;

const NOTES = `${LINK}
  type Query { notes: [Note!] }
  type Mutation { writeNote(text: String!): Note  removeNotes: Int! @authenticated }
  type Subscription { noteChanged: Note  audit: Note @authenticated }
  type Note @key(fields: "id") @cacheControl(scope: PUBLIC) { id: ID!  text: String  draft: String! @policy(policies: [["role:editor"]])  author: Person }
  type Person @key(fields: "id") { id: ID!  notes: [Note!]! }
`;

const person = (id: string, name: string, level: string, boss: object | null) => {
  const notes: object[] = [];
  return { __typename: 'Person', id, code: `c-${id}`, email: `${id}@example.org`, pay: 5, name, level, boss, notes };
};
const ADA = person('p1', 'Ada', 'HIGH', null);
const BO = person('p2', 'Bo', 'LOW', ADA);
const PERSONS = [ADA, BO];
const VAULT = { __typename: 'Vault', gold: 9, keeper: BO };
const BOX = { __typename: 'Box', id: 'x1', code: 'c-x1', inside: [VAULT, ADA, null] };
const NOTE_ROWS = [
  { __typename: 'Note', id: 'n1', text: 'one', draft: 'o', author: ADA },
  { __typename: 'Note', id: 'n2', text: 'two', draft: 't', author: BO },
];
ADA.notes.push(...NOTE_ROWS);

/** The data, as a viewer with all rights sees it. */
export const TRUTH: Readonly<Record<string, unknown>> = {
  me: ADA,
  person: ({ id }: { id: string }) => personOf({ id }),
  things: [ADA, VAULT, BOX],
  vault: VAULT,
  named: [BO, BOX, null],
  level: 'LOW',
  notes: NOTE_ROWS,
};

const personOf = ({ id }: { id: string }) => PERSONS.find((each) => each.id === id) ?? null;
const noteOf = ({ id }: { id: string }) => NOTE_ROWS.find((each) => each.id === id) ?? null;
const typed = { __resolveType: ({ __typename }: { __typename: string }) => __typename };
const fieldsOf = (names: string[]) => Object.fromEntries(names.map((name) => [name, () => TRUTH[name]]));
const byId = (_root: unknown, args: { id: string }) => personOf(args);

export function protectedFixture(): ProtectedFixture {
  const changes = new EventEmitter();
  const people = plainSubgraph({
    name: 'people',
    typeDefs: PEOPLE,
    resolvers: {
      Query: { ...fieldsOf(['me', 'things', 'vault', 'named', 'level']), person: byId },
      Mutation: { rename: byId, dismiss: byId },
      Person: { __resolveReference: personOf },
      Named: typed,
      Thing: typed,
    },
  });
  const changed = { subscribe: () => on(changes, 'note'), resolve: ([note]: unknown[]) => note };
  const notes = plainSubgraph({
    name: 'notes',
    typeDefs: NOTES,
    resolvers: {
      Query: { notes: () => NOTE_ROWS },
      Mutation: { writeNote: () => NOTE_ROWS[0], removeNotes: () => 2 },
      Subscription: { noteChanged: changed, audit: changed },
      Note: { __resolveReference: noteOf },
      Person: { __resolveReference: personOf },
    },
  });
  const subgraphs = [people, notes];
  return {
    subgraphs,
    supergraphSdl: composeSupergraph(subgraphs.map(({ name, typeDefs }) => ({ name, typeDefs, url: `http://${name}/graphql` }))),
    changeNote: (id) => void changes.emit('note', noteOf({ id })),
  };
}

/** An anonymous viewer, then viewers with more and more rights. */
export const VIEWERS: (Viewer | null)[] = [
  null,
  { id: 'p1', roles: [], scopes: [] },
  { id: 'p1', roles: ['chief'], scopes: ['pay:admin', 'vault'] },
  { id: 'p2', roles: ['editor'], scopes: ['pay:read'] },
  { id: 'p2', roles: ['editor'], scopes: ['pay:admin', 'pay:write', 'vault'] },
];

import { plainSubgraph } from '#shared/testing/plain-subgraph.ts';
import type { TestSupergraph } from '../supergraph.ts';

const LINK =
  'extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key", "@context", "@fromContext", "@shareable"])\n';
const USERS = [
  { id: '1', language: 'en', letters: [{ id: 'a' }, { id: 'b' }] },
  { id: '2', language: null, letters: [{ id: 'a' }] },
];

const users = plainSubgraph({
  name: 'users',
  typeDefs: `${LINK}
    type Query { users: [User!]! }
    type User @key(fields: "id") @context(name: "reader") { id: ID!  language: String @shareable  letters: [Letter!]! }
    type Letter @key(fields: "id") { id: ID! }
  `,
  resolvers: {
    Query: { users: () => USERS },
    User: { __resolveReference: ({ id }: { id: string }) => USERS.find((user) => user.id === id) },
  },
});

const letters = plainSubgraph({
  name: 'letters',
  typeDefs: `${LINK}
    type User @key(fields: "id") @context(name: "reader") { id: ID!  language: String @shareable }
    type Letter @key(fields: "id") { id: ID!  text(language: String @fromContext(field: "$reader { language }")): String }
  `,
  resolvers: { Letter: { text: ({ id }: { id: string }, { language }: { language?: string | null }) => `${id} in ${language}` } },
});

/** An argument that a subgraph takes from an object above (@fromContext). */
export const contexts: TestSupergraph = { name: 'contexts', subgraphs: [users, letters] };

import { plainSubgraph } from '#shared/testing/plain-subgraph.ts';
import { rowOf, type TestSupergraph } from '../supergraph.ts';

const USERS = [
  { id: '1', email: 'a@example.org', name: 'Ada', born: 1990 },
  { id: '2', email: 'b@example.org', name: null, born: 1970 },
];
const RIDES = [
  { id: 'r1', rider: '1', km: 4 },
  { id: 'r2', rider: '2', km: 0 },
  { id: 'r3', rider: '3', km: 9 },
];

const users = plainSubgraph({
  name: 'users',
  typeDefs: `
    extend type Query { me: User  users: [User!]! }
    type User @key(fields: "id") @key(fields: "email") { id: ID!  email: String!  name: String  born: Int }
    type Settings { dark: Boolean!  size: Int }
  `,
  resolvers: {
    Query: { me: () => USERS[0], users: () => USERS },
    User: { __resolveReference: (reference: object) => rowOf(USERS, reference) },
  },
});

const rides = plainSubgraph({
  name: 'rides',
  typeDefs: `
    extend type Query { rides: [Ride!]!  ride(id: ID!): Ride }
    type Ride @key(fields: "id") { id: ID!  km: Int!  rider: User @provides(fields: "name") }
    extend type User @key(fields: "id") { id: ID! @external  name: String @external  born: Int @external  rides: [Ride!]!  greeting(polite: Boolean): String @requires(fields: "name born") }
    type Settings { dark: Boolean!  size: Int }
  `,
  resolvers: {
    Query: { rides: () => RIDES, ride: (_root: unknown, reference: object) => rowOf(RIDES, reference) },
    Ride: {
      __resolveReference: (reference: object) => rowOf(RIDES, reference),
      rider: ({ rider }: { rider: string }) => ({ id: rider, name: rowOf(USERS, { id: rider })?.name }),
    },
    User: {
      rides: ({ id }: { id: string }) => RIDES.filter(({ rider }) => rider === id),
      greeting: ({ name, born }: { name?: string | null; born?: number }, { polite }: { polite?: boolean | null }) =>
        `${polite ? 'Good day' : 'Hi'} ${name} of ${born}`,
    },
  },
});

const mail = plainSubgraph({
  name: 'mail',
  typeDefs: `
    extend type Query { inbox(email: String!): User }
    extend type User @key(fields: "email") { email: String! @external  unread: Int!  settings: Settings }
    extend type Ride @key(fields: "id") { id: ID! @external  km: Int! @external  receipt: String @requires(fields: "km") }
    type Settings { dark: Boolean!  size: Int }
  `,
  resolvers: {
    Query: { inbox: (_root: unknown, { email }: { email: string }) => ({ email }) },
    User: {
      unread: ({ email }: { email: string }) => email.length,
      settings: ({ email }: { email: string }) => (email.startsWith('a') ? { dark: true, size: 2 } : null),
    },
    Ride: { receipt: ({ id, km }: { id: string; km: number }) => `${id}: ${km} km` },
  },
});

/** Federation 1 subgraphs: no link, extended types, everything shareable. */
export const federation1: TestSupergraph = {
  name: 'federation1',
  subgraphs: [users, rides, mail],
  samples: { ID: ['r1', 'r2', 'r3', 'r9'], String: ['a@example.org', 'b@example.org', 'z@example.org'] },
};

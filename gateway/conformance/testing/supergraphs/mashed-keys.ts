import { plainSubgraph } from '#shared/testing/plain-subgraph.ts';
import { link, rowOf, type TestSupergraph } from '../supergraph.ts';

const ROOMS = [
  { id: '1', number: 'n1', place: { floor: 'f1', wing: 'w1', block: 'b1' }, name: 'Red' },
  { id: '2', number: 'n2', place: { floor: 'f1', wing: 'w2', block: 'b1' }, name: 'Blue' },
];

const rooms = plainSubgraph({
  name: 'rooms',
  typeDefs: `${link('key', 'shareable')}
    type Query { rooms: [Room!]! }
    type Room @key(fields: "id") @key(fields: "number") @key(fields: "place { floor wing }") @key(fields: "id place { wing block }") {
      id: ID!  number: ID!  place: Place!  name: String!
    }
    type Place @shareable { floor: ID!  wing: ID!  block: ID! }
  `,
  resolvers: { Query: { rooms: () => ROOMS }, Room: { __resolveReference: (reference: object) => rowOf(ROOMS, reference) } },
});

const bookings = plainSubgraph({
  name: 'bookings',
  typeDefs: `${link('key', 'shareable', 'external', 'requires')}
    type Query { booking: Booking }
    type Booking @key(fields: "id") { id: ID!  rooms: [Room!]! }
    type Room @key(fields: "id place { wing block }") { id: ID!  place: Place!  name: String! @external  sign: String! @requires(fields: "name") }
    type Place @shareable { wing: ID!  block: ID! }
  `,
  resolvers: {
    Query: { booking: () => ({ id: 'k1', rooms: ROOMS }) },
    Room: { sign: ({ id, name }: { id: string; name: string }) => `${id} ${name}` },
  },
});

const alarms = plainSubgraph({
  name: 'alarms',
  typeDefs: `${link('key', 'shareable')}
    type Query { alarms: [Room!]! }
    type Room @key(fields: "place { floor wing }") @key(fields: "number") { number: ID!  place: Place!  alarm: Boolean }
    type Place @shareable { floor: ID!  wing: ID! }
  `,
  resolvers: {
    Query: { alarms: () => ROOMS },
    Room: {
      __resolveReference: (reference: object) => rowOf(ROOMS, reference),
      alarm: ({ number }: { number: string }) => number === 'n1',
    },
  },
});

/** Keys with common fields, of which each subgraph knows others. */
export const mashedKeys: TestSupergraph = { name: 'mashed-keys', subgraphs: [rooms, bookings, alarms] };

import { Problem } from '#shared/base/errors.ts';
import { plainSubgraph } from '#shared/testing/plain-subgraph.ts';
import { link, rowOf, type TestSupergraph } from '../supergraph.ts';

const DRIVERS = [
  { id: 'd1', name: 'Ed', stars: 4 },
  { id: 'd2', name: 'Al', stars: null },
];
const TRIPS = [
  { __typename: 'BusTrip', id: '1', seats: 40, at: { lat: 1.5, lng: 2 }, driver: 'd1' },
  { __typename: 'BusTrip', id: '2', seats: 12, at: null, driver: 'd9' },
  { __typename: 'BoatTrip', id: '3', knots: 7, at: { lat: 0, lng: 0 }, driver: 'd2' },
];

const trips = plainSubgraph({
  name: 'trips',
  typeDefs: `${link('key', 'shareable')}
    type Query { trips: [Trip!]! }
    type Subscription { moved(id: ID, times: Int! = 2): Trip  all: [Trip!]!  counted(to: Int!): Int!  refused: Trip  failing: Trip! }
    interface Trip { id: ID!  at: Place  driver: Driver }
    type BusTrip implements Trip @key(fields: "id") { id: ID!  at: Place  driver: Driver  seats: Int! }
    type BoatTrip implements Trip @key(fields: "id") { id: ID!  at: Place  driver: Driver  knots: Int }
    type Place { lat: Float!  lng: Float! }
    type Driver @key(fields: "id") { id: ID! }
  `,
  resolvers: {
    Query: { trips: () => TRIPS },
    Subscription: {
      moved: {
        async *subscribe(_root: unknown, { id, times }: { id?: string | null; times: number }) {
          for (const trip of TRIPS.filter((each) => !id || each.id === id).slice(0, Math.max(0, times))) yield { moved: trip };
          yield { moved: null };
        },
      },
      all: {
        async *subscribe() {
          yield { all: TRIPS };
          yield { all: [TRIPS[2], null] };
          yield { all: [] };
        },
      },
      counted: {
        async *subscribe(_root: unknown, { to }: { to: number }) {
          for (let counted = 1; counted <= to; counted += 1) yield { counted };
        },
      },
      refused: {
        subscribe: () => {
          throw new Problem('FORBIDDEN', 'You may not do this.');
        },
      },
      failing: {
        async *subscribe() {
          yield { failing: TRIPS[0] };
          yield { failing: null };
          yield { failing: TRIPS[2] };
        },
      },
    },
    BusTrip: {
      __resolveReference: (reference: object) => rowOf(TRIPS, reference),
      driver: ({ driver }: { driver: string }) => ({ id: driver }),
    },
    BoatTrip: {
      __resolveReference: (reference: object) => rowOf(TRIPS, reference),
      driver: ({ driver }: { driver: string }) => ({ id: driver }),
    },
  },
});

const drivers = plainSubgraph({
  name: 'drivers',
  typeDefs: `${link('key')}
    type Query { drivers: [Driver!] }
    type Driver @key(fields: "id") { id: ID!  name: String!  stars: Int  trips(first: Int = 1): [BusTrip!] }
    type BusTrip @key(fields: "id") { id: ID!  passengers: [String!] }
  `,
  resolvers: {
    Query: { drivers: () => DRIVERS },
    Driver: {
      __resolveReference: (reference: object) => rowOf(DRIVERS, reference),
      trips: ({ id }: { id: string }, { first }: { first: number | null }) =>
        id === 'd1' ? [{ id: '1' }, { id: '2' }].slice(0, Math.max(0, first ?? 1)) : null,
    },
    BusTrip: { passengers: ({ id }: { id: string }) => (id === '1' ? ['Mo', 'Jo'] : null) },
  },
});

/** Streams whose events are joined with another subgraph, fail now and then, and end. */
export const streams: TestSupergraph = {
  name: 'streams',
  subgraphs: [trips, drivers],
  samples: { ID: ['1', '2', '3'], Int: [0, 1, 2, 3] },
};

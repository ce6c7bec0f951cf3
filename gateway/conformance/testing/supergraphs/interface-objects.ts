import { plainSubgraph } from '#shared/testing/plain-subgraph.ts';
import { link, rowOf, type TestSupergraph } from '../supergraph.ts';

const PLACES = [
  { __typename: 'Park', id: 'p1', name: 'Green', trees: 12, near: 'm1' },
  { __typename: 'Park', id: 'p2', name: 'Low', trees: 0, near: null },
  { __typename: 'Museum', id: 'm1', name: 'Old', rooms: 4, near: 'p2' },
];
const VISITS = [
  { id: 'v1', stars: 5, place: 'p1' },
  { id: 'v2', stars: 1, place: 'm1' },
  { id: 'v3', stars: null, place: 'p1' },
  { id: 'v4', stars: 2, place: 'lost' },
];
const GUIDES = [
  { id: 'p1', language: 'Bemba', length: 3 },
  { id: 'm1', language: 'Lozi', length: 9 },
];

const place = ({ id }: { id: string }) => rowOf(PLACES, { id });
const visitsOf = ({ id }: { id: string }) => VISITS.filter((visit) => visit.place === id);

const places = plainSubgraph({
  name: 'places',
  typeDefs: `${link('key')}
    type Query { places: [Place!]!  place(id: ID!): Place }
    interface Place @key(fields: "id") { id: ID!  name: String!  near: Place }
    type Park implements Place @key(fields: "id") { id: ID!  name: String!  near: Place  trees: Int! }
    type Museum implements Place @key(fields: "id") { id: ID!  name: String!  near: Place  rooms: Int }
  `,
  resolvers: {
    Query: { places: () => PLACES, place: (_root: unknown, { id }: { id: string }) => place({ id }) },
    Place: { __resolveReference: place },
    Park: { __resolveReference: place, near: ({ near }: { near: string | null }) => near && place({ id: near }) },
    Museum: { __resolveReference: place, near: ({ near }: { near: string | null }) => near && place({ id: near }) },
  },
});

const visits = plainSubgraph({
  name: 'visits',
  typeDefs: `${link('key', 'interfaceObject')}
    type Query { visits(stars: Int): [Visit!]!  favourite: Place  nowhere: Place }
    type Visit { id: ID!  stars: Int  place: Place }
    type Place @key(fields: "id") @interfaceObject { id: ID!  visits: [Visit!]! }
  `,
  resolvers: {
    Query: {
      visits: (_root: unknown, { stars }: { stars?: number | null }) => VISITS.filter((visit) => (stars ?? visit.stars) === visit.stars),
      favourite: () => ({ id: 'p1' }),
      nowhere: () => ({ id: 'lost' }),
    },
    Visit: { place: ({ place: id }: { place: string }) => ({ id }) },
    Place: { visits: visitsOf },
  },
});

const guides = plainSubgraph({
  name: 'guides',
  typeDefs: `${link('key', 'interfaceObject')}
    type Guide { language: String! }
    type Place @key(fields: "id") @interfaceObject { id: ID!  guide(longest: Int): Guide }
  `,
  resolvers: {
    Place: {
      guide({ id }: { id: string }, { longest }: { longest?: number | null }) {
        const guide = rowOf(GUIDES, { id });
        return guide && guide.length <= (longest ?? 99) ? guide : null;
      },
    },
  },
});

/** An interface that other subgraphs know as an object: they add fields, one returns it, and none knows its type. */
export const interfaceObjects: TestSupergraph = {
  name: 'interface-objects',
  subgraphs: [places, visits, guides],
  samples: { ID: ['p1', 'p2', 'm1', 'lost'], Int: [1, 2, 5, 8] },
};

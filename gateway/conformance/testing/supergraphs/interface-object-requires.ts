import { plainSubgraph } from '#shared/testing/plain-subgraph.ts';
import { link, rowOf, type TestSupergraph } from '../supergraph.ts';

const SHOWS = [
  { __typename: 'Play', id: 'p1', title: 'Storm', length: 90, next: 'o1', acts: 3 },
  { __typename: 'Opera', id: 'o1', title: 'Sea', length: null, next: null, singers: ['Ada', 'Bo'] },
];
const show = ({ id }: { id: string }) => rowOf(SHOWS, { id });
const next = ({ next: id }: { next: string | null }) => id && show({ id });

const shows = plainSubgraph({
  name: 'shows',
  typeDefs: `${link('key')}
    type Query { shows: [Show!]!  show(id: ID!): Show }
    interface Show @key(fields: "id") { id: ID!  title: String!  length: Int  next: Show }
    type Play implements Show @key(fields: "id") { id: ID!  title: String!  length: Int  next: Show  acts: Int! }
    type Opera implements Show @key(fields: "id") { id: ID!  title: String!  length: Int  next: Show  singers: [String!] }
  `,
  resolvers: {
    Query: { shows: () => SHOWS, show: (_root: unknown, reference: { id: string }) => show(reference) },
    Show: { __resolveReference: show },
    Play: { __resolveReference: show, next },
    Opera: { __resolveReference: show, next },
  },
});

interface Seen {
  title: string;
  length: number | null;
}

const posters = plainSubgraph({
  name: 'posters',
  typeDefs: `${link('key', 'interfaceObject', 'external', 'requires')}
    type Show @key(fields: "id") @interfaceObject {
      id: ID!
      title: String! @external
      length: Int @external
      poster(wide: Boolean): String! @requires(fields: "title")
      warning: String @requires(fields: "title length")
    }
  `,
  resolvers: {
    Show: {
      poster: ({ title }: Seen, { wide }: { wide?: boolean | null }) => (wide ? title.toUpperCase() : title),
      warning: ({ title, length }: Seen) => (length === null ? null : `${title} takes ${length} minutes`),
    },
  },
});

/** Fields of an interface object that require fields of the implementations. */
export const interfaceObjectRequires: TestSupergraph = {
  name: 'interface-object-requires',
  subgraphs: [shows, posters],
  samples: { ID: ['p1', 'o1', 'none'] },
};

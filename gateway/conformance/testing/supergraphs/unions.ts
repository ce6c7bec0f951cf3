import { plainSubgraph } from '#shared/testing/plain-subgraph.ts';
import { link, rowOf, type TestSupergraph } from '../supergraph.ts';

const ITEMS = [
  { __typename: 'Book', id: 'b1', title: 'Rivers', pages: 120 },
  { __typename: 'Book', id: 'b2', title: 'Deserts', pages: null },
  { __typename: 'Film', id: 'f1', title: 'Boats', minutes: 90 },
  { __typename: 'Film', id: 'f2', title: 'Trains', minutes: 7 },
  { __typename: 'Song', id: 's1', title: 'Rain', beats: 60 },
];
const SHELVES = [
  { id: '1', holds: ['b1', 'f1', 'b2'], best: 'f1' },
  { id: '2', holds: ['f2', 'nothing'], best: 'f2' },
];
const CLUBS = [
  { id: '1', plays: ['f1', 's1'], best: 'f1' },
  { id: '2', plays: [], best: 's1' },
];

const item = (id: string) => rowOf(ITEMS, { id });
const reference = ({ id }: { id: string }) => item(id);

const shelves = plainSubgraph({
  name: 'shelves',
  typeDefs: `${link('key', 'shareable')}
    type Query { shelves: [Shelf!]!  found(text: String): [Found!]!  any: Media @shareable }
    union Media = Book | Film
    union Found = Book | Shelf
    type Shelf @key(fields: "id") { id: ID!  holds: [Media]!  best: Media @shareable }
    type Book @key(fields: "id") { id: ID!  title: String!  pages: Int }
    type Film @key(fields: "id") { id: ID!  title: String @shareable }
  `,
  resolvers: {
    Query: {
      shelves: () => SHELVES,
      found: (_root: unknown, { text = '' }: { text?: string | null }) => [
        ...ITEMS.filter(({ __typename, title }) => __typename === 'Book' && title.includes(text ?? '')),
        ...SHELVES.map((shelf) => ({ __typename: 'Shelf', ...shelf })),
      ],
      any: () => item('f1'),
    },
    Shelf: {
      __resolveReference: (shelf: object) => rowOf(SHELVES, shelf),
      holds: ({ holds }: { holds: string[] }) => holds.map(item),
      best: ({ best }: { best: string }) => item(best),
    },
    Book: { __resolveReference: reference },
    Film: { __resolveReference: reference },
  },
});

const clubs = plainSubgraph({
  name: 'clubs',
  typeDefs: `${link('key', 'shareable')}
    type Query { clubs: [Club!]!  any: Media @shareable }
    union Media = Film | Song
    type Club { id: ID!  plays: [Media!]!  best: Media  shelf: Shelf }
    type Shelf @key(fields: "id") { id: ID!  best: Media @shareable  club: Club }
    type Film @key(fields: "id") { id: ID!  title: String @shareable  minutes: Int! }
    type Song { id: ID!  title: String!  beats: Int }
  `,
  resolvers: {
    Query: { clubs: () => CLUBS, any: () => item('f1') },
    Club: {
      plays: ({ plays }: { plays: string[] }) => plays.map(item),
      best: ({ best }: { best: string }) => item(best),
      shelf: ({ id }: { id: string }) => ({ id }),
    },
    Shelf: {
      best: ({ id }: { id: string }) => item(`f${id}`),
      club: ({ id }: { id: string }) => rowOf(CLUBS, { id }),
    },
    Film: { __resolveReference: reference },
  },
});

/** Unions with different members per subgraph, also behind a shareable field. */
export const unions: TestSupergraph = {
  name: 'unions',
  subgraphs: [shelves, clubs],
  samples: { ID: ['1', '2'], String: ['Riv', 's', ''] },
};

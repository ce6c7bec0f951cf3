import { plainSubgraph } from '#shared/testing/plain-subgraph.ts';
import { link, type TestSupergraph } from '../supergraph.ts';

const THINGS = [
  { __typename: 'Book', maker: { id: 'm1' } },
  { __typename: 'Film', maker: { id: 'm1' } },
  { __typename: 'Film', maker: { id: 'm2' } },
];

const things = plainSubgraph({
  name: 'things',
  typeDefs: `${link('key')}
    schema { query: query_root  mutation: mutation_root }
    type query_root { things: [Thing!]!  count: Int! }
    type mutation_root { recount(from: Int!): Int! }
    union Thing = Book | Film
    type Book { maker: Maker! }
    type Film { maker: Maker! }
    type Maker @key(fields: "id") { id: ID! }
  `,
  resolvers: {
    query_root: { things: () => THINGS, count: () => THINGS.length },
    mutation_root: { recount: (_root: unknown, { from }: { from: number }) => from + THINGS.length },
  },
});

const makers = plainSubgraph({
  name: 'makers',
  typeDefs: `${link('key')}
    type Query { makers: Int }
    type Maker @key(fields: "id") { id: ID!  logo(size: Int, style: Style): String }
    input Style { bold: Boolean  hue: String }
  `,
  resolvers: {
    Query: { makers: () => 2 },
    Maker: {
      logo: ({ id }: { id: string }, { size = 0, style = {} }: { size?: number; style?: { bold?: boolean; hue?: string } }) =>
        `${id} ${size} ${style.bold ?? '-'} ${style.hue ?? '-'}`,
    },
  },
});

/** One entity at several places of a response, in a subgraph with renamed root types. */
export const renamed: TestSupergraph = { name: 'renamed', subgraphs: [things, makers] };

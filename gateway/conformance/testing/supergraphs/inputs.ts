import { plainSubgraph } from '#shared/testing/plain-subgraph.ts';
import { link, type TestSupergraph } from '../supergraph.ts';

/** Sorted: the order of arguments is not guaranteed. */
const echo = (_root: unknown, given: object): string =>
  JSON.stringify(Object.fromEntries(Object.entries(given).toSorted(([a], [b]) => a.localeCompare(b))));

const paints = plainSubgraph({
  name: 'paints',
  typeDefs: `${link('key')}
    type Query {
      paints(filter: Filter, colours: [Colour!] = [RED]): [Paint!]!
      mix(of: [[Colour!]!], by: Colour = BLUE): String
      seen: Shade
    }
    enum Colour { RED GREEN BLUE }
    enum Shade { LIGHT DARK }
    input Filter { text: String = "any"  above: Int  colour: Colour  within: Filter  names: [String] }
    type Paint @key(fields: "id") { id: ID!  hue: String  echo(filter: Filter!): String }
  `,
  resolvers: {
    Query: {
      paints: (_root: unknown, { colours }: { colours?: string[] | null }) =>
        (colours ?? ['BLUE']).map((colour, index) => ({ id: `${index}${colour}`, hue: colour })),
      mix: echo,
      seen: () => 'DARK',
    },
    Paint: { __resolveReference: ({ id }: { id: string }) => ({ id, hue: id.slice(1) }), echo },
  },
});

const walls = plainSubgraph({
  name: 'walls',
  typeDefs: `${link('key')}
    type Query { walls(filter: Filter): [Wall!]!  shades: [Shade]  odd: Shade }
    enum Colour { RED BLUE WHITE }
    enum Shade { LIGHT DARK GLOW }
    input Filter { text: String = "any"  above: Int = 3  colour: Colour  strict: Boolean }
    type Wall { name: String!  paint: Paint  echo(filter: Filter = { text: "wall" }, ids: [ID!]): String }
    type Paint @key(fields: "id") { id: ID!  covers(filter: Filter, times: Int! = 2): String }
  `,
  resolvers: {
    Query: {
      walls: (_root: unknown, { filter }: { filter?: { colour?: string } | null }) => [
        { name: 'inner', paint: { id: '0RED' } },
        { name: `outer ${filter?.colour}`, paint: null },
      ],
      shades: () => ['LIGHT', null, 'GLOW'],
      odd: () => 'GLOW',
    },
    Wall: { echo },
    Paint: { covers: echo },
  },
});

/** Enums and input objects that differ between subgraphs, with defaults inside and outside. */
export const inputs: TestSupergraph = {
  name: 'inputs',
  subgraphs: [paints, walls],
  samples: { ID: ['0RED', '1BLUE', '7'], String: ['a', '', 'é"\\'] },
};

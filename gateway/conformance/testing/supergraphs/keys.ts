import { plainSubgraph } from '#shared/testing/plain-subgraph.ts';
import { link, rowOf, type TestSupergraph } from '../supergraph.ts';

const PLOTS = [
  { id: 'x1', code: 'A', region: { id: 'r1', name: 'North' }, hectares: 3, soil: 'clay' },
  { id: 'x2', code: 'A', region: { id: 'r2', name: 'South' }, hectares: null, soil: 'sand' },
  { id: 'x3', code: 'B', region: { id: 'r1', name: 'North' }, hectares: 8, soil: null },
];
const HARVESTS = [
  {
    plot: 'x1',
    crops: [
      { id: 'c1', name: 'maize' },
      { id: 'c2', name: null },
    ],
  },
  { plot: 'x3', crops: [{ id: 'c1', name: 'maize' }] },
];
const plot = (reference: object) => rowOf(PLOTS, reference);

const land = plainSubgraph({
  name: 'land',
  typeDefs: `${link('key')}
    type Query { plots: [Plot!]! }
    type Plot @key(fields: "id") @key(fields: "code region { id }") { id: ID!  code: String!  region: Region!  hectares: Int }
    type Region @key(fields: "id") { id: ID!  name: String! }
  `,
  resolvers: {
    Query: { plots: () => PLOTS },
    Plot: { __resolveReference: plot },
    Region: { __resolveReference: ({ id }: { id: string }) => PLOTS.find(({ region }) => region.id === id)?.region ?? null },
  },
});

const earth = plainSubgraph({
  name: 'earth',
  typeDefs: `${link('key', 'shareable')}
    type Query { soils(code: String): [Plot] }
    type Plot @key(fields: "code region { id }") { code: String!  region: Region!  soil: String  rain: Rain! }
    type Region @key(fields: "id") { id: ID!  plots: [Plot!]! }
    type Rain { days: Int!  plot: Plot }
  `,
  resolvers: {
    Query: { soils: (_root: unknown, { code }: { code?: string | null }) => PLOTS.filter((each) => (code ?? each.code) === each.code) },
    Plot: {
      __resolveReference: plot,
      rain: (each: { soil: string | null }) => ({ days: each.soil?.length ?? 0, each }),
    },
    Rain: { plot: ({ each }: { each: object }) => each },
    Region: { plots: ({ id }: { id: string }) => PLOTS.filter(({ region }) => region.id === id) },
  },
});

const farms = plainSubgraph({
  name: 'farms',
  typeDefs: `${link('key')}
    type Query { harvests: [Harvest!]!  lists: [PlotList!]! }
    type Harvest { plot: Plot!  crops: [Crop!]! }
    type Plot @key(fields: "id") { id: ID!  crops: [Crop!] }
    type Crop @key(fields: "id") { id: ID!  name: String }
    type PlotList @key(fields: "plots { id crops { id } }") { plots: [Plot!]! }
  `,
  resolvers: {
    Query: {
      harvests: () => HARVESTS,
      lists: () => [{ plots: [{ id: 'x1' }, { id: 'x3' }] }, { plots: [] }],
    },
    Harvest: { plot: ({ plot: id }: { plot: string }) => ({ id }) },
    Plot: { crops: ({ id }: { id: string }) => rowOf(HARVESTS, { plot: id })?.crops },
    Crop: {
      __resolveReference: (reference: object) =>
        HARVESTS.flatMap(({ crops }) => crops).find(({ id }) => id === (reference as { id: string }).id) ?? null,
    },
  },
});

interface PlotListReference {
  plots: { id: string; crops: { id: string }[] | null }[];
}

const sums = plainSubgraph({
  name: 'sums',
  typeDefs: `${link('key', 'external')}
    type PlotList @key(fields: "plots { id crops { id } }") { plots: [Plot!]! @external  text: String!  cropsSeen: Int }
    type Plot @key(fields: "id") { id: ID!  crops: [Crop!] @external }
    type Crop @key(fields: "id") { id: ID! }
  `,
  resolvers: {
    PlotList: {
      text: ({ plots }: PlotListReference) => plots.map(({ id }) => id).join(),
      cropsSeen: ({ plots }: PlotListReference) => plots.flatMap(({ crops }) => crops ?? []).length,
    },
  },
});

/** Several keys of one type, nested keys, and a key from fields of two subgraphs. */
export const keys: TestSupergraph = { name: 'keys', subgraphs: [land, earth, farms, sums], samples: { String: ['A', 'B', 'C'] } };

import { plainSubgraph } from '#shared/testing/plain-subgraph.ts';
import { link, rowOf, type TestSupergraph } from '../supergraph.ts';

const TREES = [
  { id: '1', latin: 'Acacia', tall: { metres: 12, feet: 39 }, seed: { id: 's1', colour: 'brown', weight: 2 } },
  { id: '2', latin: 'Ficus', tall: null, seed: null },
];
const tree = (reference: object) => rowOf(TREES, { id: (reference as { id: string }).id });
const seed = (reference: object) => TREES.find(({ seed: each }) => each?.id === (reference as { id: string }).id)?.seed ?? null;

const names = plainSubgraph({
  name: 'names',
  typeDefs: `${link('shareable')}
    type Query { tree(id: ID!): Tree @shareable  trees: [Tree!]! @shareable  garden: Garden! @shareable }
    type Tree @shareable { id: ID!  latin: String  seed: Seed }
    type Seed @shareable { id: ID!  colour: String }
    type Garden @shareable { size: Int!  best: Tree  gate: Gate }
    type Gate @shareable { open: Boolean! }
  `,
  resolvers: {
    Query: {
      tree: (_root: unknown, reference: object) => tree(reference),
      trees: () => TREES,
      garden: () => ({ size: 4, best: TREES[0], gate: { open: true } }),
    },
  },
});

const heights = plainSubgraph({
  name: 'heights',
  typeDefs: `${link('shareable', 'key')}
    type Query { tree(id: ID!): Tree @shareable  trees: [Tree!]! @shareable  garden: Garden! @shareable }
    type Tree @key(fields: "id") { id: ID! @shareable  tall: Height  seed: Seed @shareable }
    type Height { metres: Int!  feet: Int }
    type Seed @key(fields: "id") { id: ID! @shareable  colour: String @shareable  weight: Int! }
    type Garden { size: Int! @shareable  gate: Gate @shareable  keeper: String }
    type Gate { open: Boolean! @shareable  key: String! }
  `,
  resolvers: {
    Query: {
      tree: (_root: unknown, reference: object) => tree(reference),
      trees: () => TREES,
      garden: () => ({ size: 4, gate: { open: true, key: 'brass' }, keeper: 'Zo' }),
    },
    Tree: { __resolveReference: tree },
    Seed: { __resolveReference: seed },
  },
});

const growth = plainSubgraph({
  name: 'growth',
  typeDefs: `${link('shareable', 'key')}
    type Query { garden: Garden! @shareable }
    type Garden { best: Tree @shareable  rain(days: Int! = 7): Float }
    type Tree @key(fields: "id") { id: ID! @shareable  rings: [Int!] }
  `,
  resolvers: {
    Query: { garden: () => ({ best: TREES[0] }) },
    Garden: { rain: (_garden: unknown, { days }: { days: number }) => days * 1.5 },
    Tree: { rings: ({ id }: { id: string }) => (id === '1' ? [1, 2, 3] : null) },
  },
});

/** Root fields that several subgraphs resolve, each with its own part of the value. */
export const sharedRoots: TestSupergraph = { name: 'shared-roots', subgraphs: [names, heights, growth], samples: { ID: ['1', '2', '3'] } };

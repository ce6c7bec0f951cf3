import { plainSubgraph } from '#shared/testing/plain-subgraph.ts';
import { link, rowOf, type TestSupergraph } from '../supergraph.ts';

const EXHIBITS = [
  { __typename: 'Painting', id: 'p1', title: 'Dawn', painter: 'Ada', related: ['s1', 'p2'] },
  { __typename: 'Painting', id: 'p2', title: null, painter: null, related: ['p1', 'gone'] },
  { __typename: 'Statue', id: 's1', title: 'Horse', stuff: { __typename: 'Stone', name: 'marble', hardness: 3 }, related: ['p1'] },
  { __typename: 'Statue', id: 's2', title: 'Bird', stuff: { __typename: 'Metal', name: 'bronze', melts: 950.5 }, related: [] },
];
const KEEPERS = [
  { __typename: 'Person', name: 'Bo', keeps: ['p1', 's1', 'c1'], boss: 'R2' },
  { __typename: 'Robot', name: 'R2', keeps: ['p2', 'c2'], model: 7, boss: null },
];
const COINS = [
  { __typename: 'Coin', id: 'c1', title: 'Penny', worth: 1 },
  { __typename: 'Coin', id: 'c2', title: null, worth: null },
];
const KINDS: Record<string, string> = { p: 'Painting', s: 'Statue', c: 'Coin' };

const exhibit = ({ id }: { id: string }) => rowOf(EXHIBITS, { id });
const related = ({ related: ids }: { related: string[] }) => ids.map((id) => exhibit({ id }));
const stub = (id: string) => ({ __typename: KINDS[id[0] ?? ''], id });
const keeper = ({ id }: { id: string }) => KEEPERS.find(({ keeps }) => keeps.includes(id)) ?? null;

const halls = plainSubgraph({
  name: 'halls',
  typeDefs: `${link('key')}
    type Query { exhibits(first: Int = 10): [Exhibit!]!  exhibit(id: ID!): Exhibit }
    interface Exhibit { id: ID!  title: String }
    interface Stuff { name: String! }
    type Stone implements Stuff { name: String!  hardness: Int! }
    type Metal implements Stuff { name: String!  melts: Float! }
    type Painting implements Exhibit @key(fields: "id") { id: ID!  title: String  painter: String  related: [Exhibit] }
    type Statue implements Exhibit @key(fields: "id") { id: ID!  title: String  stuff: Stuff!  related: [Exhibit!] }
  `,
  resolvers: {
    Query: {
      exhibits: (_root: unknown, { first }: { first: number }) => EXHIBITS.slice(0, Math.max(0, first)),
      exhibit: (_root: unknown, { id }: { id: string }) => exhibit({ id }),
    },
    Painting: { __resolveReference: exhibit, related },
    Statue: { __resolveReference: exhibit, related },
  },
});

const staff = plainSubgraph({
  name: 'staff',
  typeDefs: `${link('key')}
    type Query { keepers: [Keeper!]!  kept(by: String!): [Exhibit!] }
    interface Exhibit { id: ID!  keeper: Keeper }
    interface Keeper { name: String!  keeps: [Exhibit!]!  boss: Keeper }
    type Person implements Keeper { name: String!  keeps: [Exhibit!]!  boss: Keeper }
    type Robot implements Keeper { name: String!  keeps: [Exhibit!]!  boss: Keeper  model: Int }
    type Painting implements Exhibit @key(fields: "id") { id: ID!  keeper: Keeper }
    type Statue implements Exhibit @key(fields: "id") { id: ID!  keeper: Keeper }
    type Coin implements Exhibit @key(fields: "id") { id: ID!  keeper: Keeper }
  `,
  resolvers: {
    Query: {
      keepers: () => KEEPERS,
      kept: (_root: unknown, { by }: { by: string }) => rowOf(KEEPERS, { name: by })?.keeps.map(stub),
    },
    Person: {
      keeps: ({ keeps }: { keeps: string[] }) => keeps.map(stub),
      boss: ({ boss }: { boss: string }) => rowOf(KEEPERS, { name: boss }),
    },
    Robot: { keeps: ({ keeps }: { keeps: string[] }) => keeps.map(stub), boss: () => null },
    Painting: { keeper },
    Statue: { keeper },
    Coin: { keeper },
  },
});

const mint = plainSubgraph({
  name: 'mint',
  typeDefs: `${link('key')}
    type Query { coins: [Coin] }
    interface Exhibit { id: ID!  title: String }
    type Coin implements Exhibit @key(fields: "id") { id: ID!  title: String  worth: Int }
  `,
  resolvers: { Query: { coins: () => [...COINS, null] }, Coin: { __resolveReference: (coin: object) => rowOf(COINS, coin) } },
});

/** Interfaces whose fields and implementations differ between subgraphs, and that refer to each other. */
export const interfaces: TestSupergraph = {
  name: 'interfaces',
  subgraphs: [halls, staff, mint],
  samples: { ID: ['p1', 'p2', 's1', 's2', 'c1', 'gone'], String: ['Bo', 'R2', 'Nobody'] },
};

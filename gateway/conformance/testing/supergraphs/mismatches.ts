import { plainSubgraph } from '#shared/testing/plain-subgraph.ts';
import { link, rowOf, type TestSupergraph } from '../supergraph.ts';

const CELLS = [
  [
    { id: 'a', mark: 'x' },
    { id: 'b', mark: null },
  ],
  [
    { id: 'a', mark: 'x' },
    { id: 'c', mark: 'o' },
    { id: 'nobody', mark: '?' },
  ],
  [],
];
const MEMBERS = [
  { __typename: 'Human', id: 'a', name: 'Ada', nick: 'A', tags: [['x', 'y'], []] },
  { __typename: 'Bot', id: 'b', name: null, nick: 'B', tags: null },
  { __typename: 'Human', id: 'c', name: 'Cy', nick: null, tags: [['z'], null] },
];
const member = (reference: object) => rowOf(MEMBERS, { id: (reference as { id: string }).id });
const kindOf = (id: string) => ({ __typename: member({ id })?.__typename ?? 'Bot', id });

const boards = plainSubgraph({
  name: 'boards',
  typeDefs: `${link('key', 'shareable')}
    type Query { board: [[Cell!]]!  deep: [[[Member!]!]!]  members: [Member!]  anyone: Anyone @shareable }
    type Cell { id: ID!  mark: String  owner: Member  owners: [[Member]] }
    union Member = Human | Bot
    union Anyone = Human | Bot
    type Human @key(fields: "id") { id: ID!  nick: String @shareable }
    type Bot @key(fields: "id") { id: ID!  nick: String! @shareable }
  `,
  resolvers: {
    Query: {
      board: () => [...CELLS, null],
      deep: () => [[[kindOf('a')], [kindOf('b'), kindOf('a')]], []],
      members: () => ['a', 'b', 'c'].map(kindOf),
      anyone: () => kindOf('a'),
    },
    Cell: {
      owner: ({ id }: { id: string }) => kindOf(id),
      owners: ({ id }: { id: string }) => [[kindOf(id), null], [], null, [kindOf('a')]],
    },
    Human: { nick: ({ id }: { id: string }) => rowOf(MEMBERS, { id })?.nick },
    Bot: { nick: ({ id }: { id: string }) => rowOf(MEMBERS, { id })?.nick },
  },
});

const members = plainSubgraph({
  name: 'members',
  typeDefs: `${link('key', 'shareable')}
    type Query { anyone: Anyone @shareable  first: Human }
    union Anyone = Human | Bot
    type Human @key(fields: "id") { id: ID!  name: String!  nick: String @shareable  tags: [[String!]] }
    type Bot @key(fields: "id") { id: ID!  name: String  nick: String @shareable  tags: [[String!]!]  maker: Human! }
  `,
  resolvers: {
    Query: { anyone: () => MEMBERS[0], first: () => MEMBERS[0] },
    Human: { __resolveReference: member },
    Bot: { __resolveReference: member, maker: ({ id }: { id: string }) => (id === 'b' ? MEMBERS[0] : null) },
  },
});

/** Nested lists of entities, and fields that are nullable in one subgraph or union member only. */
export const mismatches: TestSupergraph = { name: 'mismatches', subgraphs: [boards, members] };

import { plainSubgraph } from '#shared/testing/plain-subgraph.ts';
import { link, rowOf, type TestSupergraph } from '../supergraph.ts';

const TEAMS = [
  { id: 't1', name: 'Reds', town: { id: 'w1', name: 'Kitwe', mayor: { id: 'u1' } } },
  { id: 't2', name: 'Blues', town: { id: 'w2', name: 'Ndola', mayor: null } },
];
const PLAYERS = [
  { __typename: 'Keeper', id: 'k1', name: 'Mo', saves: 12, height: 190 },
  { __typename: 'Runner', id: 'r1', name: 'Jo', goals: 3, height: null },
  { __typename: 'Runner', id: 'r2', name: 'Lu', goals: null, height: 170 },
];
const GAMES = [
  { id: 'g1', home: 't1', away: 't2', best: 'k1', seen: ['k1', 'r1'] },
  { id: 'g2', home: 't2', away: 't1', best: 'r2', seen: ['r2', 'k1', 'r1'] },
];

const team = (id: string) => rowOf(TEAMS, { id });
const player = ({ id }: { id: string }) => rowOf(PLAYERS, { id });

const teams = plainSubgraph({
  name: 'teams',
  typeDefs: `${link('key', 'shareable')}
    type Query { teams: [Team!]! }
    type Team @key(fields: "id") { id: ID!  name: String! @shareable  town: Town! @shareable }
    type Town @key(fields: "id") { id: ID!  name: String! @shareable  mayor: User @shareable }
    type User @key(fields: "id") { id: ID!  name: String }
  `,
  resolvers: {
    Query: { teams: () => TEAMS },
    Team: { __resolveReference: (reference: object) => rowOf(TEAMS, reference) },
    Town: { __resolveReference: ({ id }: { id: string }) => TEAMS.find(({ town }) => town.id === id)?.town ?? null },
    User: { name: ({ id }: { id: string }) => `User ${id}` },
  },
});

const games = plainSubgraph({
  name: 'games',
  typeDefs: `${link('key', 'external', 'provides', 'shareable')}
    type Query {
      games: [Game!]! @provides(fields: "home { name town { name mayor { id } } }")
      plainGames: [Game]
      seen: [Player!]! @provides(fields: "... on Keeper { name height } ... on Runner { height }")
    }
    type Game @key(fields: "id") { id: ID!  home: Team!  away: Team @provides(fields: "name")  best: Best @provides(fields: "... on Keeper { saves } ... on Runner { name }") }
    type Team @key(fields: "id") { id: ID!  name: String! @external  town: Town! @external }
    type Town @key(fields: "id") { id: ID!  name: String! @external  mayor: User @external }
    type User @key(fields: "id") { id: ID! }
    union Best = Keeper | Runner
    interface Player { id: ID!  height: Int }
    type Keeper implements Player @key(fields: "id") { id: ID!  name: String @external  saves: Int @external  height: Int @external }
    type Runner implements Player @key(fields: "id") { id: ID!  name: String @external  height: Int @external }
  `,
  resolvers: {
    Query: { games: () => GAMES, plainGames: () => GAMES, seen: () => PLAYERS },
    Game: {
      __resolveReference: (reference: object) => rowOf(GAMES, reference),
      home: ({ home }: { home: string }) => team(home),
      away: ({ away }: { away: string }) => team(away),
      best: ({ best }: { best: string }) => player({ id: best }),
    },
  },
});

const players = plainSubgraph({
  name: 'players',
  typeDefs: `${link('key', 'shareable')}
    type Query { player(id: ID!): Player }
    interface Player { id: ID!  name: String  height: Int }
    type Keeper implements Player @key(fields: "id") { id: ID!  name: String @shareable  saves: Int @shareable  height: Int @shareable }
    type Runner implements Player @key(fields: "id") { id: ID!  name: String @shareable  goals: Int  height: Int @shareable }
    type Game @key(fields: "id") { id: ID!  seen: [Player!] }
  `,
  resolvers: {
    Query: { player: (_root: unknown, { id }: { id: string }) => player({ id }) },
    Keeper: { __resolveReference: player },
    Runner: { __resolveReference: player },
    Game: { seen: ({ id }: { id: string }) => rowOf(GAMES, { id })?.seen.map((each) => player({ id: each })) },
  },
});

/** @provides: fields that a subgraph resolves on one path only: nested, on an interface and on a union. */
export const provides: TestSupergraph = {
  name: 'provides',
  subgraphs: [teams, games, players],
  samples: { ID: ['k1', 'r1', 'r2', 'x'] },
};

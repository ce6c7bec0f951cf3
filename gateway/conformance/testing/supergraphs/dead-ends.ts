import { plainSubgraph } from '#shared/testing/plain-subgraph.ts';
import { link, rowOf, type TestSupergraph } from '../supergraph.ts';

const LOCKERS = [
  { number: 7, code: 'c7', owner: 'Ada' },
  { number: 8, code: 'c8', owner: 'Ben' },
];

const gym = plainSubgraph({
  name: 'gym',
  typeDefs: `${link('key', 'external', 'requires')}
    type Query { lockers: [Locker!]!  tool: Tool }
    type Locker @key(fields: "code", resolvable: false) @key(fields: "number") {
      code: ID!  number: Int!  owner: String! @external  label: String @requires(fields: "owner")
    }
    interface Tool @key(fields: "id") { id: ID! }
  `,
  resolvers: {
    Query: { lockers: () => LOCKERS, tool: () => ({ id: 't1' }) },
    Locker: {
      __resolveReference: ({ number, owner }: { number?: number; owner: string }) => (number === undefined ? null : { number, owner }),
      label: ({ number, owner }: { number: number; owner: string }) => `${number} ${owner}`,
    },
  },
});

const members = plainSubgraph({
  name: 'members',
  typeDefs: `${link('key', 'interfaceObject')}
    type Query { spare: Tool }
    type Locker @key(fields: "number") { number: Int!  owner: String! }
    type Tool @key(fields: "id", resolvable: false) @interfaceObject { id: ID!  colour: String }
  `,
  resolvers: {
    Query: { spare: () => ({ id: 't2', colour: 'red' }) },
    Locker: { __resolveReference: (reference: object) => rowOf(LOCKERS, reference) },
  },
});

/** A key that is not resolvable before one that is, and an interface of which no subgraph knows a type. */
export const deadEnds: TestSupergraph = { name: 'dead-ends', subgraphs: [gym, members] };

import { plainSubgraph } from '#shared/testing/plain-subgraph.ts';
import { link, rowOf, type TestSupergraph } from '../supergraph.ts';

const NODES = [
  {
    __typename: 'Letter',
    id: 'l1',
    code: 'L-1',
    text: 'Dear',
    state: 'SENT',
    secret: 's',
    parts: [{ __typename: 'Stamp', worth: 2 }, { __typename: 'Seal' }],
  },
  { __typename: 'Letter', id: 'l2', code: 'L-2', text: null, state: 'LOST', secret: null, parts: [] },
  { __typename: 'Box', id: 'x1', code: 'X-1', weight: 2.5, holds: ['l1', 'l2', 'x2'] },
  { __typename: 'Box', id: 'x2', code: 'X-2', weight: 0, holds: [] },
];
const WEIGHTS: Record<string, number> = { 'L-1': 20, 'X-1': 400 };

const node = (reference: object) => rowOf(NODES, { id: (reference as { id: string }).id });

const post = plainSubgraph({
  name: 'post',
  typeDefs: `${link('key', 'inaccessible', 'shareable')}
    type Query { node(id: ID!): Node  nodes(ids: [ID!]! = ["l1", "x1"], hint: String @inaccessible): [Node]!  letters(state: State): [Letter!]! }
    interface Node { id: ID! }
    enum State { SENT LOST @inaccessible KEPT }
    union Part = Stamp | Seal | Thread
    type Stamp { worth: Int }
    type Seal { wax: String }
    type Thread @inaccessible { length: Int }
    type Letter implements Node @key(fields: "id") @key(fields: "code") {
      id: ID!  code: String! @inaccessible  text: String  secret: String @inaccessible  state: State  parts: [Part!]!
    }
    type Box implements Node @key(fields: "id") @key(fields: "code") { id: ID!  code: String! @inaccessible  weight: Float  holds: [Node] }
  `,
  resolvers: {
    Query: {
      node: (_root: unknown, reference: object) => node(reference),
      nodes: (_root: unknown, { ids }: { ids: string[] }) => ids.map((id) => node({ id })),
      letters: (_root: unknown, { state }: { state?: string | null }) =>
        NODES.filter((each) => each.__typename === 'Letter' && (!state || each.state === state)),
    },
    Letter: { __resolveReference: (reference: object) => rowOf(NODES, reference) },
    Box: {
      __resolveReference: (reference: object) => rowOf(NODES, reference),
      holds: ({ holds }: { holds: string[] }) => holds.map((id) => node({ id })),
    },
  },
});

const scales = plainSubgraph({
  name: 'scales',
  typeDefs: `${link('key', 'inaccessible', 'external', 'requires')}
    type Query { heaviest: Box  internal: Int @inaccessible }
    type Letter @key(fields: "code") { code: String!  grams: Int  secret: String @external  hint: String @requires(fields: "secret") }
    type Box @key(fields: "code") { code: String!  grams: Int! }
  `,
  resolvers: {
    Query: { heaviest: () => ({ code: 'X-1' }) },
    Letter: {
      grams: ({ code }: { code: string }) => WEIGHTS[code],
      hint: ({ secret }: { secret: string | null }) => secret && `${secret}…`,
    },
    Box: { grams: ({ code }: { code: string }) => WEIGHTS[code] },
  },
});

/** Inaccessible elements on the path: keys, members of unions and enums, required fields. */
export const hidden: TestSupergraph = { name: 'hidden', subgraphs: [post, scales], samples: { ID: ['l1', 'l2', 'x1', 'x2', 'no'] } };

import { Problem } from '#shared/base/errors.ts';
import { plainSubgraph } from '#shared/testing/plain-subgraph.ts';
import type { SubgraphRequest } from '#shared/kit/transport.ts';
import { link, type TestSupergraph } from '../supergraph.ts';

const KEPT_OPERATIONS = 50;
/** Steps by operation, so that operations do not see each other's effects. */
const done = new Map<string, string[]>();

/** Records the step, and returns all steps of the operation in order. */
function step({ correlationId }: SubgraphRequest, what: string): string[] {
  const steps = [...(done.get(correlationId) ?? []), what];
  done.set(correlationId, steps);
  for (const old of done.keys()) if (done.size > KEPT_OPERATIONS) done.delete(old);
  return steps;
}

interface Change {
  input: { id: string; by?: number | null; notes?: string[] | null };
}

const counters = plainSubgraph({
  name: 'counters',
  typeDefs: `${link('key')}
    type Query { counter(id: ID!): Counter }
    type Mutation { count(input: CountInput!): Counter  reset(id: ID = "all"): Counter!  broken: Counter  brokenForGood: Counter! }
    input CountInput { id: ID!  by: Int = 1  notes: [String!] }
    type Counter @key(fields: "id") { id: ID!  steps: [String!]!  value: Int! }
  `,
  resolvers: {
    Query: { counter: (_root: unknown, { id }: { id: string }) => ({ id, steps: [], value: 0 }) },
    Mutation: {
      count: (_root: unknown, { input: { id, by, notes } }: Change, request: SubgraphRequest) => ({
        id,
        steps: step(request, `count ${id} ${by} ${notes?.join('+')}`),
        value: by,
      }),
      reset: (_root: unknown, { id }: { id: string | null }, request: SubgraphRequest) =>
        id && { id, steps: step(request, `reset ${id}`), value: 0 },
      broken: () => {
        throw new Problem('FORBIDDEN', 'You may not do this.');
      },
      brokenForGood: () => null,
    },
    Counter: { __resolveReference: ({ id }: { id: string }) => ({ id, steps: ['asked'], value: id.length }) },
  },
});

const journals = plainSubgraph({
  name: 'journals',
  typeDefs: `${link('key')}
    type Query { journal: [String!] }
    type Mutation { write(text: String!): Entry  tear: Boolean }
    type Entry { text: String!  after: [String!]!  counter: Counter }
    type Counter @key(fields: "id") { id: ID!  entries: Int  lastEntry(upper: Boolean = false): String }
  `,
  resolvers: {
    Mutation: {
      write: (_root: unknown, { text }: { text: string }, request: SubgraphRequest) => ({
        text,
        after: step(request, `write ${text}`),
        counter: { id: text },
      }),
      tear: (_root: unknown, _given: unknown, request: SubgraphRequest) => step(request, 'tear').length > 2,
    },
    Counter: {
      entries: ({ id }: { id: string }) => id.length,
      lastEntry: ({ id }: { id: string }, { upper }: { upper: boolean }) => (upper ? id.toUpperCase() : id),
    },
  },
});

/** Mutations of two subgraphs in one operation, run one after the other in the written order. */
export const mutations: TestSupergraph = {
  name: 'mutations',
  subgraphs: [counters, journals],
  samples: { ID: ['a', 'b'], String: ['x', 'yy'] },
};

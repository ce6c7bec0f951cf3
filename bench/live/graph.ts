import { buildSubgraphSchema } from '@apollo/subgraph';
import { parse, type DocumentNode, GraphQLError } from 'graphql';
import { createAsyncQueue, type AsyncQueue } from '#shared/base/async-queue.ts';
import { createCompiledExecution } from '#shared/runtime/compiled-execution.ts';
import { runSubscription } from '#shared/runtime/run-subscription.ts';
import type { Resolvers } from '#shared/kit/define-subgraph.ts';
import type { SubgraphRequest, SubgraphTransport } from '#shared/kit/transport.ts';

/* Three small subgraphs, so that each event is joined with two others: as in `reference/gateway-prototype.md`, and in the process of the gateway. */

interface Order {
  id: string;
  status: string;
  buyer: { id: string };
}

interface Entry {
  cursor: string;
  order: Order;
}

const LINK = 'extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key"])\n';
const MAX_WAITING = 1_000;

export interface LiveGraph {
  subgraphs: { name: string; typeDefs: string; url: string }[];
  transports: Record<string, SubgraphTransport>;
  publish: (orderId: string, status: string) => void;
}

export function createLiveGraph(): LiveGraph {
  const { subscribe, publish } = createOrders();
  const parts = {
    orders: {
      typeDefs: `${LINK}
        type Query { order(id: ID!): Order }
        type Order @key(fields: "id") { id: ID!  status: String!  buyer: User }
        type User @key(fields: "id", resolvable: false) { id: ID! }
        type Subscription { orderStatusChanged(orderId: ID!, after: String): Order }`,
      resolvers: {
        Query: { order: () => null },
        Subscription: { orderStatusChanged: { subscribe, resolve: ({ order }: Entry) => order } },
      },
    },
    accounts: {
      typeDefs: `${LINK} type Query { me: User }  type User @key(fields: "id") { id: ID!  name: String! }`,
      resolvers: { Query: { me: () => null }, User: { __resolveReference: ({ id }: { id: string }) => ({ id, name: `User ${id}` }) } },
    },
    tracking: {
      typeDefs: `${LINK}
        type Query { fleet: Int }
        type Order @key(fields: "id") { id: ID!  delivery: Delivery }
        type Delivery { lat: Float!  lng: Float!  eta: String! }`,
      resolvers: {
        Query: { fleet: () => 0 },
        Order: { __resolveReference: ({ id }: { id: string }) => ({ id, delivery: { lat: -15.4, lng: 28.3, eta: '12 min' } }) },
      },
    },
  };
  const entries = Object.entries(parts);
  return {
    subgraphs: entries.map(([name, { typeDefs }]) => ({ name, typeDefs, url: `http://${name}.invalid/graphql` })),
    transports: Object.fromEntries(entries.map(([name, { typeDefs, resolvers }]) => [name, transportOf(typeDefs, resolvers)])),
    publish,
  };
}

function createOrders() {
  const topics = new Map<string, Set<AsyncQueue<Entry>>>();
  let published = 0;

  return {
    subscribe(_root: unknown, { orderId }: { orderId: string }) {
      const listeners = topics.get(orderId) ?? new Set();
      topics.set(orderId, listeners);
      const channel = createAsyncQueue<Entry>({
        limit: MAX_WAITING,
        overflow: () => {
          throw new Error('The gateway reads too slowly.');
        },
        onDone: () => {
          listeners.delete(channel);
          if (listeners.size === 0) topics.delete(orderId);
        },
      });
      listeners.add(channel);
      return Object.assign(channel.values, { position: async () => String(published) });
    },
    publish(orderId: string, status: string) {
      published += 1;
      const entry = { cursor: String(published), order: { id: orderId, status, buyer: { id: `u${orderId}` } } };
      for (const channel of topics.get(orderId) ?? []) channel.push(entry);
    },
  };
}

function transportOf(typeDefs: string, resolvers: Resolvers): SubgraphTransport {
  const schema = buildSubgraphSchema([{ typeDefs: parse(typeDefs), resolvers }]);
  const run = createCompiledExecution(schema);
  const documents = new Map<string, DocumentNode>();
  const argsOf = ({ query, operationName, variables: variableValues }: SubgraphRequest) => {
    let document = documents.get(query);
    if (!document) documents.set(query, (document = parse(query, { noLocation: true })));
    return { document, operationName, variableValues };
  };
  return {
    execute: async (request) => run(argsOf(request)),
    subscribe: (request) =>
      runSubscription({
        args: { schema, ...argsOf(request) },
        execute: run,
        wantsStart: request.wantsStart ?? false,
        maskResult: (result) => result,
        failure: (error) => new GraphQLError(String(error)),
      }),
  };
}

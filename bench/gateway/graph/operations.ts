import { createHash } from 'node:crypto';
import { orders } from './data.ts';

export interface BenchOperation {
  name: 'small' | 'heavy';
  query: string;
  /** Sent in turn. */
  variables: Record<string, unknown>[];
}

const small: BenchOperation = {
  name: 'small',
  query: `query OrderView($id: ID!) {
  order(id: $id) {
    id status total createdAt
    items { quantity price product { id name } }
    buyer { id name }
    delivery { latitude longitude expectedAt status }
  }
}`,
  variables: [...orders.keys()].map((id) => ({ id })),
};

/** About 80 KB of response, four hops deep. */
const heavy: BenchOperation = {
  name: 'heavy',
  query: `query Storefront($customers: Int!, $products: Int!) {
  customers(first: $customers) {
    id name username
    reviews {
      id text
      product {
        ...card
        reviews { id text author { id name username } }
      }
    }
  }
  topProducts(first: $products) {
    ...card
    reviews { id author { id username } }
  }
}
fragment card on Product { id name price weight inStock shippingEstimate }`,
  variables: [{ customers: 12, products: 10 }],
};

export const operations = { small, heavy };

export const hashOf = ({ query }: BenchOperation): string => createHash('sha256').update(query).digest('hex');

/** As a client's build would register them. */
export const manifest = { operations: Object.values(operations).map((operation) => ({ id: hashOf(operation), body: operation.query })) };

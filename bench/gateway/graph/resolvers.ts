import type { GraphQLFieldResolver } from 'graphql';
import {
  customers,
  deliveries,
  orders,
  products,
  reviewsByAuthor,
  reviewsByProduct,
  type Customer,
  type Order,
  type Product,
  type Review,
} from './data.ts';
import type { SubgraphName } from './sdl.ts';

/* Fields that a store would provide are asynchronous, in the subgraphs and in the monolith alike; the others are synchronous. */

interface Reference {
  id: string;
}

interface Dimensions {
  price: number;
  weight: number;
}

// oxlint-disable-next-line typescript/no-explicit-any -- each resolver knows its own parent and arguments
export type Resolvers = Record<string, Record<string, GraphQLFieldResolver<any, unknown, any>>>;

const order = async (_root: unknown, { id }: Reference): Promise<Order | undefined> => orders.get(id);
const firstCustomers = async (_root: unknown, { first }: { first: number }): Promise<Customer[]> => [...customers.values()].slice(0, first);
const topProducts = async (_root: unknown, { first }: { first: number }): Promise<Product[]> => [...products.values()].slice(0, first);
const total = ({ items }: Order): number => items.reduce((sum, { quantity, price }) => sum + quantity * price, 0);
const shippingEstimate = ({ price, weight }: Dimensions): number => (price > 1_000 ? 0 : weight * 2);

/** A subgraph returns references, and resolves those to its own entities. */
export const subgraphResolvers: Record<SubgraphName, Resolvers> = {
  orders: {
    Query: { order },
    Order: { __resolveReference: async ({ id }: Reference) => orders.get(id), total, buyer: ({ buyerId }: Order) => ({ id: buyerId }) },
    OrderItem: { product: ({ productId }: { productId: string }) => products.get(productId) },
    Product: { __resolveReference: async ({ id }: Reference) => products.get(id) },
  },
  tracking: {
    Order: { delivery: async ({ id }: Reference) => deliveries.get(id) },
  },
  accounts: {
    Query: { customers: firstCustomers },
    Customer: { __resolveReference: async ({ id }: Reference) => customers.get(id) },
  },
  catalog: {
    Query: { topProducts },
    Product: { __resolveReference: async ({ id }: Reference) => products.get(id) },
  },
  stock: {
    Product: {
      __resolveReference: async ({ id, ...required }: Reference) => ({ id, ...required, inStock: products.get(id)?.inStock }),
      shippingEstimate,
    },
  },
  reviews: {
    Review: {
      author: ({ authorId }: Review) => ({ id: authorId }),
      product: ({ productId }: Review) => ({ id: productId }),
    },
    Customer: { reviews: async ({ id }: Reference) => reviewsByAuthor.get(id) },
    Product: { reviews: async ({ id }: Reference) => reviewsByProduct.get(id) },
  },
};

/** The monolith resolves references itself. */
export const monolithResolvers: Resolvers = {
  Query: { order, customers: firstCustomers, topProducts },
  Order: {
    total,
    buyer: async ({ buyerId }: Order) => customers.get(buyerId),
    delivery: async ({ id }: Order) => deliveries.get(id),
  },
  OrderItem: { product: ({ productId }: { productId: string }) => products.get(productId) },
  Customer: { reviews: async ({ id }: Customer) => reviewsByAuthor.get(id) },
  Product: { shippingEstimate, reviews: async ({ id }: Product) => reviewsByProduct.get(id) },
  Review: {
    author: async ({ authorId }: Review) => customers.get(authorId),
    product: async ({ productId }: Review) => products.get(productId),
  },
};

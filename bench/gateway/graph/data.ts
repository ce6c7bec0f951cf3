/* What all gateways answer from: made by number, so that every process holds the same. */

export interface Customer {
  id: string;
  name: string;
  username: string;
}

export interface Product {
  id: string;
  name: string;
  price: number;
  weight: number;
  inStock: boolean;
}

export interface Review {
  id: string;
  text: string;
  authorId: string;
  productId: string;
}

export interface Order {
  id: string;
  status: string;
  createdAt: string;
  buyerId: string;
  items: { productId: string; quantity: number; price: number }[];
}

export interface Delivery {
  latitude: number;
  longitude: number;
  expectedAt: string;
  status: string;
}

const CUSTOMERS = 200;
const PRODUCTS = 100;
const REVIEWS_PER_CUSTOMER = 4;
const ORDERS = 100;
const ITEMS_PER_ORDER = 5;

const numbers = (count: number): number[] => [...Array(count).keys()];

const byId = <T extends { id: string }>(rows: T[]): ReadonlyMap<string, T> => new Map(rows.map((row) => [row.id, row]));

export const customers = byId<Customer>(
  numbers(CUSTOMERS).map((n) => ({ id: `customer-${n}`, name: `Customer number ${n}`, username: `customer.${n}` })),
);

export const products = byId<Product>(
  numbers(PRODUCTS).map((n) => ({
    id: `product-${n}`,
    name: `Product number ${n}`,
    price: 100 + 15 * n,
    weight: 50 + 3 * n,
    inStock: n % 3 > 0,
  })),
);

const reviews: Review[] = numbers(CUSTOMERS * REVIEWS_PER_CUSTOMER).map((n) => ({
  id: `review-${n}`,
  text: `What customer ${n % CUSTOMERS} thinks of it, in a sentence of usual length.`,
  authorId: `customer-${n % CUSTOMERS}`,
  productId: `product-${(n * 7 + Math.floor(n / CUSTOMERS)) % PRODUCTS}`,
}));

export const reviewsByAuthor = Map.groupBy(reviews, ({ authorId }) => authorId);
export const reviewsByProduct = Map.groupBy(reviews, ({ productId }) => productId);

export const orders = byId<Order>(
  numbers(ORDERS).map((n) => ({
    id: `order-${n}`,
    status: 'PREPARING',
    createdAt: '2026-11-21T10:00:00.000Z',
    buyerId: `customer-${(n * 3) % CUSTOMERS}`,
    items: numbers(ITEMS_PER_ORDER).map((k) => {
      const { id: productId, price } = products.get(`product-${(n * 7 + k * 13) % PRODUCTS}`)!;
      return { productId, quantity: k + 1, price };
    }),
  })),
);

export const deliveries: ReadonlyMap<string, Delivery> = new Map(
  numbers(ORDERS).map((n) => [
    `order-${n}`,
    { latitude: 50 + n / 1_000, longitude: 20 + n / 1_000, expectedAt: '2026-11-21T11:00:00.000Z', status: 'ON_THE_WAY' },
  ]),
);

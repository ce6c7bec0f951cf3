import { createClient, type Client as SocketClient } from 'graphql-ws';
import { WebSocket } from 'ws';

/* What the tests of real clients ask, and the socket that both of them use. */

export const PRODUCT = 'query Product($id: ID!) { product(id: $id) { id name version vendor { id name } } }';
export const SHELF = 'query Shelf($vendor: ID!) { vendor(id: $vendor) { id name products(first: 10) { nodes { id name } } } }';
export const RENAME = `mutation Rename($input: UpdateProductInput!) { updateProduct(input: $input) {
  product { id name version } userErrors { code path message ... on StaleVersionError { currentVersion } } } }`;
export const ADD =
  'mutation Add($input: AddToCartInput!) { addToCart(input: $input) { cart { id totalQuantity } userErrors { code path } } }';
export const PLACE =
  'mutation Place($input: PlaceOrderInput!) { placeOrder(input: $input) { order { id status total { amount currency } } userErrors { code } } }';
export const MINE = 'subscription Mine($after: Cursor) { orderEvents(after: $after) { cursor kind order { id status total { amount } } } }';
export const ME = '{ me { id email } }';

/** A socket client as both documentations begin with; the token is asked for at each connection. */
export function openSocket(url: string, token: () => Promise<string | undefined>): { socket: SocketClient; closes: () => number[] } {
  const closes: number[] = [];
  const socket = createClient({
    url,
    webSocketImpl: WebSocket,
    connectionParams: async () => {
      const value = await token();
      return value ? { authorization: `Bearer ${value}` } : {};
    },
    // A token that has run out is no reason to give up: the next connection asks for a new one.
    shouldRetry: () => true,
    on: { closed: (event) => void closes.push((event as { code: number }).code) },
  });
  return { socket, closes: () => closes };
}

/** One after the other, whenever they come. */
export function inbox<T>() {
  const waiting: ((value: T) => void)[] = [];
  const values: T[] = [];
  return {
    push: (value: T): void => {
      const next = waiting.shift();
      if (next) next(value);
      else values.push(value);
    },
    next: (): Promise<T> => (values.length > 0 ? Promise.resolve(values.shift()!) : new Promise((resolve) => waiting.push(resolve))),
  };
}

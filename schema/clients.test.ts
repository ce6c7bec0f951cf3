import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { ApolloClient, ApolloLink, gql, HttpLink, InMemoryCache } from '@apollo/client';
import { CombinedGraphQLErrors } from '@apollo/client/errors';
import { SetContextLink } from '@apollo/client/link/context';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import { cacheExchange, Client, fetchExchange, gql as urqlGql, subscriptionExchange } from '@urql/core';
import { OperationTypeNode } from 'graphql';
import { ADD, inbox, ME, MINE, openSocket, PLACE, PRODUCT, RENAME, SHELF } from './market/test-clients.ts';
import { ADDRESS, newKey, type Data } from './market/test-door.ts';
import { openMarket, type Account, type OpenMarket } from './market/test-market.ts';

/* What frontend teams use, set up as its documentation says, against the running endpoint. */

let market: OpenMarket;
let buyer: Account;
const closing: (() => unknown)[] = [];
beforeAll(async () => {
  market = await openMarket();
  buyer = await market.account('chipo');
}, 60_000);
afterAll(async () => {
  for (const close of closing) await close();
  await market?.close();
});

const tokenOf = (who: Account['as'], seconds?: number) => market.gateway.tokenFor(who, seconds);
const order = async (ask: (query: string, input: object) => Promise<Data>): Promise<Data> => {
  await ask(ADD, { variantId: market.goods.meal, quantity: 1 });
  return (await ask(PLACE, { paymentMethod: 'CASH_ON_DELIVERY', address: ADDRESS, idempotencyKey: newKey() })).placeOrder.order;
};

describe('@apollo/client', () => {
  function openClient(token: () => Promise<string | undefined>) {
    const { socket, closes } = openSocket(market.gateway.wsUrl, token);
    closing.push(() => socket.dispose());
    const auth = new SetContextLink(async ({ headers }) => {
      const value = await token();
      return { headers: { ...(headers as object), ...(value && { authorization: `Bearer ${value}` }) } };
    });
    const client = new ApolloClient({
      link: ApolloLink.split(
        ({ operationType }) => operationType === OperationTypeNode.SUBSCRIPTION,
        new GraphQLWsLink(socket),
        auth.concat(new HttpLink({ uri: market.gateway.url })),
      ),
      cache: new InMemoryCache({ possibleTypes: { UserError: ['PlainUserError', 'StaleVersionError', 'InsufficientStockError'] } }),
    });
    closing.push(() => client.stop());
    const mutate = async (mutation: string, input: object): Promise<Data> =>
      (await client.mutate<Data>({ mutation: gql(mutation), variables: { input } })).data;
    return { client, closes, mutate };
  }

  test('keeps one product for two queries, and a mutation changes it in both', async () => {
    const { products, grocer } = market;
    const { client, mutate } = openClient(() => tokenOf(grocer.owner));
    const one = await client.query<Data>({ query: gql(PRODUCT), variables: { id: products.oil } });
    await client.query({ query: gql(SHELF), variables: { vendor: grocer.id } });

    const { updateProduct } = await mutate(RENAME, {
      id: products.oil,
      expectedVersion: one.data.product.version,
      name: 'Pure Sunflower Oil',
    });

    expect(updateProduct.userErrors).toEqual([]);
    const shelf = client.readQuery<Data>({ query: gql(SHELF), variables: { vendor: grocer.id } });
    expect(shelf.vendor.products.nodes).toContainEqual({ __typename: 'Product', id: products.oil, name: 'Pure Sunflower Oil' });
    expect(client.readQuery<Data>({ query: gql(PRODUCT), variables: { id: products.oil } }).product).toMatchObject({
      name: 'Pure Sunflower Oil',
      version: one.data.product.version + 1,
      vendor: { name: 'Kabwata Grocers' },
    });
    expect(Object.keys(client.cache.extract() as object)).toEqual(
      expect.arrayContaining([`Product:${products.oil}`, `Vendor:${grocer.id}`]),
    );

    const stale = (await mutate(RENAME, { id: products.oil, expectedVersion: 1, name: 'Other' })).updateProduct;
    expect(stale).toMatchObject({ product: null, userErrors: [{ code: 'STALE_VERSION', currentVersion: one.data.product.version + 1 }] });
  });

  test('hears of an order live over its socket', async () => {
    const { client, mutate } = openClient(() => tokenOf(buyer.as));
    const events = inbox<Data>();
    const subscription = client
      .subscribe<Data>({ query: gql(MINE), variables: { after: '0-0' } })
      .subscribe({ next: ({ data }) => events.push(data) });

    const placed = await order(mutate);

    const { orderEvents } = await events.next();
    expect(orderEvents).toMatchObject({ kind: 'CREATED', order: { id: placed.id, total: { amount: '185.50' } } });
    expect(await events.next()).toMatchObject({ orderEvents: { kind: 'UPDATED', order: { status: 'CONFIRMED' } } });
    subscription.unsubscribe();
  });

  test('is told that a token has run out, by its code, and goes on with a new one', async () => {
    let token = await tokenOf(buyer.as, -60);
    const { client } = openClient(async () => token);
    const me = () => client.query<Data>({ query: gql(ME), fetchPolicy: 'network-only' });

    const refused = await me().catch((error: unknown) => error);
    token = await tokenOf(buyer.as);

    expect(CombinedGraphQLErrors.is(refused)).toBe(true);
    expect((refused as CombinedGraphQLErrors).errors[0]!.extensions).toMatchObject({ code: 'UNAUTHENTICATED', retryable: false });
    expect((await me()).data.me).toMatchObject({ email: buyer.email });
  });

  test('reports what a mutation may not do as an error with its code', async () => {
    const { mutate } = openClient(async () => undefined);

    const refused = await mutate(PLACE, { paymentMethod: 'CASH_ON_DELIVERY', idempotencyKey: newKey() }).catch((error: unknown) => error);

    expect((refused as CombinedGraphQLErrors).errors[0]!.extensions).toMatchObject({ code: 'UNAUTHENTICATED' });
  });

  test('whose token runs out while it listens is closed with 4403, connects with a new one and misses nothing', async () => {
    const tokens = [await tokenOf(buyer.as, 2), await tokenOf(buyer.as)];
    const { client, closes } = openClient(async () => tokens.shift());
    const events = inbox<Data>();
    const { cursor } = await lastEvent();
    const subscription = client
      .subscribe<Data>({ query: gql(MINE), variables: { after: cursor } })
      .subscribe({ next: ({ data }) => events.push(data) });
    while (closes().length === 0) await new Promise((resolve) => setTimeout(resolve, 50));

    const { order: placed } = await market.door.buy(buyer.as, { [market.goods.dress]: 1 });

    expect(closes()[0]).toBe(4403);
    expect(await events.next()).toMatchObject({ orderEvents: { kind: 'CREATED', order: { id: placed.id } } });
    subscription.unsubscribe();
  });
});

/** The newest event of the buyer's orders, so that a stream can begin behind it. */
async function lastEvent(): Promise<Data> {
  const { order: placed } = await market.door.buy(buyer.as, { [market.goods.oil]: 1 });
  let updates = 0;
  for await (const { data } of market.gateway.subscribe(MINE, { after: '0-0' }, { token: await tokenOf(buyer.as) })) {
    const { kind, order: about, cursor } = data!.orderEvents;
    if (about.id === placed.id && kind === 'UPDATED') updates += 1;
    // One for its only part, one for the whole.
    if (updates === 2) return { cursor };
  }
  throw new Error('the stream ended');
}

describe('urql', () => {
  function openUrql(token: () => Promise<string | undefined>, now?: string) {
    const { socket, closes } = openSocket(market.gateway.wsUrl, token);
    closing.push(() => socket.dispose());
    const client = new Client({
      url: market.gateway.url,
      // By GET, a request must prove that no foreign page has sent it, which by POST its content type does.
      preferGetMethod: false,
      exchanges: [
        cacheExchange,
        fetchExchange,
        subscriptionExchange({
          forwardSubscription(request) {
            const input = { ...request, query: request.query || '' };
            return { subscribe: (sink) => ({ unsubscribe: socket.subscribe(input, sink as never) }) };
          },
        }),
      ],
      fetchOptions: () => ({ headers: new Headers(now ? { authorization: `Bearer ${now}` } : {}) }),
    });
    const mutate = async (mutation: string, input: object): Promise<Data> => {
      const { data, error } = await client.mutation(urqlGql(mutation), { input }).toPromise();
      if (error) throw error;
      return data;
    };
    return { client, closes, mutate };
  }

  test('answers the second time from its cache, until a mutation has touched the type', async () => {
    const { products, tailor } = market;
    const token = await tokenOf(tailor.owner);
    const { client, mutate } = openUrql(async () => token, token);
    const ask = () => client.query<Data>(urqlGql(PRODUCT), { id: products.shirt }).toPromise();
    const first = await ask();
    expect(first.error).toBeUndefined();
    expect(first.data.product).toMatchObject({ id: products.shirt, name: 'Linen Shirt', vendor: { name: 'Mwansa Tailoring' } });
    expect((await ask()).operation.context.meta?.cacheOutcome).toBe('hit');

    const { updateProduct } = await mutate(RENAME, {
      id: products.shirt,
      expectedVersion: first.data.product.version,
      name: 'Linen Shirt, white',
    });

    expect(updateProduct).toMatchObject({ product: { name: 'Linen Shirt, white' }, userErrors: [] });
    const after = await ask();
    expect(after.operation.context.meta?.cacheOutcome).toBe('miss');
    expect(after.data.product.name).toBe('Linen Shirt, white');
    const stale = (await mutate(RENAME, { id: products.shirt, expectedVersion: 1, name: 'Other' })).updateProduct;
    expect(stale).toMatchObject({ product: null, userErrors: [{ code: 'STALE_VERSION', currentVersion: first.data.product.version + 1 }] });
  });

  test('hears of an order live over its socket', async () => {
    const { cursor } = await lastEvent();
    const token = await tokenOf(buyer.as);
    const { client, mutate } = openUrql(async () => token, token);
    const events = inbox<Data>();
    const { unsubscribe } = client.subscription<Data>(urqlGql(MINE), { after: cursor }).subscribe(({ data }) => events.push(data));

    const placed = await order(mutate);

    expect(await events.next()).toMatchObject({ orderEvents: { kind: 'CREATED', order: { id: placed.id } } });
    expect(await events.next()).toMatchObject({ orderEvents: { kind: 'UPDATED', order: { status: 'CONFIRMED' } } });
    unsubscribe();
  });

  test('is told that a token has run out, by its code', async () => {
    const { client } = openUrql(async () => undefined, await tokenOf(buyer.as, -60));

    const { data, error } = await client.query(urqlGql(ME), {}).toPromise();

    expect(data).toBeUndefined();
    expect(error!.response.status).toBe(401);
    expect(error!.graphQLErrors[0]!.extensions).toMatchObject({ code: 'UNAUTHENTICATED' });
  });

  test('may ask by GET when it says that a browser would have asked first', async () => {
    const client = new Client({
      url: market.gateway.url,
      exchanges: [fetchExchange],
      fetchOptions: { headers: { 'apollo-require-preflight': 'true' } },
    });

    const { data, error } = await client
      .query<Data>(urqlGql(PRODUCT), { id: market.products.tea }, { preferGetMethod: 'force' })
      .toPromise();

    expect(error).toBeUndefined();
    expect(data.product).toMatchObject({ name: 'Sencha 100 g', vendor: { name: 'Kanda Tea' } });
  });

  test('is told what a mutation may not do', async () => {
    const { mutate } = openUrql(async () => undefined);

    await expect(mutate(PLACE, { paymentMethod: 'CASH_ON_DELIVERY', idempotencyKey: newKey() })).rejects.toMatchObject({
      graphQLErrors: [{ extensions: { code: 'UNAUTHENTICATED' } }],
    });
  });
});

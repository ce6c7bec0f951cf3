import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { openServices, type Services } from '#shared/services/services.ts';
import { viewer } from '#shared/testing/open.ts';
import { ADDRESS, newKey, type Data } from './market/test-door.ts';
import { openMarket, type OpenMarket } from './market/test-market.ts';
import { openChance } from './market/test-seed.ts';
import { loadSubgraphs } from './market/test-subgraphs.ts';
import { faultsOf, liveFaults } from './market/test-truth.ts';

/* The stores of the market fail while five buyers order: services of this test's own, which whoever runs them starts again. */

const BUYERS = 5;
/** What a buyer may be told while a store is away: nothing is wrong with the request, and it may be sent again. */
const PASSING = new Set(['OVERLOADED', 'UNAVAILABLE', 'SUBGRAPH_UNAVAILABLE', 'TIMEOUT', 'IDEMPOTENCY_IN_FLIGHT', 'CHECKOUT_IN_PROGRESS']);
const RECOVERED_MS = 60_000;
const MAX_REQUEST_MS = 30_000;

const chance = openChance();
const folder = mkdtempSync(join(tmpdir(), 'outage-'));
let services: Services;
let market: OpenMarket;
let buyers = 0;

beforeAll(async () => {
  console.info(`seed of the outages: ${chance.seed}`);
  const { MONGODB_URI: _mongodb, REDIS_URL: _redis, ...env } = process.env;
  services = await openServices({ dataDir: folder, env, log: () => undefined });
  Object.assign(process.env, { MONGODB_URI: services.mongodb.uri, REDIS_URL: services.redis.uri });
  market = await openMarket();
}, 120_000);
afterAll(async () => {
  await market?.close();
  await services?.close();
  rmSync(folder, { recursive: true, force: true });
}, 60_000);

interface Shopping {
  /** Orders that were confirmed to their buyer. */
  orders: { id: string; token: string; key: string }[];
  /** How often which refusal that may be repeated was given. */
  passing: Map<string, number>;
  longestMs: number;
}

/** Buyers who order one after the other until `isOver`, each request repeated under its key until its answer is final. */
async function shop(isOver: () => boolean): Promise<Shopping> {
  const shopping: Shopping = { orders: [], passing: new Map(), longestMs: 0 };
  const { goods, gateway } = market;

  async function send(token: string, mutation: string, input: object, selection: string): Promise<Data> {
    const type = `${mutation[0]!.toUpperCase()}${mutation.slice(1)}Input!`;
    const query = `mutation ($input: ${type}) { ${mutation}(input: $input) { ${selection} userErrors { code message } } }`;
    const until = Date.now() + RECOVERED_MS;
    for (;;) {
      const since = performance.now();
      const { data, errors } = await gateway.ask(query, { input }, { token });
      shopping.longestMs = Math.max(shopping.longestMs, performance.now() - since);
      const refusals: { code: string; message: string; retryable?: boolean }[] = errors
        ? errors.map(({ message, extensions }) => ({ message, ...extensions }))
        : data[mutation].userErrors;
      if (refusals.length === 0 && data[mutation].order?.status !== 'PENDING') return data[mutation];
      for (const { code, message, retryable } of refusals) {
        if (!PASSING.has(code) || retryable === false) throw new Error(`${mutation} was refused for good: ${code} ${message}`);
        if (/\d+\.\d+\.\d+\.\d+|Mongo|Redis|ECONN|:\d{2}/.test(message)) throw new Error(`${mutation} told too much: ${message}`);
        shopping.passing.set(code, (shopping.passing.get(code) ?? 0) + 1);
      }
      if (Date.now() > until) throw new Error(`${mutation} has no answer yet: ${JSON.stringify(refusals)}`);
      await delay(100);
    }
  }

  await Promise.all(
    Array.from({ length: BUYERS }, async () => {
      while (!isOver()) {
        const token = await gateway.tokenFor(viewer(`usr_patient_${(buyers += 1)}`));
        const key = newKey();
        const lines = { [chance.pick([goods.meal, goods.oil])]: chance.between(1, 3), [goods.dress]: 1 };
        for (const [variantId, quantity] of Object.entries(lines))
          await send(token, 'addToCart', { variantId, quantity, idempotencyKey: newKey() }, 'cart { id }');
        const input = { paymentMethod: 'CASH_ON_DELIVERY', address: ADDRESS, idempotencyKey: key };
        const { order } = await send(token, 'placeOrder', input, 'order { id status }');
        shopping.orders.push({ id: order.id, token, key });
      }
    }),
  );
  return shopping;
}

/** Orders go on while `trouble` is made. */
async function shopThrough(trouble: () => Promise<void>): Promise<Shopping> {
  let isOver = false;
  const shopping = shop(() => isOver);
  await Promise.race([trouble(), shopping]);
  isOver = true;
  const done = await shopping;
  console.info(
    `${done.orders.length} orders, longest request ${Math.round(done.longestMs)} ms, to be repeated: ${JSON.stringify(Object.fromEntries(done.passing))}`,
  );
  return done;
}

/** What was confirmed is there, once; nothing of stock, orders or events is lost; nothing is held any more. */
async function expectNothingLost({ orders }: Shopping): Promise<void> {
  const db = (name: string) => market.app.runtime(name).db;
  const since = performance.now();
  while (
    (await db('orders')
      .collection('sagas')
      .countDocuments({ state: { $in: ['RUNNING', 'COMPENSATING'] } })) > 0
  )
    await delay(100);
  expect(performance.now() - since).toBeLessThan(RECOVERED_MS);
  await market.app.settled();
  const subgraphs = await loadSubgraphs();
  const { redis } = market.app.host;
  expect(await faultsOf(db, subgraphs)).toEqual([]);
  expect(await liveFaults(db, subgraphs, { redis, prefix: market.app.context().redisPrefix })).toEqual([]);
  for (const { id, token } of orders) {
    const { data } = await market.gateway.ask('query ($id: ID!) { order(id: $id) { status } }', { id }, { token });
    expect(data.order).toEqual({ status: 'CONFIRMED' });
  }
  expect(orders.length).toBeGreaterThan(0);
}

test('Redis wiped and killed in the middle of orders costs nobody anything', async () => {
  const shopping = await shopThrough(async () => {
    for (let round = 0; round < 5; round += 1) {
      await delay(chance.between(200, 800));
      await market.app.host.redis.flushall();
    }
    process.kill(services.redis.pid!, 'SIGKILL');
    await delay(3_000);
  });

  expect(shopping.longestMs).toBeLessThan(MAX_REQUEST_MS);
  await expectNothingLost(shopping);
}, 180_000);

test('the store killed in the middle of orders costs some patience, and nothing else', async () => {
  const shopping = await shopThrough(async () => {
    for (let round = 0; round < 3; round += 1) {
      await delay(chance.between(1_000, 2_500));
      const { pid } = services.mongodb;
      process.kill(pid!, 'SIGKILL');
      while (services.mongodb.pid === pid) await delay(50);
    }
    await delay(2_000);
  });

  expect(shopping.longestMs).toBeLessThan(MAX_REQUEST_MS);
  await expectNothingLost(shopping);
}, 240_000);

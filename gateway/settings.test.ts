import { expect, test } from '@jest/globals';
import { Redis } from 'ioredis';
import { gatewaySettings } from './settings.ts';
import { openGatewayForTest } from './testing/open-gateway.ts';
import { testSubgraphs } from './testing/test-subgraphs.ts';

test('is open to developers and closed to other pages by default', () => {
  expect(gatewaySettings({})).toEqual({
    admission: { atOnce: 1_000, waiting: 2_000, maxWaitMs: 2_000 },
    sockets: { perAddress: 10_000, perViewer: 100 },
    corsOrigins: [],
    trustedProxies: 0,
    production: false,
    dedupe: { operations: true, fetches: true, entities: false },
    playground: true,
    planning: 'worker',
    persistedOperations: expect.objectContaining({ bodies: [] }),
  });
});

test('reads which work is deduplicated, down to none', () => {
  expect(gatewaySettings({ SINGLE_FLIGHT: 'entities' }).dedupe).toEqual({ operations: false, fetches: false, entities: true });
  expect(gatewaySettings({ SINGLE_FLIGHT: 'none' }).dedupe).toEqual({ operations: false, fetches: false, entities: false });
  expect(() => gatewaySettings({ SINGLE_FLIGHT: 'everything' })).toThrow('SINGLE_FLIGHT');
});

test('caches entities with a Redis, unless that is off', () => {
  const cache = { redis: new Redis({ lazyConnect: true }), prefix: 'test' };

  expect(gatewaySettings({}, cache).entityStore).toBeDefined();
  expect(gatewaySettings({ ENTITY_CACHE: 'off' }, cache).entityStore).toBeUndefined();
  expect(gatewaySettings({}).entityStore).toBeUndefined();
});

test('hides the playground in production, unless it is enabled', () => {
  expect(gatewaySettings({ NODE_ENV: 'production' })).toMatchObject({ production: true, playground: false });
  expect(gatewaySettings({ NODE_ENV: 'production', PLAYGROUND: 'true' })).toMatchObject({ production: true, playground: true });
});

test('reads origins and proxies', () => {
  expect(gatewaySettings({ CORS_ORIGINS: 'https://a.example.org, http://localhost:5173', TRUST_PROXY: '1' })).toMatchObject({
    corsOrigins: ['https://a.example.org', 'http://localhost:5173'],
    trustedProxies: 1,
  });
});

test.each([
  ['CORS_ORIGINS', '*'],
  ['TRUST_PROXY', 'yes'],
  ['PLAYGROUND', 'perhaps'],
  ['ENTITY_CACHE', 'perhaps'],
  ['GATEWAY_ENGINE', 'rover'],
  ['PERSISTED_OPERATIONS_FILE', 'not-there.json'],
  ['PERSISTED_OPERATIONS_ONLY', 'some'],
  ['API_KEYS_FILE', 'not-there.json'],
  ['API_KEYS_FILE', import.meta.filename],
  ['REQUIRE_API_KEY', 'true'],
])('names %s when it is wrong', (name, value) => {
  expect(() => gatewaySettings({ [name]: value })).toThrow(`Environment: ${name}`);
});

test('reads renamed variables under their former names', () => {
  const { queryPlansFile } = gatewaySettings({ PLANS_FILE: 'plans.json' });
  const { queryPlansFile: both } = gatewaySettings({ PLANS_FILE: 'old.json', QUERY_PLANS_FILE: 'new.json' });

  expect([queryPlansFile, both]).toEqual(['plans.json', 'new.json']);
});

test('uses the reference engine when it is configured', async () => {
  const { openEngine } = gatewaySettings({ GATEWAY_ENGINE: 'apollo' });

  const subgraphs = testSubgraphs();
  const gateway = await openGatewayForTest({ subgraphs: subgraphs.all, openEngine: openEngine! });
  const { data } = await gateway.ask('{ note(id: "n1") { author { name } } }');
  await gateway.close();

  expect(subgraphs.people.asked[0]?.query).toMatch(/_entities/);
  expect(data).toEqual({ note: { author: { name: 'Ada' } } });
});

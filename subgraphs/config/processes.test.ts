import { dropDatabases } from '#shared/testing/drop-databases.ts';
import { afterEach, expect, test } from '@jest/globals';
import { openHost, type Host, type HostOptions } from '#shared/runtime/host.ts';
import { newId } from '#shared/base/ids.ts';
import { registerDefinitions, type Registration } from '#shared/kit/settings-commands.ts';
import type { CommandTransport } from '#shared/kit/transport.ts';
import { unavailable } from '#shared/base/errors.ts';
import { admin, changeOf, flags, openShelves, settings, shelves } from './fixtures.ts';
import { subgraph as config } from './subgraph.ts';

const UPDATE = 'mutation ($input: UpdateSettingInput!) { updateSetting(input: $input) { userErrors { code message } } }';

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const prefixes = () => {
  const run = `t${newId('run').slice(-12).toLowerCase()}`;
  return { databasePrefix: `${run}_`, redisPrefix: run };
};

async function openOne(subgraphs: Parameters<typeof openHost>[0], options: Partial<HostOptions>): Promise<Host> {
  const host = await openHost(subgraphs, {
    mongodbUri: process.env['MONGODB_URI']!,
    redisUrl: process.env['REDIS_URL']!,
    environment: { NODE_ENV: 'test' },
    ...options,
  });
  closing.push(async () => {
    await dropDatabases([...host.runtimes.values()].map(({ db }) => db));
    await host.close();
  });
  return host;
}

const identity = { issuer: 'gateway', viewer: admin };

async function setWidth(host: Host, value: number, expectedVersion: number): Promise<void> {
  const input = { id: settings.width.id, value: String(value), expectedVersion, reason: 'a test' };
  const asked = { query: UPDATE, variables: { input }, identity, correlationId: newId('test'), deadline: Date.now() + 20_000 };
  const { data } = await host.runtimes.get('config')!.execute(asked);
  expect(data).toEqual({ updateSetting: { userErrors: [] } });
}

const widthIn = (host: Host): Promise<number> => host.settings.get(settings.width);

/** Waits for what a process knows, looking at each of its changes. */
async function until(host: Host, isSo: () => Promise<boolean>): Promise<void> {
  for (;;) {
    const next = new Promise<void>((resolve) => {
      const stop = host.settings.onEvent(() => (stop(), resolve()));
    });
    if (await isSo()) return;
    await next;
  }
}

test('a change is in force in every process within 2 s, whether announced or not', async () => {
  const shared = prefixes();
  const first = await openOne([config, shelves], shared);
  const second = await openOne([shelves], { ...shared, remote: () => first.runtimes.get('config') });
  await until(first, async () => flags.glass.id in (await first.settings.flags()));

  for (const host of [first, second]) expect(await widthIn(host)).toBe(60);
  const seen = [first, second].map((host) => changeOf(host.settings, settings.width.id));
  const before = performance.now();
  await setWidth(first, 70, 0);
  for (const at of await Promise.all(seen)) expect(at - before).toBeLessThan(2_000);
  for (const host of [first, second]) expect(await widthIn(host)).toBe(70);

  // A process that dies after its commit announces nothing: the relay invalidates, and the others look every second.
  const unannounced = changeOf(second.settings, settings.width.id);
  const publish = first.redis.publish.bind(first.redis);
  first.redis.publish = (async (...args: Parameters<typeof publish>) =>
    args[0].toString().endsWith('settings-changed') ? 0 : publish(...args)) as typeof publish;
  const later = performance.now();
  await setWidth(first, 80, 1);
  expect((await unannounced) - later).toBeLessThan(2_000);
  expect(await widthIn(second)).toBe(80);
});

test('a process goes on with its last known values without config, Redis or both, and with defaults when it never had any', async () => {
  const shared = prefixes();
  const first = await openOne([config, shelves], shared);
  let isConfigThere = true;
  const remote = (): CommandTransport => ({
    call: async (request) => {
      if (!isConfigThere) throw unavailable('config');
      return first.runtimes.get('config')!.call(request);
    },
  });
  await until(first, async () => flags.glass.id in (await first.settings.flags()));
  await setWidth(first, 70, 0);
  const second = await openOne([shelves], { ...shared, remote });
  expect(await widthIn(second)).toBe(70);

  isConfigThere = false;
  // The process of config would write its pages to Redis again.
  first.settings.stop();
  await first.redis.eval(
    "for _, key in ipairs(redis.call('KEYS', ARGV[1])) do redis.call('UNLINK', key) end",
    0,
    `${shared.redisPrefix}:*settings*`,
  );
  await first.redis.eval(
    "for _, key in ipairs(redis.call('KEYS', ARGV[1])) do redis.call('UNLINK', key) end",
    0,
    `${shared.redisPrefix}:cache-tag:*`,
  );
  await second.settings.refresh();
  expect(second.settings.isStale()).toBe(true);
  expect(await widthIn(second)).toBe(70);

  const begun = performance.now();
  const third = await openOne([shelves], { ...shared, remote });
  expect(await widthIn(third)).toBe(60);
  expect(performance.now() - begun).toBeLessThan(15_000);

  isConfigThere = true;
  await Promise.all([until(third, async () => (await widthIn(third)) === 70), until(second, async () => !second.settings.isStale())]);
  expect(await widthIn(second)).toBe(70);

  isConfigThere = false;
  second.redis.disconnect();
  await second.settings.refresh();
  expect(await widthIn(second)).toBe(70);
  expect(await second.settings.evaluate(flags.lights, {}, new Date())).toEqual({ isOn: true, reason: 'DEFAULT' });
});

test('the newest build decides what is defined: older processes of a deploy change nothing, until it is gone', async () => {
  await using app = await openShelves();
  const described = async () =>
    (await app.ask('{ settings(where: { owner: { eq: "shelves" } }) { nodes { id description isRegistered } } }')).data.settings.nodes;
  const [before] = await described();
  const build = Date.now() + 1_000_000;
  const key = { id: settings.key.id, description: 'A newer secret.', schema: '{"type":"string"}', default: null, per: [], encrypted: true };
  const newer: Registration = { owner: 'shelves', build, settings: [key], flags: [], evaluated: [] };
  const older: Registration = { ...newer, build: build - 1, settings: [{ ...key, description: 'An older secret.' }] };

  expect(await app.call(registerDefinitions, newer)).toEqual({ accepted: true });
  expect(await app.call(registerDefinitions, older)).toEqual({ accepted: false });
  expect(await app.call(registerDefinitions, newer)).toEqual({ accepted: true });
  expect(before.description).toBe('A secret.');
  expect(await described()).toEqual([
    { id: settings.key.id, description: 'A newer secret.', isRegistered: true },
    { id: settings.material.id, description: 'What they are made of.', isRegistered: false },
    { id: settings.width.id, description: 'Width in centimetres.', isRegistered: false },
  ]);
  expect(await app.said('Definitions.Registered')).toHaveLength(3);

  app.clock.advance(16 * 60_000);
  expect(await app.call(registerDefinitions, older)).toEqual({ accepted: true });
  expect((await described())[0].description).toBe('An older secret.');
});

test('what is stored and does not fit the code of now is kept, and the default holds', async () => {
  await using app = await openShelves();
  const seen = changeOf(app.host.settings, settings.width.id);
  await app.ask(UPDATE, { input: { id: settings.width.id, value: '400', expectedVersion: 0, reason: 'a test' } });
  await seen;
  const narrow = { ...settings.width, schema: settings.width.schema.refine((value) => Number(value) < 100) };

  expect(await app.host.settings.get(narrow)).toBe(60);
  expect(await app.host.settings.get(settings.width)).toBe(400);
});

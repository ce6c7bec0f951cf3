import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { OpenFeature, ProviderEvents, type Client } from '@openfeature/server-sdk';
import { Redis } from 'ioredis';
import { pino } from 'pino';
import { z } from 'zod';
import { announceSettings } from '../settings/announce.ts';
import { NO_RULES } from '../settings/flag-rules.ts';
import { EMPTY_PAGE, type SettingsPage } from '../settings/page.ts';
import { createSettingsClient, type SettingsClient } from '../settings/settings-client.ts';
import { defineSettings, setting } from './define-settings.ts';
import { openFeatureProvider } from './open-feature.ts';

const settings = defineSettings('boards', {
  title: setting(z.string(), { default: 'Board', description: 'On top.', per: 'wall' }),
  width: setting(z.int(), { default: 60, description: 'Centimetres.' }),
  frame: setting(z.object({ wood: z.string() }), { default: { wood: 'oak' }, description: 'Around it.' }),
  tilted: setting(z.boolean(), { default: true, description: 'Whether it is tilted.' }),
});

const known = { default: false, per: ['wall'], public: false, rules: NO_RULES };
const page: SettingsPage = {
  ...EMPTY_PAGE,
  settings: { 'boards.width': '70' },
  flags: {
    'boards.plain': known,
    'boards.on': { ...known, rules: { ...NO_RULES, isOn: true } },
    'boards.killed': { ...known, rules: { ...NO_RULES, isOn: true, isKilled: true } },
    'boards.rolled': { ...known, rules: { ...NO_RULES, rollout: { percentage: 50, by: 'targetingKey' } } },
    'boards.tall': { ...known, rules: { ...NO_RULES, segments: [{ segment: 'tall', isOn: true }] } },
  },
  segments: { tall: [{ attribute: 'height', operator: 'AT_LEAST', values: ['2'] }] },
  overridden: { 'boards.title': { kinds: ['wall'], revision: 1 } },
};

let redis: Redis;
let source: SettingsClient;
let client: Client;
let isThere = true;
const prefix = `t${randomBytes(6).toString('hex')}`;

beforeAll(async () => {
  redis = new Redis(process.env['REDIS_URL']!);
  source = createSettingsClient({
    redis,
    prefix,
    log: pino({ level: 'silent' }),
    async load(scopes) {
      if (!isThere) throw new Error('gone');
      return scopes.map((scope) => ({
        scope,
        page: scope === 'GLOBAL' ? structuredClone(page) : { ...EMPTY_PAGE, settings: { 'boards.title': '"Of a wall"' } },
      }));
    },
  });
  for (const each of Object.values(settings)) source.define(each as never);
  await OpenFeature.setProviderAndWait('boards', openFeatureProvider({ settings: source, now: () => new Date() }));
  client = OpenFeature.getClient('boards');
});

afterAll(async () => {
  await OpenFeature.close();
  source.stop();
  redis.disconnect();
});

test.each([
  ['boards.plain', {}, false, 'DEFAULT'],
  ['boards.on', {}, true, 'STATIC'],
  ['boards.killed', {}, false, 'DISABLED'],
  ['boards.tall', { height: 3 }, true, 'TARGETING_MATCH'],
  ['boards.tall', { height: 1 }, false, 'DEFAULT'],
  ['boards.tilted', {}, true, 'STATIC'],
])('%s with %j is %s, for the reason %s', async (key, context, value, reason) => {
  expect(await client.getBooleanDetails(key, !value, context)).toMatchObject({ flagKey: key, value, reason });
});

test('a roll-out asks for a targeting key, and splits by it', async () => {
  const details = await Promise.all(
    Array.from({ length: 40 }, (_, index) => client.getBooleanDetails('boards.rolled', false, { targetingKey: `usr_${index}` })),
  );

  expect(new Set(details.map(({ reason }) => reason))).toEqual(new Set(['SPLIT']));
  expect(new Set(details.map(({ variant }) => variant))).toEqual(new Set(['on', 'off']));
  expect(await client.getBooleanDetails('boards.rolled', true)).toMatchObject({
    value: true,
    reason: 'ERROR',
    errorCode: 'TARGETING_KEY_MISSING',
  });
});

test('settings of other types are read too, by scope, and another type is refused', async () => {
  expect(await client.getNumberValue('boards.width', 1)).toBe(70);
  expect(await client.getObjectValue('boards.frame', {})).toEqual({ wood: 'oak' });
  expect(await client.getStringValue('boards.title', '')).toBe('Board');
  expect(await client.getStringValue('boards.title', '', { wall: 'w1' })).toBe('Of a wall');
  expect(await client.getStringDetails('boards.width', 'mine')).toMatchObject({ value: 'mine', errorCode: 'TYPE_MISMATCH' });
  expect(await client.getBooleanDetails('boards.none', true)).toMatchObject({ value: true, errorCode: 'FLAG_NOT_FOUND' });
});

test('a change is told with its keys, and so is that values cannot be read', async () => {
  const told = (event: ProviderEvents): Promise<unknown> => new Promise((resolve) => client.addHandler(event, resolve));

  const changed = told(ProviderEvents.ConfigurationChanged);
  page.settings['boards.width'] = '75';
  await announceSettings({ redis, redisPrefix: prefix }, 'GLOBAL');
  await source.refresh();
  expect(await changed).toMatchObject({ flagsChanged: ['boards.width'] });
  expect(await client.getNumberValue('boards.width', 1)).toBe(75);

  isThere = false;
  const stale = told(ProviderEvents.Stale);
  await announceSettings({ redis, redisPrefix: prefix }, 'GLOBAL');
  await source.refresh();
  await stale;
  expect(await client.getNumberValue('boards.width', 1)).toBe(75);

  isThere = true;
  const ready = told(ProviderEvents.Ready);
  await source.refresh();
  await ready;
});

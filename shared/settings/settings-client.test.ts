import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { Redis } from 'ioredis';
import { pino, type Logger } from 'pino';
import { z } from 'zod';
import { flag, defineFlags } from '../kit/define-flags.ts';
import { defineSettings, setting } from '../kit/define-settings.ts';
import { announceSettings } from './announce.ts';
import { bucketOf } from './evaluate-flag.ts';
import { NO_RULES } from './flag-rules.ts';
import { EMPTY_PAGE, type SettingsPage } from './page.ts';
import { createSettingsClient, type SettingsClient } from './settings-client.ts';

const settings = defineSettings('boards', {
  width: setting(z.int().min(1), { default: 60, description: 'Centimetres.', per: ['wall', 'house'] }),
  color: setting(z.string().nullable(), { default: 'white', description: 'Of the paint.' }),
});
const { chalk } = defineFlags('boards', { chalk: flag({ description: 'Chalk is allowed.', per: 'wall' }) });

let redis: Redis;
let prefix: string;
let stored: Record<string, Partial<SettingsPage>>;
let loads: string[][];
let lines: { level: number; msg: string }[];
let log: Logger;
const clients: SettingsClient[] = [];

beforeEach(async () => {
  prefix = `t${randomBytes(6).toString('hex')}`;
  redis = new Redis(process.env['REDIS_URL']!);
  redis.on('error', () => undefined);
  await redis.ping();
  stored = {};
  loads = [];
  lines = [];
  log = pino({ level: 'info' }, { write: (line: string) => void lines.push(JSON.parse(line) as (typeof lines)[number]) });
});

afterEach(() => {
  for (const client of clients.splice(0)) client.stop();
  redis.disconnect();
});

function createClient(load?: (scopes: string[]) => Promise<never>): SettingsClient {
  const client = createSettingsClient({
    redis,
    prefix,
    log,
    load:
      load ??
      (async (scopes) => {
        loads.push(scopes);
        return scopes.map((scope) => ({ scope, page: { ...EMPTY_PAGE, ...stored[scope] } }));
      }),
  });
  clients.push(client);
  return client;
}

const overriding = (kinds: string[], revision = 1) => ({ [settings.width.id]: { kinds, revision } });

test('a read of known values sends no command and loads nothing', async () => {
  stored = {
    GLOBAL: { settings: { [settings.width.id]: '70' }, overridden: overriding(['wall']) },
    'wall:w1': { settings: { [settings.width.id]: '90' } },
  };
  const client = createClient();
  expect([await client.get(settings.width), await client.get(settings.width, { wall: 'w1' })]).toEqual([70, 90]);
  const sent = jest.spyOn(redis, 'sendCommand');
  loads = [];

  for (let round = 0; round < 1_000; round += 1) {
    expect(await client.get(settings.width, { wall: 'w1' })).toBe(90);
    expect(await client.get(settings.width, { wall: undefined, house: 'h1' })).toBe(70);
    expect((await client.evaluate(chalk, { wall: 'w2' }, new Date())).isOn).toBe(false);
  }

  // The look of each second, and nothing for a read.
  expect(sent.mock.calls.length).toBeLessThan(20);
  expect(loads).toEqual([]);
});

test('the first kind of scope with a value wins, and scopes of kinds without any are never loaded', async () => {
  stored = {
    GLOBAL: { settings: { [settings.width.id]: '70' }, overridden: overriding(['wall', 'house']) },
    'wall:w1': { settings: { [settings.width.id]: '90' } },
    'house:h1': { settings: { [settings.width.id]: '80' } },
  };
  const client = createClient();

  expect(await client.get(settings.width, { wall: 'w1', house: 'h1' })).toBe(90);
  expect(await client.get(settings.width, { wall: 'w2', house: 'h1' })).toBe(80);
  expect(await client.get(settings.width, { wall: 'w2', house: 'h2' })).toBe(70);
  expect((await client.evaluate(chalk, { wall: 'w9' }, new Date())).isOn).toBe(false);
  expect(loads.flat()).not.toContain('wall:w9');
  expect(loads.flat().filter((scope) => scope === 'house:h1')).toHaveLength(1);
});

test('values come from Redis when another process has read them, and anew after they changed', async () => {
  stored = { GLOBAL: { settings: { [settings.width.id]: '70' } } };
  expect(await createClient().get(settings.width)).toBe(70);
  await redis.ping(); // The value is written behind the read.
  const second = createClient();
  expect(await second.get(settings.width)).toBe(70);
  expect(loads).toEqual([['GLOBAL']]);

  stored = { GLOBAL: { settings: { [settings.width.id]: '75' } } };
  await announceSettings({ redis, redisPrefix: prefix }, 'GLOBAL');
  await second.refresh();
  expect(await second.get(settings.width)).toBe(75);
});

test('null is a value, and a value that does not fit leaves the default, with one line', async () => {
  stored = { GLOBAL: { settings: { [settings.color.id]: 'null', [settings.width.id]: '-5' } } };
  const client = createClient();

  expect(await client.get(settings.color)).toBeNull();
  for (let round = 0; round < 3; round += 1) expect(await client.get(settings.width)).toBe(60);

  expect(lines.filter(({ msg }) => msg.includes('does not fit'))).toMatchObject([
    { setting: settings.width.id, fault: 'too_small at the value' },
  ]);
});

test('a store of values that hangs, or has none, holds no reader up, and is told of once', async () => {
  const hanging = createClient(() => new Promise(() => undefined));
  const begun = performance.now();
  expect(await hanging.get(settings.width)).toBe(60);
  for (let round = 0; round < 100; round += 1) await hanging.get(settings.width);
  expect(performance.now() - begun).toBeLessThan(1_500);

  const refusing = createClient(() => Promise.reject(new Error('nobody is there')));
  expect(await refusing.get(settings.width)).toBe(60);
  await refusing.refresh();
  await refusing.refresh();
  expect(refusing.isStale()).toBe(true);
  expect(lines.filter(({ msg }) => msg.startsWith('settings cannot be read'))).toHaveLength(1);
});

test('what another release has written to Redis in another form is loaded instead', async () => {
  await redis.set(`${prefix}:settings:GLOBAL`, '-\n{"values":{}}');
  stored = { GLOBAL: { settings: { [settings.width.id]: '70' } } };

  expect(await createClient().get(settings.width)).toBe(70);
});

test('a listener hears which settings and flags are other ones, also by a segment or a scope', async () => {
  const rules = { ...NO_RULES, segments: [{ segment: 'tall', isOn: true }] };
  const known = { default: false, per: [], public: false, rules };
  stored = { GLOBAL: { flags: { [chalk.id]: known }, segments: { tall: [] } } };
  const client = createClient();
  await client.refresh();
  const heard: unknown[] = [];
  client.onEvent((event) => heard.push(event));
  const change = async (page: Partial<SettingsPage>) => {
    stored = { GLOBAL: { ...stored['GLOBAL'], ...page } };
    await announceSettings({ redis, redisPrefix: prefix }, 'GLOBAL');
    await client.refresh();
  };

  await change({ settings: { [settings.width.id]: '70' } });
  await change({ segments: { tall: [{ attribute: 'height', operator: 'AT_LEAST', values: ['2'] }] } });
  await change({ overridden: overriding(['wall'], 2) });
  await change({});

  expect(heard).toEqual([
    { kind: 'CHANGED', ids: [settings.width.id] },
    { kind: 'CHANGED', ids: [chalk.id] },
    { kind: 'CHANGED', ids: [settings.width.id] },
  ]);
});

test('a subject has one of 10,000 buckets, which stays the same for ever', () => {
  expect([bucketOf('boards.chalk', 'usr_1'), bucketOf('boards.chalk', 'usr_2'), bucketOf('boards.paint', 'usr_1')]).toEqual([
    984, 8_039, 5_399,
  ]);
});

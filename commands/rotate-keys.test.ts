import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import type { Connection } from 'mongoose';
import { newId } from '#shared/base/ids.ts';
import { encodeValue } from '#shared/settings/setting-value.ts';
import { decryptField } from '#shared/store/encrypted.ts';
import { connectMongo } from '#shared/store/mongo.ts';
import { subgraph as accounts } from '../subgraphs/accounts/subgraph.ts';
import { subgraph as config } from '../subgraphs/config/subgraph.ts';

const prefix = `cmd_${newId('run').slice(4, 24).toLowerCase()}_`;
const KEYS = { DATA_KEYS: JSON.stringify({ k1: 'b'.repeat(32) }), DATA_KEY_ID: 'k1' };

let client: Connection;
beforeAll(async () => {
  client = await connectMongo(process.env['MONGODB_URI']!);
});
afterAll(async () => {
  for (const name of ['accounts', 'config']) await client.useDb(prefix + name, { useCache: false }).dropDatabase();
  await client.getClient().close();
});

const run = (keys: Record<string, string>, ...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> =>
  new Promise((resolve) => {
    const env = { ...process.env, DATABASE_PREFIX: prefix, ...keys };
    execFile(process.execPath, [join(import.meta.dirname, 'rotate-keys.ts'), ...args], { env }, (error, stdout, stderr) =>
      resolve({ code: Number(error?.code ?? 0), stdout, stderr }),
    );
  });

test('rotates authenticator secrets and secret settings, and says so', async () => {
  const { User } = accounts.models(client.useDb(`${prefix}accounts`, { useCache: false }));
  const { Value } = config.models(client.useDb(`${prefix}config`, { useCache: false }));
  const person = { name: 'Ann', searchName: 'ann', roles: ['customer'] };
  await User.collection.insertMany([
    { _id: 'usr_1', email: '1', ...person, mfa: { secret: null } } as never,
    { _id: 'usr_2', email: '2', ...person } as never,
  ]);
  await User.updateOne({ _id: 'usr_1' }, { 'mfa.secret': 'AUTHENTICATOR' });
  const value = { scope: 'GLOBAL', version: 1, updatedAt: new Date(), updatedBy: 'usr_1' };
  await Value.create({ _id: 'secret GLOBAL', of: 'secret', text: encodeValue('"s3"', true), ...value });
  await Value.create({ _id: 'plain GLOBAL', of: 'plain', text: encodeValue('"s3"', false), ...value });

  const dry = await run(KEYS, '--dry-run');
  const done = await run(KEYS);

  expect(dry).toMatchObject({ code: 0, stdout: expect.stringContaining('accounts users mfa.secret: 1 to encrypt again, 0 current') });
  expect(done).toMatchObject({ code: 0, stderr: '' });
  expect(done.stdout).toBe(
    'accounts users mfa.secret: 1 encrypted again, 0 current, 0 left, 0 unreadable\n' +
      'config values text: 1 encrypted again, 0 current, 0 left, 0 unreadable\n' +
      'Everything is encrypted with the key k1. Older keys can be removed in a day, when what is kept for a day is gone.\n',
  );
  Object.assign(process.env, KEYS);
  const user = await User.findById('usr_1').lean();
  expect(decryptField(User, 'mfa.secret', user!.mfa.secret!)).toBe('AUTHENTICATOR');
  const missing = await run({ DATA_KEYS: JSON.stringify({ k2: 'c'.repeat(32) }), DATA_KEY_ID: 'k2' });
  expect(missing).toMatchObject({ code: 1, stdout: expect.stringContaining('the key k1, which DATA_KEYS does not hold') });
}, 60_000);

test.each([
  [KEYS, ['--now'], 'Usage: npm run rotate-keys [-- --dry-run]'],
  [{ DATA_KEYS: '{}', DATA_KEY_ID: 'k3' }, [], 'DATA_KEY_ID: must be the id of a key of DATA_KEYS'],
])('refuses %j %j in one line', async (keys, args, message) => {
  const { code, stderr } = await run(keys, ...args);

  expect(code).toBe(1);
  expect(stderr).toContain(message);
  expect(stderr.trim().split('\n')).toHaveLength(1);
});

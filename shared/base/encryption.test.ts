import { afterEach, expect, test } from '@jest/globals';
import { dataCipher } from './data-keys.ts';
import { createCipher, type DataKeys } from './encryption.ts';

const SECRET = 'a'.repeat(32);
/** What a build without key ids made of 'a secret é'. */
const BEFORE = 'sJ3KAkcdgEyqA2RkL1SQMtiiojakcEZJ-ZdMtjg6iKPb7eRPGXEn';
const unnamed = createCipher('notes', { byId: {}, currentId: undefined, unnamed: SECRET });
const named = (keys: Partial<DataKeys> = {}, purpose = 'notes') =>
  createCipher(purpose, { byId: { k1: 'b'.repeat(32), k2: 'c'.repeat(32) }, currentId: 'k2', unnamed: SECRET, ...keys });

const before = { ...process.env };
afterEach(() => void Object.assign(process.env, { DATA_KEYS: before['DATA_KEYS'] ?? '', DATA_KEY_ID: before['DATA_KEY_ID'] ?? '' }));

test('decrypts what it encrypted, and never encrypts a text alike twice', () => {
  const encrypted = named().encrypt('a secret é');

  expect(encrypted).toMatch(/^k2\.[\w-]+$/);
  expect(named().decrypt(encrypted)).toBe('a secret é');
  expect(named().encrypt('a secret é')).not.toBe(encrypted);
});

test.each([
  ['a build without key ids', BEFORE],
  ['the key before this one', named({ currentId: 'k1' }).encrypt('a secret é')],
  ['the key without an id', unnamed.encrypt('a secret é')],
])('reads what %s encrypted, and knows that it is not current', (_case, encrypted) => {
  expect(named().decrypt(encrypted)).toBe('a secret é');
  expect(named().isCurrent(encrypted)).toBe(false);
});

test('a build without key ids reads what is encrypted while no key is chosen', () => {
  expect(unnamed.encrypt('a secret')).not.toContain('.');
});

test('a search finds a text under each key, and no text for another purpose', () => {
  const stored = [unnamed, named({ currentId: 'k1' }), named()].map((cipher) => cipher.hash('260971234567'));

  expect(named().hashes('260971234567').sort()).toEqual(stored.sort());
  expect(named({}, 'boards').hashes('260971234567')).not.toEqual(expect.arrayContaining([stored[0]]));
});

test.each([
  ['was encrypted with another secret', named({ byId: { k2: 'd'.repeat(32) } }).encrypt('a secret')],
  ['was encrypted for another purpose', named({}, 'boards').encrypt('a secret')],
  ['was altered', `${named().encrypt('a secret').slice(0, -2)}AA`],
  ['was cut', named().encrypt('a secret').slice(0, 20)],
  ['is no ciphertext', ''],
  ['has the id of another key', named().encrypt('a secret').replace('k2.', 'k1.')],
])('refuses to decrypt a text that %s', (_case, encrypted) => {
  expect(() => named().decrypt(encrypted)).toThrow();
});

test('names the key that is missing', () => {
  const encrypted = named().encrypt('a secret');

  expect(() => named({ byId: { k1: 'b'.repeat(32) }, currentId: 'k1' }).decrypt(encrypted)).toThrow(
    'the key k2, which DATA_KEYS does not hold',
  );
});

test.each([
  ['are no JSON', 'k1', undefined, 'DATA_KEYS: must be JSON'],
  ['are too short', '{"k1":"short-secret"}', undefined, 'DATA_KEYS.k1: must have at least 32 characters'],
  ['have an id with a dot', `{"k.1":"${SECRET}"}`, undefined, 'a key id may hold'],
  ['do not hold the current one', `{"k1":"${SECRET}"}`, 'k2', 'DATA_KEY_ID: must be the id of a key of DATA_KEYS'],
])('refuses keys that %s, in one line without a secret', (_case, keys, id, message) => {
  Object.assign(process.env, { DATA_KEYS: keys, DATA_KEY_ID: id ?? '' });

  const use = () => dataCipher('notes');

  expect(use).toThrow(message);
  expect(use).not.toThrow(/short-secret|aaaa/);
});

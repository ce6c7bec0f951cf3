import { expect, test } from '@jest/globals';
import { createCipher } from './encryption.ts';

const SECRET = 'a'.repeat(32);
const cipher = createCipher('notes', SECRET);

test('decrypts what it encrypted, and never encrypts a text alike twice', () => {
  const encrypted = cipher.encrypt('a secret é');

  expect(createCipher('notes', SECRET).decrypt(encrypted)).toBe('a secret é');
  expect(cipher.encrypt('a secret é')).not.toBe(encrypted);
});

test.each([
  ['was encrypted with another secret', createCipher('notes', 'b'.repeat(32)).encrypt('a secret')],
  ['was encrypted for another purpose', createCipher('boards', SECRET).encrypt('a secret')],
  ['was altered', `${cipher.encrypt('a secret').slice(0, -2)}AA`],
  ['was cut', cipher.encrypt('a secret').slice(0, 20)],
  ['is no ciphertext', ''],
])('refuses to decrypt a text that %s', (_case, encrypted) => {
  expect(() => cipher.decrypt(encrypted)).toThrow();
});

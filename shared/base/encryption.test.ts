import { expect, test } from '@jest/globals';
import { createVault } from './encryption.ts';

const SECRET = 'a'.repeat(32);
const vault = createVault('notes', SECRET);

test('opens what it sealed, which never looks the same twice', () => {
  const sealed = vault.seal('a secret é');

  expect(createVault('notes', SECRET).open(sealed)).toBe('a secret é');
  expect(vault.seal('a secret é')).not.toBe(sealed);
});

test.each([
  ['was sealed with another secret', createVault('notes', 'b'.repeat(32)).seal('a secret')],
  ['was sealed for another purpose', createVault('boards', SECRET).seal('a secret')],
  ['was altered', `${vault.seal('a secret').slice(0, -2)}AA`],
  ['was cut', vault.seal('a secret').slice(0, 20)],
  ['is no seal', ''],
])('opens nothing that %s', (_case, sealed) => {
  expect(() => vault.open(sealed)).toThrow();
});

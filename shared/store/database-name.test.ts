import { expect, test } from '@jest/globals';
import { databaseName } from './database-name.ts';

test.each([
  ['', 'boards', 'boards'],
  ['', 'config', 'soko-config'],
  ['', 'admin', 'soko-admin'],
  ['shop_', 'config', 'shop_config'],
])('behind the prefix "%s" the database of %s is %s', (prefix, subgraph, expected) => {
  expect(databaseName(prefix, subgraph)).toBe(expected);
});

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { columnsFor } from '../subgraphs/catalog/actions/csv.ts';

const page = readFileSync(join(import.meta.dirname, 'csv.md'), 'utf8');

test('docs/csv.md describes every column of a file, and no other', () => {
  const cells = page.split('\n').flatMap((line) => /^\| (`[^|]+`) +\|/.exec(line)?.[1] ?? []);
  const described = cells.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name!));

  expect(described.toSorted()).toEqual([...columnsFor(['CODE'])].toSorted());
});

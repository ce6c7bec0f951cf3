import { existsSync } from 'node:fs';
import { join } from 'node:path';

/* `npm test -- ARGUMENTS`: jest, where the name of a subgraph alone means its folder rather than every path with that word. */

const ROOT = join(import.meta.dirname, '..');
const NAME = /^[a-z][a-z0-9-]*$/;

/** The arguments of jest for these. */
export const jestArguments = (given: readonly string[], root: string = ROOT): string[] =>
  given.map((each) => (NAME.test(each) && existsSync(join(root, 'subgraphs', each)) ? `subgraphs/${each}/` : each));

if (import.meta.main) {
  process.argv.splice(2, Infinity, ...jestArguments(process.argv.slice(2)));
  // As a variable: jest has no types of this file.
  const jest: string = 'jest/bin/jest';
  await import(jest);
}

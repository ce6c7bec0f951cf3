import { join } from 'node:path';
import { forbiddenImports } from './imports.ts';
import { readSources } from './source.ts';
import { domainWords } from './words.ts';

const ROOT = join(import.meta.dirname, '../..');
const CODE = ['gateway', 'subgraphs', 'schema', 'shared', 'demo', 'commands', 'sandbox', 'bench'];
const WITHOUT_DOMAIN = ['shared', 'gateway'];
const TEXTS = ['.ts', '.mjs', '.graphql', '.json', '.html', '.md'];
/** They name the words in order to forbid them. */
const ABOUT_WORDS = ['shared/house/words.ts', 'shared/architecture.test.ts'];

/** Everything that stands where it may not: imports against the table of rooms, and words of the domain in `shared/` and `gateway/`. */
export function architectureFaults(root: string = ROOT): string[] {
  const texts = readSources(root, WITHOUT_DOMAIN, TEXTS).filter(({ file }) => !ABOUT_WORDS.includes(file));
  return [...forbiddenImports(readSources(root, CODE)), ...domainWords(texts)];
}

if (import.meta.main) {
  const faults = architectureFaults();
  for (const fault of faults) process.stdout.write(`${fault}\n`);
  process.exitCode = faults.length === 0 ? 0 : 1;
}

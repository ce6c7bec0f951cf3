import { join } from 'node:path';
import { forbiddenImports } from './imports.ts';
import { readSources } from './source.ts';
import { domainWords } from './words.ts';

const ROOT = join(import.meta.dirname, '../..');
const CODE = ['gateway', 'subgraphs', 'schema', 'shared', 'demo', 'commands', 'docs', 'sandbox', 'bench', 'tools'];
const WITHOUT_DOMAIN = ['shared', 'gateway'];
const TEXTS = ['.ts', '.mjs', '.graphql', '.json', '.html', '.md'];

/** Everything that stands where it may not: imports against the table of file roles, and words of the domain in `shared/` and `gateway/`. */
export function architectureFaults(root: string = ROOT): string[] {
  const texts = readSources(root, WITHOUT_DOMAIN, TEXTS);
  return [...forbiddenImports(readSources(root, CODE)), ...domainWords(texts)];
}

if (import.meta.main) {
  const faults = architectureFaults();
  for (const fault of faults) process.stdout.write(`${fault}\n`);
  process.exitCode = faults.length === 0 ? 0 : 1;
}

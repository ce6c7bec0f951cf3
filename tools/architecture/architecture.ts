import { join } from 'node:path';
import { givenUpNames } from './file-names.ts';
import { forbiddenImports } from './imports.ts';
import { readSources } from './source.ts';
import { domainWords } from './words.ts';

const ROOT = join(import.meta.dirname, '../..');
const CODE = ['gateway', 'subgraphs', 'schema', 'shared', 'demo', 'commands', 'docs', 'sandbox', 'bench', 'tools'];
const WITHOUT_DOMAIN = ['shared', 'gateway'];
const TEXTS = ['.ts', '.mjs', '.graphql', '.json', '.html', '.md'];

/** Imports against the rules, words of the domain in `shared/` and `gateway/`, and file names that were given up for standard terms. With `folder`, in that one. */
export function architectureFaults(root: string = ROOT, folder?: string): string[] {
  const texts = folder === undefined ? readSources(root, WITHOUT_DOMAIN, TEXTS) : [];
  const sources = readSources(root, folder === undefined ? CODE : [folder]);
  const names = givenUpNames(sources.map(({ file }) => file));
  return [...forbiddenImports(sources), ...domainWords(texts), ...names];
}

if (import.meta.main) {
  const faults = architectureFaults(ROOT, process.argv[2]);
  for (const fault of faults) process.stdout.write(`${fault}\n`);
  process.exitCode = faults.length === 0 ? 0 : 1;
}

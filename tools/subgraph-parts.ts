import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { readImports, readSources } from './architecture/source.ts';

/** One part of the check: a command line, as npm would run it. */
export interface Part {
  name: string;
  command: string;
}

/** The parts of the check that concern one subgraph. Throws a line for a person when there is no such folder. */
export function subgraphParts(root: string, name: string): Part[] {
  const folder = `subgraphs/${name}`;
  if (!/^[a-z][a-z0-9-]*$/.test(name) || !existsSync(join(root, folder))) throw new Error(`There is no folder ${folder}.`);
  return [
    { name: 'types', command: `tsc --noEmit --singleThreaded --project ${writeProject(root, name)}` },
    { name: 'lint', command: `oxlint --type-aware --deny-warnings ${folder}` },
    { name: 'rules', command: `node schema/rules/check-rules.ts ${name}` },
    { name: 'composition', command: 'node schema/compose.ts --check' },
    { name: 'architecture', command: `node tools/architecture/architecture.ts ${folder}` },
    { name: 'format', command: `oxfmt --check ${folder}` },
  ];
}

/** A TypeScript project of the files of the subgraph and of those elsewhere that import one of them, so that a changed contract is seen. */
function writeProject(root: string, name: string): string {
  const file = `.data/check/${name}.json`;
  const users = readSources(root, ['subgraphs', 'schema', 'demo', 'commands', 'bench'])
    .filter((source) => !source.file.startsWith(`subgraphs/${name}/`) && source.text.includes(`${name}/`))
    .filter((source) => readImports(source).imports.some(({ specifier }) => specifier.includes(`/${name}/`)))
    .map((source) => source.file);
  const project = { extends: '../../tsconfig.json', include: [`../../subgraphs/${name}`, ...users.map((user) => `../../${user}`)] };
  mkdirSync(dirname(join(root, file)), { recursive: true });
  writeFileSync(join(root, file), `${JSON.stringify(project, null, 2)}\n`);
  return file;
}

import { existsSync } from 'node:fs';
import { join } from 'node:path';

const FILE_ROLES = ['contract', 'model', 'loaders', 'actions', 'resolvers', 'handlers', 'permissions'];
const FILES = ['README.md', 'subgraph.ts', 'subgraph.test.ts'];
const MAX_LINES = 10;

export interface Messages {
  publishes: readonly string[];
  subscribesTo: readonly string[];
  handles: readonly string[];
}

/** Names that every subgraph has and this folder lacks. A role may be a folder of the same name. */
export function missingNames(folder: string): string[] {
  const has = (name: string): boolean => existsSync(join(folder, name));
  const missing = FILES.filter((name) => !has(name));
  if (!has('schema.graphql') && !has('schema')) missing.push('schema.graphql');
  return [...missing, ...FILE_ROLES.filter((role) => !has(`${role}.ts`) && !has(role)).map((role) => `${role}.ts`)];
}

/** Messages of the subgraph that the README omits, and whether it is too long. */
export function readmeFaults(readme: string, name: string, { publishes, subscribesTo, handles }: Messages): string[] {
  const lines = readme.split('\n').filter((line) => line.trim());
  const missing = (verb: string, names: readonly string[]): string[] =>
    names.filter((each) => !mentions(readme, each)).map((each) => `does not say that it ${verb} ${each}`);
  return [
    ...(lines[0] === `# ${name}` ? [] : [`does not begin with "# ${name}"`]),
    ...(lines.length <= MAX_LINES ? [] : [`has ${lines.length} lines, at most ${MAX_LINES} are read`]),
    ...['Owns ', 'Not here: ']
      .filter((start) => !lines.some((line) => line.startsWith(start)))
      .map((start) => `has no line "${start.trim()} ..."`),
    ...missing('publishes', publishes),
    ...missing('subscribes to', subscribesTo),
    ...missing('handles', handles),
  ];
}

const mentions = (text: string, name: string): boolean =>
  new RegExp(`(?<![\\w.-])${name.replaceAll('.', String.raw`\.`)}(?![\\w-]|\\.\\w)`).test(text);

/** The types a README says the subgraph owns, or those it extends: the words with a capital letter in that sentence, remarks in brackets apart. */
export function typesNamed(readme: string, verb: 'Owns' | 'Extends'): Set<string> {
  const sentences = readme.matchAll(new RegExp(`(?<![\\w])${verb} ([^.\\n]*)`, 'g'));
  return new Set([...sentences].flatMap(([, list = '']) => list.replaceAll(/\([^)]*\)/g, '').match(/\b[A-Z]\w*/g) ?? []));
}

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

/* `npm run new -- subgraph NAME`: a subgraph that composes, answers and passes its test, to be changed into what it shall be. */

const TEMPLATES = join(import.meta.dirname, 'subgraph');
const ENDING = '.tmpl';
const NAME = /^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$/;
const TYPE = /^[A-Z][A-Za-z0-9]*$/;
const FIRST_PORT = 4001;

const USAGE = 'npm run new -- subgraph NAME [--type Type]: NAME in the plural, small letters, digits and dashes, such as gift-cards';

/** A refusal that a person reads. */
class NewError extends Error {}

interface Words {
  /** Of folder, subgraph and database: `gift-cards`. */
  name: string;
  /** Of the entity: `GiftCard`. */
  Type: string;
  /** Its first letters begin its ids: `gif`. */
  prefix: string;
}

/** `gift-cards` is a folder of GiftCard unless `type` says otherwise. */
function wordsOf(name: string, type: string | undefined): Words {
  if (!NAME.test(name)) throw new NewError(USAGE);
  const plural = name.replaceAll(/(?:^|-)([a-z0-9])/g, (_match, letter: string) => letter.toUpperCase());
  const Type = type ?? (plural.endsWith('ies') ? `${plural.slice(0, -3)}y` : plural.replace(/s$/, ''));
  if (!TYPE.test(Type)) throw new NewError(`--type must be the name of a GraphQL type, such as GiftCard. ${USAGE}`);
  return { name, Type, prefix: Type.toLowerCase().slice(0, 3) };
}

function filled(template: string, { name, Type, prefix }: Words): string {
  const type = Type[0]!.toLowerCase() + Type.slice(1);
  const plural = (word: string): string =>
    /[^aeiou]y$/.test(word) ? `${word.slice(0, -1)}ies` : word.endsWith('s') ? `${word}es` : `${word}s`;
  const noun = Type.replaceAll(/(?<=[a-z0-9])(?=[A-Z])/g, ' ').toLowerCase();
  const entity = { Type, type, Types: plural(Type), types: plural(type) };
  const words: Record<string, string> = { name, ...entity, noun, nouns: plural(noun), prefix };
  return template.replaceAll(/\{\{(\w+)\}\}/g, (match, word: string) => words[word] ?? match);
}

/**
 * Writes `subgraphs/NAME/` and adds it to rover.yaml and docker-compose.yml under `root`. Returns the files that it wrote. Throws, having written
 * nothing, when the name is taken or one of these files does not look as expected.
 */
export function newSubgraph(root: string, name: string, type?: string): string[] {
  const words = wordsOf(name, type);
  const folder = `subgraphs/${name}`;
  if (existsSync(join(root, folder))) throw new NewError(`${folder} exists already.`);
  const files = new Map(
    readdirSync(TEMPLATES).map((file) => [
      `${folder}/${file.slice(0, -ENDING.length)}`,
      filled(readFileSync(join(TEMPLATES, file), 'utf8'), words),
    ]),
  );
  const read = (file: string): string => readFileSync(join(root, file), 'utf8');
  const rover = read('rover.yaml');
  const listed = rover.match(/^ {2}[a-z][a-z0-9-]*: \{ routing_url:/gm) ?? [];
  if (listed.some((line) => line.startsWith(`  ${name}:`))) throw new NewError(`rover.yaml lists ${name} already.`);
  const port = FIRST_PORT + listed.length;
  files.set('rover.yaml', withRover(rover, name, port));
  files.set('docker-compose.yml', withService(read('docker-compose.yml'), name, port));
  mkdirSync(join(root, folder), { recursive: true });
  for (const [file, text] of files) writeFileSync(join(root, file), text);
  return [...files.keys()];
}

const withRover = (rover: string, name: string, port: number): string =>
  `${rover.trimEnd()}\n  ${name}: { routing_url: 'http://${name}:${port}/graphql', schema: { file: .data/schema/subgraphs/${name}.graphql } }\n`;

/** After the last subgraph, and after the last one that the gateway names. */
function withService(compose: string, name: string, port: number): string {
  const service = `  ${name}:
    <<: *subgraph
    command: [node, subgraphs/${name}/subgraph.ts]
    healthcheck: { <<: *ready, test: [CMD, node, shared/process/ready.ts, '${port}'] }
`;
  const services = [...compose.matchAll(/^ {2}[a-z][a-z0-9-]*:\n {4}<<: \*subgraph\n(?: {4,}.*\n)+/gm)].at(-1);
  const awaited = [...compose.matchAll(/^ {6}[a-z][a-z0-9-]*: \{ condition: service_started \}\n/gm)].at(-1);
  if (!services || !awaited) throw new NewError('docker-compose.yml has no subgraph after which this one could stand.');
  const after = (match: RegExpExecArray): number => match.index + match[0].length;
  return [
    compose.slice(0, after(awaited)),
    `      ${name}: { condition: service_started }\n`,
    compose.slice(after(awaited), after(services)),
    `\n${service}`,
    compose.slice(after(services)),
  ].join('');
}

if (import.meta.main) {
  const root = join(import.meta.dirname, '../..');
  try {
    const { positionals, values } = parseArgs({ allowPositionals: true, options: { type: { type: 'string' } } });
    const [kind, name = ''] = positionals;
    if (kind !== 'subgraph') throw new NewError(USAGE);
    for (const file of newSubgraph(root, name, values.type)) process.stdout.write(`${file}\n`);
    const run = (command: string, ...args: string[]): boolean => spawnSync(command, args, { cwd: root, stdio: 'inherit' }).status === 0;
    const isDone = run(join(root, 'node_modules/.bin/oxfmt'), `subgraphs/${name}`) && run(process.execPath, 'schema/compose.ts');
    if (isDone) process.stdout.write(`Next: npm test -- subgraphs/${name}, and docs/add-a-subgraph.md\n`);
    process.exitCode = isDone ? 0 : 1;
  } catch (error) {
    if (!(error instanceof NewError) && !String((error as { code?: unknown }).code).startsWith('ERR_PARSE_ARGS')) throw error;
    process.stderr.write(`${(error as Error).message}\n`);
    process.exitCode = 1;
  }
}

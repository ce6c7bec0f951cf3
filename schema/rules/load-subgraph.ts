import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Command } from '#shared/kit/define-command.ts';
import type { EventDefinition } from '#shared/kit/define-event.ts';
import { isForTests } from '../../tools/architecture/imports.ts';
import { readImports, readSources, type Source } from '../../tools/architecture/source.ts';
import type { Subgraph } from '#shared/kit/define-subgraph.ts';
import { readRefusals, type Refusals } from './codes.ts';
import { readSdl, type Sdl } from './document.ts';
import { typesNamed } from './folder.ts';

/** One folder of `subgraphs/`, read and loaded, with everything that the rules look at. */
export interface LoadedSubgraph {
  name: string;
  folder: string;
  readme: string;
  subgraph: Subgraph;
  sdl: Sdl;
  owns: Set<string>;
  extends: Set<string>;
  events: EventDefinition[];
  commands: Command[];
  refusals: Refusals;
  /** Subgraphs whose contract it uses at run time. */
  uses: Set<string>;
}

export const ROOT = join(import.meta.dirname, '../..');

export const subgraphFolders = (root = ROOT): string[] =>
  readdirSync(join(root, 'subgraphs'), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
    .sort();

/** The code of a folder that runs outside tests. */
export const productionSources = (folder: string, root = ROOT): Source[] =>
  readSources(root, [folder]).filter(({ file }) => !isForTests(file));

/** Loads a subgraph as its folder stands; rejects when it cannot be loaded. */
export async function loadSubgraph(name: string, root = ROOT): Promise<LoadedSubgraph> {
  const folder = join(root, 'subgraphs', name);
  const load = (file: string): Promise<Record<string, unknown>> => import(pathToFileURL(join(folder, file)).href);
  const { subgraph } = (await load('subgraph.ts')) as { subgraph: Subgraph };
  const declared = await loadContract(name, root);
  const readmeFile = join(folder, 'README.md');
  const readme = existsSync(readmeFile) ? readFileSync(readmeFile, 'utf8') : '';
  const owns = typesNamed(readme, 'Owns');
  const sources = productionSources(`subgraphs/${name}`, root);
  return {
    name,
    folder,
    readme,
    subgraph,
    sdl: readSdl(subgraph.schema, subgraph.permissions, owns),
    owns,
    extends: typesNamed(readme, 'Extends'),
    ...declared,
    refusals: readRefusals(sources),
    uses: contractsUsed(name, sources),
  };
}

/** What a contract declares: events and work, commands. */
export async function loadContract(name: string, root = ROOT): Promise<{ events: EventDefinition[]; commands: Command[] }> {
  const file = join(root, 'subgraphs', name, 'contract.ts');
  const exported = Object.values((await import(pathToFileURL(file).href)) as Record<string, unknown>);
  return { events: exported.filter(isEvent), commands: exported.filter(isCommand) };
}

const isEvent = (value: unknown): value is EventDefinition => typeof value === 'function' && 'type' in value && 'schema' in value;

const isCommand = (value: unknown): value is Command =>
  typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'command';

function contractsUsed(name: string, sources: readonly Source[]): Set<string> {
  const specifiers = sources.flatMap((source) => readImports(source).imports.filter(({ typeOnly }) => !typeOnly));
  const owners = specifiers.flatMap(({ specifier }) => /\.\.\/([a-z-]+)\/contract(?:\.ts|\/)/.exec(specifier)?.[1] ?? []);
  return new Set(owners.filter((owner) => owner !== name));
}

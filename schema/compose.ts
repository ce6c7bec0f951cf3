import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { composeServices } from '@apollo/composition';
import { GraphQLError, parse, Source } from 'graphql';
import { audiencesOf, contractOf } from '#shared/graph-contracts/graph-contract.ts';
import { readRoverConfig, type RoverSubgraph } from '#shared/process/rover-config.ts';
import { completeTypeDefs } from '#shared/runtime/build-schema.ts';
import { routeConflicts, routeEntries, type RouteEntry } from '#shared/kit/define-route.ts';
import type { Subgraph } from '#shared/kit/define-subgraph.ts';
import { apiSchemaOf, coordinatesOf } from './coordinates.ts';
import { sagaVersions, type SagaVersions } from './saga-versions.ts';

export interface SubgraphSource {
  name: string;
  url: string;
  /** Complete SDL. */
  typeDefs: string;
  /** Named in errors, together with the line. Default: the name. */
  file?: string;
}

const ROOT = join(import.meta.dirname, '..');
const SUPERGRAPH_FILE = 'schema/supergraph.graphql';
/** What one audience sees of the supergraph, a coordinate a line: the difference of two versions is the change of the API. */
const coordinatesFile = (audience: string): string => `schema/coordinates/${audience}.txt`;
/** The graph of one audience, as the gateway computes it too. */
const contractFile = (audience: string): string => `.data/schema/contracts/${audience}.graphql`;
const EVENTS_FILE = 'schema/events.json';
const SAGAS_FILE = 'schema/sagas.json';
const ROUTES_FILE = 'schema/routes.json';
const BANNER = '# Written by `npm run compose`. Change the schemas of the subgraphs instead.\n';

/** The supergraph SDL of these subgraphs; throws one error that lists what keeps them apart, each with file and line. */
export function composeSupergraph(subgraphs: readonly SubgraphSource[]): string {
  const services = subgraphs.map(({ name, url, typeDefs, file = name }) => ({ name, url, typeDefs: parseNamed(typeDefs, file) }));
  const { supergraphSdl, errors } = composeServices(services);
  if (errors && errors.length > 0) throw new Error(`The subgraphs do not compose:\n${errors.map(describe).join('\n')}`);
  if (!supergraphSdl) throw new Error('Composition gave no supergraph.');
  return supergraphSdl;
}

/** Files that `npm run compose` writes: path from the root of the project, and text. */
interface Composition {
  /** Complete SDLs of the subgraphs, under `.data/`. They come first, so that errors can name their lines. */
  schemas: Map<string, string>;
  /** Throws what keeps the subgraphs apart. */
  composed: () => { committed: Map<string, string>; contracts: Map<string, string> };
}

export async function composeProject(root: string = ROOT): Promise<Composition> {
  // The committed supergraph does not depend on the environment of who composes it.
  const entries = readRoverConfig(root, {});
  const subgraphs = await Promise.all(entries.map(async (entry) => ({ entry, subgraph: await loadSubgraph(root, entry) })));
  const sources = subgraphs.map(({ entry, subgraph }) => ({
    name: entry.name,
    url: entry.routingUrl,
    file: entry.schemaFile,
    typeDefs: BANNER + completeTypeDefs(subgraph),
  }));
  const sagasBefore = JSON.parse(await readFile(join(root, SAGAS_FILE), 'utf8').catch(() => '{}')) as SagaVersions;
  return {
    schemas: new Map(sources.map(({ file, typeDefs }) => [file, typeDefs])),
    composed: () => {
      const supergraph = composeSupergraph(sources);
      const versions = sagaVersions(
        subgraphs.map(({ subgraph }) => subgraph),
        sagasBefore,
      );
      const contracts = audiencesOf(supergraph).map((audience) => ({ audience, sdl: contractOf(supergraph, audience) }));
      return {
        committed: new Map([
          [SUPERGRAPH_FILE, `${BANNER}${supergraph}\n`],
          ...contracts.map(({ audience, sdl }) => [coordinatesFile(audience), `${coordinatesOf(apiSchemaOf(sdl)).join('\n')}\n`] as const),
          [EVENTS_FILE, `${JSON.stringify(eventMap(subgraphs.map(({ subgraph }) => subgraph)), null, 2)}\n`],
          [SAGAS_FILE, `${JSON.stringify(versions, null, 2)}\n`],
          [ROUTES_FILE, `${JSON.stringify(routeList(subgraphs.map(({ subgraph }) => subgraph)), null, 2)}\n`],
        ]),
        contracts: new Map(contracts.map(({ audience, sdl }) => [contractFile(audience), `${BANNER}${sdl}\n`])),
      };
    },
  };
}

/** Each event that is heard, and by whom. Work items are not in it: they have one queue, wherever they are said. */
export function eventMap(subgraphs: readonly Pick<Subgraph, 'name' | 'handlers'>[]): Record<string, string[]> {
  const consumers = new Map<string, Set<string>>();
  for (const { name, handlers } of subgraphs) {
    for (const handler of handlers) {
      if (handler.kind !== 'event' || handler.event.queue) continue;
      consumers.set(handler.event.type, (consumers.get(handler.event.type) ?? new Set()).add(name));
    }
  }
  return Object.fromEntries([...consumers].sort(([a], [b]) => compare(a, b)).map(([type, names]) => [type, [...names].sort(compare)]));
}

/** The routes of all subgraphs, as the gateway mounts them; throws when two are one path. */
export function routeList(subgraphs: readonly Pick<Subgraph, 'name' | 'routes'>[]): RouteEntry[] {
  const entries = subgraphs.flatMap(({ name, routes }) => routeEntries(name, routes));
  const conflicts = routeConflicts(entries);
  if (conflicts.length > 0)
    throw new Error(`The routes of the subgraphs cannot be mounted:\n${conflicts.map((each) => `- ${each}`).join('\n')}`);
  return entries;
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

async function loadSubgraph(root: string, { name }: RoverSubgraph): Promise<Subgraph> {
  const file = join(root, 'subgraphs', name, 'subgraph.ts');
  if (!existsSync(file)) throw new Error(`rover.yaml lists ${name}, but subgraphs/${name}/subgraph.ts is missing.`);
  const { subgraph } = (await import(pathToFileURL(file).href)) as { subgraph?: Subgraph };
  if (subgraph?.name !== name) throw new Error(`subgraphs/${name}/subgraph.ts must export a \`subgraph\` named ${name}.`);
  return subgraph;
}

function parseNamed(typeDefs: string, file: string) {
  try {
    return parse(new Source(typeDefs, file));
  } catch (error) {
    if (!(error instanceof GraphQLError)) throw error;
    throw new Error(`The subgraphs do not compose:\n${describe(error)}`, { cause: error });
  }
}

function describe({ message, nodes, source, locations }: GraphQLError): string {
  const places = (nodes ?? []).flatMap(({ loc }) => (loc ? [`${loc.source.name}:${loc.startToken.line}`] : []));
  if (places.length === 0 && source && locations?.[0]) places.push(`${source.name}:${locations[0].line}`);
  return [`- ${message.replaceAll('\n', '\n  ')}`, ...new Set(places)].join('\n    at ');
}

async function write(root: string, files: Map<string, string>): Promise<void> {
  for (const [file, text] of files) {
    await mkdir(dirname(join(root, file)), { recursive: true });
    await writeFile(join(root, file), text);
  }
}

async function stale(root: string, files: Map<string, string>): Promise<string[]> {
  const different = await Promise.all(
    [...files].map(async ([file, text]) => ((await readFile(join(root, file), 'utf8').catch(() => '')) === text ? [] : [file])),
  );
  return different.flat();
}

/** Writes everything, or with `check` says what would change; answers the exit code. */
export async function runCompose({
  root = ROOT,
  check,
  say,
}: {
  root?: string;
  check: boolean;
  say: (line: string) => void;
}): Promise<number> {
  try {
    const { schemas, composed } = await composeProject(root);
    if (!check) await write(root, schemas);
    const { committed, contracts } = composed();
    if (!check) {
      await write(root, new Map([...committed, ...contracts]));
      say(`Composed ${schemas.size} subgraphs into ${SUPERGRAPH_FILE}.`);
      return 0;
    }
    const old = await stale(root, committed);
    say(old.length === 0 ? 'The composed schema is up to date.' : `Out of date, run \`npm run compose\`: ${old.join(', ')}`);
    return old.length === 0 ? 0 : 1;
  } catch (error) {
    say(error instanceof Error ? error.message : String(error));
    return 1;
  }
}

if (import.meta.main) {
  const say = (line: string): void => void process.stdout.write(`${line}\n`);
  process.exitCode = await runCompose({ check: process.argv.includes('--check'), say });
}
